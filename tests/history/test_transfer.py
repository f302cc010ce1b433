"""Copying of saved runs to and from remote storages: folders, memory, S3 and a branch."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_infperf import cli
from pytest_infperf.errors import UserError
from pytest_infperf.history import remotes, transfer
from pytest_infperf.history.git_branch import GitBranch
from pytest_infperf.history.store import HistoryStore
from pytest_infperf.records import file as record_file
from tests.history.saved import run_record, write_benchmark_file


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def hosts(tmp_path: Path) -> list[Path]:
    """Clones of a repository on two hosts, each with a run of its own under the same name."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    folders = []
    for number, name in enumerate(("one", "two")):
        git(tmp_path, "clone", "-q", "origin.git", name)
        folder = tmp_path / name
        write_benchmark_file(folder / ".benchmarks", 1, run_record(10.0 + number))
        folders.append(folder)
    (folders[0] / "code.py").write_text("x = 1\n")
    git(folders[0], "add", "code.py")
    git(folders[0], "commit", "-q", "-m", "code")
    git(folders[0], "push", "-q", "origin", "HEAD:main")
    return folders


@pytest.fixture(params=["file", "memory", "s3", "git+branch"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "git+branch":
        yield "git+branch:infperf-history"
        return
    fsspec = pytest.importorskip("fsspec")
    if request.param == "file":
        yield f"file://{tmp_path / 'shared/folder'}"
    elif request.param == "memory":
        yield "memory://runs"
        fsspec.filesystem("memory").rm("/runs", recursive=True)
    else:
        yield from s3(request)


def s3(request: pytest.FixtureRequest) -> Iterator[str]:
    """Serve an S3 of moto on this host, with an empty bucket."""
    s3fs = pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", port=0)
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"bucket-{uuid.uuid4()}"  # moto keeps what earlier servers of this process had
    s3fs.S3FileSystem().mkdir(bucket)
    yield f"s3://{bucket}/nightly/runs"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def push(folder: Path, url: str) -> tuple[int, int]:
    return transfer.push(folder / ".benchmarks", remotes.open_remote(url, folder))


def pull(folder: Path, url: str) -> tuple[int, int]:
    return transfer.pull(folder / ".benchmarks", remotes.open_remote(url, folder))


def medians(folder: Path) -> list[float]:
    runs = HistoryStore(folder / ".benchmarks").runs
    return sorted(run.run.records[1].measures["latency_p50"].value for run in runs)


def test_runs_of_two_hosts_meet_and_nothing_is_replaced(hosts: list[Path], url: str) -> None:
    one, two = hosts
    assert pull(one, url) == (0, 0), "there is no history yet"
    assert push(one, url) == (1, 0)
    assert push(two, url) == (1, 0), "the run has the same name, and other content"
    assert push(two, url) == (0, 1)
    assert pull(two, url) == (1, 1)
    assert pull(one, url) == (1, 1)
    assert push(one, url) == (0, 2), "a pulled run is not pushed again"
    assert medians(one) == medians(two) == [0.010, 0.011]


def test_a_pulled_file_is_the_same_to_the_byte(hosts: list[Path], url: str) -> None:
    one, two = hosts
    [path] = (one / ".benchmarks").glob("*/*.json")
    path.write_bytes(path.read_bytes().replace(b"{", b"{\r\n", 1))
    push(one, url)
    pull(two, url)
    assert path.read_bytes() in {p.read_bytes() for p in (two / ".benchmarks").glob("*/*.json")}
    assert not [*two.rglob("*.part"), *two.rglob("*.tmp")]


def test_hosts_that_push_at_once_lose_nothing(hosts: list[Path], url: str) -> None:
    failures: list[BaseException] = []

    def work(folder: Path) -> None:
        try:
            for number in range(2, 5):
                p50_ms = number + hosts.index(folder) / 10
                write_benchmark_file(folder / ".benchmarks", number, run_record(p50_ms))
                push(folder, url)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(folder,)) for folder in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for folder in hosts:
        pull(folder, url)
    assert medians(hosts[0]) == medians(hosts[1])
    assert len(medians(hosts[0])) == 8


def test_an_incomplete_file_is_neither_pushed_nor_pulled(hosts: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    one, two = hosts
    url = f"file://{tmp_path / 'shared'}"
    [path] = (one / ".benchmarks").glob("*/*.json")
    half = path.with_name("0002_half.json")
    half.write_bytes(path.read_bytes()[:100])
    skipped: list[str] = []
    remote = remotes.open_remote(url, one)
    assert transfer.push(one / ".benchmarks", remote, skipped.append) == (1, 0)
    assert [reason.partition(":")[0] for reason in skipped] == [str(half)]
    [copy] = (tmp_path / "shared").glob("*/*.json")
    copy.write_bytes(copy.read_bytes()[:100])
    (tmp_path / "shared/notes.json").write_text("{}")
    assert transfer.pull(two / ".benchmarks", remote, skipped.append) == (0, 0)
    assert skipped[1].startswith(f"Linux/{copy.name} of {url}: the file is incomplete")


@pytest.mark.parametrize("name", [".hidden/0001_x.json", "Linux/.0001_x.json", "a/b\\c.json"])
def test_a_name_that_no_pull_takes_is_not_pushed(name: str, hosts: list[Path]) -> None:
    one, two = hosts
    path = one / ".benchmarks" / name
    path.parent.mkdir(exist_ok=True)
    record_file.write(path, run_record(12.0))
    remote = remotes.open_remote("git+branch:infperf-history", one)
    skipped: list[str] = []
    assert transfer.push(one / ".benchmarks", remote, skipped.append) == (1, 0)
    assert [reason.partition(":")[0] for reason in skipped] == [str(path)]
    assert pull(two, "git+branch:infperf-history") == (1, 0)


def test_unreadable_files_are_skipped(hosts: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    storage = hosts[0] / ".benchmarks"
    (storage / "Linux/0002_folder.json").mkdir()
    (storage / "Linux/0003_link.json").symlink_to("nowhere")
    remote = remotes.open_remote(f"file://{tmp_path / 'shared'}", hosts[0])
    for copy in (transfer.push, transfer.pull):
        skipped: list[str] = []
        assert copy(storage, remote, skipped.append) == (
            (1, 0) if copy is transfer.push else (0, 1)
        )
        assert ["cannot be read" in reason for reason in skipped] == [True, True]


class Hostile:
    """A storage whose names point outside a folder."""

    def names(self) -> list[str]:
        digest = "0" * 16
        names = ["../x", "/etc/x", "a/../../x", "a/b/x", ".git/x", "a/.x", "a\\x", "a/\nx"]
        return [f"{name}-{digest}.json" for name in names]

    def download(self, name: str) -> bytes:
        raise AssertionError(name)

    def upload(self, files: object) -> None:
        raise AssertionError(files)


def test_no_name_leads_out_of_the_storage(tmp_path: Path) -> None:
    assert transfer.pull(tmp_path, Hostile()) == (0, 0)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("bucket/prefix", "this is not a URL"),
        ("nosuch://bucket", "rotocol"),
        ("git+branch:", "not a valid name"),
        ("git+branch:a..b", "not a valid name"),
        ("git+branch:--force", "not a valid name"),
        ("git+branch:main", "the branch contains other files, such as code.py"),
    ],
)
def test_a_wrong_address_is_explained(url: str, words: str, hosts: list[Path]) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(UserError, match=words):
        push(hosts[0], url)
    assert git(hosts[0], "ls-remote", "--heads", "origin").split()[1:] == ["refs/heads/main"]


def test_without_fsspec_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UserError, match=r"pip install 'pytest-infperf\[history-remote\]'"):
        remotes.open_remote("s3://bucket", tmp_path)


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(UserError) as refused:
        remotes.open_remote("nosuch://user:secret@host/x", tmp_path)
    assert "secret" not in str(refused.value)
    assert "nosuch://***@host/x" in str(refused.value)


