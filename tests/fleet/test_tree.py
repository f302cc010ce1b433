"""What is shipped of a project, and that it arrives as it was."""

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


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


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


def arrived(shipped: tree.Tree, tmp_path: Path) -> Path:
    packed = tmp_path / "tree.tar"
    digest = tree.pack(shipped, packed)
    return tree.unpacked(digest, tree.parts(packed), tmp_path / "node")


def names(folder: Path) -> set[str]:
    return {
        str(Path(place, name).relative_to(folder))
        for place, _, files in os.walk(folder)
        for name in files
    }


def test_all_of_a_repository_but_what_git_ignores(repository: Path, tmp_path: Path) -> None:
    shipped = tree.working_tree(repository / "service")
    assert shipped.top == repository == tree.top_of(repository / "service")
    there = arrived(shipped, tmp_path)
    assert names(there) == {
        ".gitignore",
        "service/pytest.ini",
        "service/suite.py",
        "service/new.py",
        "shared/code.py",
    }
    assert (there / "service/new.py").read_text() == "y = 2\n"


def test_a_model_is_shipped_though_git_ignores_it(repository: Path, tmp_path: Path) -> None:
    shipped = tree.working_tree(repository / "service", [repository / "service/models"])
    assert (arrived(shipped, tmp_path) / "service/models/weights.bin").read_text() == "0123"


def test_a_model_outside_the_repository_is_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lies outside .*repository, and only what is below"):
        tree.working_tree(repository / "service", [tmp_path / "models"])


def test_without_git_all_but_hidden_folders_and_environments(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("pytest.ini", ".coveragerc", ".infperf_cache/a", "venv/pyvenv.cfg", "venv/a.py"):
        write(project / name)
    write(project / "suites/__pycache__/a.pyc")
    write(project / "suites/suite.py")
    assert tree.top_of(project) == project
    assert names(arrived(tree.working_tree(project), tmp_path)) == {
        "pytest.ini",
        ".coveragerc",
        "suites/suite.py",
    }


def test_links_inside_stay_and_others_are_followed(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project / "data/a.txt", "a")
    write(tmp_path / "elsewhere/b.txt", "b")
    write(tmp_path / "elsewhere/inner/c.txt", "c")
    (project / "same").symlink_to("data", target_is_directory=True)
    (project / "absolute.txt").symlink_to(project / "data/a.txt")
    (project / "far").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (project / "broken").symlink_to(tmp_path / "nowhere")
    there = arrived(tree.working_tree(project), tmp_path)
    assert os.readlink(there / "same") == "data"
    assert os.readlink(there / "absolute.txt") == "data/a.txt"
    assert (there / "far/b.txt").read_text() == "b"
    assert (there / "far/inner/c.txt").read_text() == "c"
    assert not (there / "far").is_symlink()
    assert not os.path.lexists(there / "broken")


def test_programs_stay_programs(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project / "tool.sh", "#!/bin/sh\n").chmod(0o755)
    write(project / "data.txt").chmod(0o600)
    there = arrived(tree.working_tree(project), tmp_path)
    assert os.access(there / "tool.sh", os.X_OK)
    assert not os.access(there / "data.txt", os.X_OK)


def test_the_digest_is_of_contents_alone(tmp_path: Path) -> None:
    digests = []
    for name, text, when in (("one", "x", 1e9), ("two", "x", 2e9), ("three", "y", 2e9)):
        os.utime(write(tmp_path / name / "a.txt", text), (when, when))
        digests.append(tree.pack(tree.working_tree(tmp_path / name), tmp_path / f"{name}.tar"))
    assert digests[0] == digests[1] != digests[2]


def test_a_node_unpacks_a_tree_once_and_keeps_the_last(tmp_path: Path) -> None:
    packed, node = tmp_path / "tree.tar", tmp_path / "node"
    write(tmp_path / "project/a.txt", "a")
    first = tree.pack(tree.working_tree(tmp_path / "project"), packed)
    tree.unpacked(first, tree.parts(packed), node)

    def asked_again() -> Iterator[bytes]:
        raise AssertionError("the node has this tree")
        yield b""

    assert names(tree.unpacked(first, asked_again(), node)) == {"a.txt"}
    write(tmp_path / "project/a.txt", "b")
    second = tree.pack(tree.working_tree(tmp_path / "project"), packed)
    tree.unpacked(second, tree.parts(packed), node)
    assert [path.name for path in node.iterdir()] == [second]


def test_a_tree_that_was_damaged_on_its_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="and was sent as 0000"):
        tree.unpacked("0000", [b"something else"], tmp_path / "node")
    assert not (tmp_path / "node" / "0000").exists()


def test_a_big_tree_is_sent_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "PART_BYTES", 1000)
    packed = write(tmp_path / "tree.tar", "0" * 2500)
    assert [len(part) for part in tree.parts(packed)] == [1000, 1000, 500]
