"""The files of a project that are sent to nodes, and their unchanged arrival."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.fleet import tree


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "repository"
    write(top / ".gitignore", "models/\n*.pyc\n")
    write(top / "service/pytest.ini", "[pytest]\n")
    write(top / "service/suite.py", "suite = 1\n")
    write(top / "service/gone.py")
    write(top / "service/models/weights.bin", "0123")
    write(top / "shared/code.py", "x = 1\n")
    git(top, "init", "--quiet")
    git(top, "add", ".")
    git(top, "commit", "--quiet", "--message", "one")
    (top / "service/gone.py").unlink()
    write(top / "service/new.py", "y = 2\n")
    write(top / "service/old.pyc")
    return top


def send(shipped: tree.Tree, tmp_path: Path) -> Path:
    packed = tmp_path / "tree.tar"
    digest = tree.pack(shipped, packed)
    return tree.unpack(digest, tree.read_parts(packed), tmp_path / "node")


def names(folder: Path) -> set[str]:
    return {
        str(Path(place, name).relative_to(folder))
        for place, _, files in os.walk(folder)
        for name in files
    }


def test_all_files_but_those_that_git_ignores_are_shipped(repository: Path, tmp_path: Path) -> None:
    shipped = tree.files_to_ship(repository / "service")
    assert shipped.top == repository == tree.top_folder(repository / "service")
    received = send(shipped, tmp_path)
    assert names(received) == {
        ".gitignore",
        "service/pytest.ini",
        "service/suite.py",
        "service/new.py",
        "shared/code.py",
    }
    assert (received / "service/new.py").read_text() == "y = 2\n"


def test_a_model_is_shipped_though_git_ignores_it(repository: Path, tmp_path: Path) -> None:
    shipped = tree.files_to_ship(repository / "service", [repository / "service/models"])
    assert (send(shipped, tmp_path) / "service/models/weights.bin").read_text() == "0123"


def test_a_model_outside_the_repository_is_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is outside .*repository, and only files below it"):
        tree.files_to_ship(repository / "service", [tmp_path / "models"])


def test_without_git_hidden_folders_and_environments_are_left_out(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("pytest.ini", ".coveragerc", ".infperf_cache/a", "venv/pyvenv.cfg", "venv/a.py"):
        write(project / name)
    write(project / "suites/__pycache__/a.pyc")
    write(project / "suites/suite.py")
    assert tree.top_folder(project) == project
    assert names(send(tree.files_to_ship(project), tmp_path)) == {
        "pytest.ini",
        ".coveragerc",
        "suites/suite.py",
    }


def test_links_to_shipped_files_stay_and_others_are_followed(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project / "data/a.txt", "a")
    write(tmp_path / "elsewhere/b.txt", "b")
    write(tmp_path / "elsewhere/inner/c.txt", "c")
    (project / "same").symlink_to("data", target_is_directory=True)
    (project / "absolute.txt").symlink_to(project / "data/a.txt")
    (project / "far").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (project / "broken").symlink_to(tmp_path / "nowhere")
    received = send(tree.files_to_ship(project), tmp_path)
    assert os.readlink(received / "same") == "data"
    assert os.readlink(received / "absolute.txt") == "data/a.txt"
    assert (received / "far/b.txt").read_text() == "b"
    assert (received / "far/inner/c.txt").read_text() == "c"
    assert not (received / "far").is_symlink()
    assert not os.path.lexists(received / "broken")


def test_executable_files_stay_executable(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project / "tool.sh", "#!/bin/sh\n").chmod(0o755)
    write(project / "data.txt").chmod(0o600)
    received = send(tree.files_to_ship(project), tmp_path)
    assert os.access(received / "tool.sh", os.X_OK)
    assert not os.access(received / "data.txt", os.X_OK)


def test_the_digest_depends_on_contents_alone(tmp_path: Path) -> None:
    digests = []
    for name, text, when in (("one", "x", 1e9), ("two", "x", 2e9), ("three", "y", 2e9)):
        os.utime(write(tmp_path / name / "a.txt", text), (when, when))
        digests.append(tree.pack(tree.files_to_ship(tmp_path / name), tmp_path / f"{name}.tar"))
    assert digests[0] == digests[1] != digests[2]


def test_a_node_unpacks_a_tree_once_and_keeps_the_last(tmp_path: Path) -> None:
    packed, node = tmp_path / "tree.tar", tmp_path / "node"
    write(tmp_path / "project/a.txt", "a")
    first = tree.pack(tree.files_to_ship(tmp_path / "project"), packed)
    tree.unpack(first, tree.read_parts(packed), node)

    def unexpected() -> Iterator[bytes]:
        raise AssertionError("the node has this tree")
        yield b""

    assert names(tree.unpack(first, unexpected(), node)) == {"a.txt"}
    write(tmp_path / "project/a.txt", "b")
    second = tree.pack(tree.files_to_ship(tmp_path / "project"), packed)
    tree.unpack(second, tree.read_parts(packed), node)
    assert [path.name for path in node.iterdir()] == [second]


def test_a_tree_that_was_damaged_in_transit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not 0000"):
        tree.unpack("0000", [b"something else"], tmp_path / "node")
    assert not (tmp_path / "node" / "0000").exists()


def test_a_large_tree_is_sent_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "PART_BYTES", 1000)
    packed = write(tmp_path / "tree.tar", "0" * 2500)
    assert [len(part) for part in tree.read_parts(packed)] == [1000, 1000, 500]