def test_a_file_system_that_cannot_connect_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(url: str) -> None:
        raise OSError(f"{url} does not answer")

    core = pytest.importorskip("fsspec.core")
    monkeypatch.setattr(core, "url_to_fs", connect)
    with pytest.raises(UserError) as refused:
        remotes.open_remote("sftp://user:secret@host/x", tmp_path)
    assert "sftp://***@host/x does not answer; check the address" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["s3"], indirect=True)
def test_a_bucket_that_is_missing_is_not_created(url: str, hosts: list[Path]) -> None:
    missing = url.replace("bucket-", "missing-")
    with pytest.raises(UserError, match=f"{missing}: .*bucket"):
        push(hosts[0], missing)


def test_a_storage_that_refuses_is_named(hosts: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    (tmp_path / "shared").write_text("a file")
    url = f"file://{tmp_path / 'shared'}"
    with pytest.raises(UserError, match=f"{url}: "):
        push(hosts[0], url)


def test_the_branch_leaves_the_repository_as_it_is(hosts: list[Path]) -> None:
    one, _ = hosts
    (one / "staged.py").write_text("y = 2\n")
    git(one, "add", "staged.py")
    questions = ["status --porcelain", "for-each-ref refs/heads refs/tags", "rev-parse HEAD"]
    before = [git(one, *words.split()) for words in questions]
    push(one, "git+branch:infperf-history")
    assert [git(one, *words.split()) for words in questions] == before
    commit = git(one.parent / "origin.git", "log", "--format=%an %s", "infperf-history")
    assert commit == "pytest-infperf Add 1 saved run [skip ci]"


def test_a_branch_of_a_shallow_clone_keeps_its_history(hosts: list[Path], tmp_path: Path) -> None:
    url = "git+branch:infperf-history"
    for folder in hosts:
        push(folder, url)
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{tmp_path / 'origin.git'}", "three")
    three = tmp_path / "three"
    assert pull(three, url) == (2, 0)
    write_benchmark_file(three / ".benchmarks", 3, run_record(12.0))
    assert push(three, url) == (1, 2)
    assert git(tmp_path / "origin.git", "rev-list", "--count", "infperf-history") == "3"


def test_a_push_that_is_refused_is_reported(hosts: list[Path]) -> None:
    hook = hosts[0].parent / "origin.git/hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho read only; exit 1\n")
    hook.chmod(0o755)
    with pytest.raises(UserError, match=r"could not be pushed: .*read only"):
        push(hosts[0], "git+branch:infperf-history")


def test_without_a_repository_the_branch_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not in a git repository"):
        GitBranch("infperf-history", tmp_path)


def test_the_command_pushes_and_pulls(
    hosts: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "git+branch:infperf-history"
    for folder, words in ((hosts[0], ["push", url]), (hosts[1], ["pull", url])):
        monkeypatch.chdir(folder)
        assert cli.main(["history", *words]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{url}: 1 pushed, 0 already there",
        f"{url}: 1 pulled, 0 already here",
    ]
    assert cli.main(["history", "pull", url, "--fail-on-change"]) == 2
    assert "--fail-on-change: pull only copies runs" in capsys.readouterr().err
    assert cli.main(["history", "push"]) == 2
    assert "with one URL" in capsys.readouterr().err
    assert cli.main(["history", "push", url, "--storage", "nowhere"]) == 2
    assert "there is no saved run in" in (error := capsys.readouterr().err)
    assert error.endswith("or name another folder with --storage\n")
