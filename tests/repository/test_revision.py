from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_infperf.repository import git as git_module
from pytest_infperf.repository.revision import revision


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    command = ["git", *identity, "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    (tmp_path / "tracked.txt").write_text("one")
    git(tmp_path, "add", "tracked.txt")
    return tmp_path


def commit(root: Path) -> str:
    git(root, "commit", "--quiet", "--message", "first")
    return git(root, "rev-parse", "HEAD")


def test_a_clean_checkout(repository: Path) -> None:
    head = commit(repository)
    assert revision(repository) == {"commit": head, "branch": "main", "dirty": False}


def test_a_folder_inside(repository: Path) -> None:
    head = commit(repository)
    inside = repository / "a folder"
    inside.mkdir()
    assert revision(inside) == {"commit": head, "branch": "main", "dirty": False}


def test_a_changed_file_is_dirty_and_an_untracked_one_is_not(repository: Path) -> None:
    head = commit(repository)
    (repository / "record.json").write_text("{}")
    assert revision(repository) == {"commit": head, "branch": "main", "dirty": False}
    (repository / "tracked.txt").write_text("two")
    assert revision(repository) == {"commit": head, "branch": "main", "dirty": True}


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    head = commit(repository)
    git(repository, "checkout", "--quiet", "--detach")
    assert revision(repository) == {"commit": head, "branch": None, "dirty": False}


def test_before_the_first_commit(repository: Path) -> None:
    assert revision(repository) == {"commit": None, "branch": "main", "dirty": True}


def test_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision(tmp_path) is None
    assert revision(tmp_path / "no-such-folder") is None


def test_a_repository_that_git_does_not_read_is_no_missing_one(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    notices: list[str] = []
    assert revision(repository, notices.append) is None
    (notice,) = notices
    assert "the commit is not recorded" in notice
    assert f"git config --global --add safe.directory {repository}" in notice
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(repository.parent))
    assert revision(tmp_path_factory.mktemp("none"), notices.append) is None
    assert len(notices) == 1


def test_variables_of_a_git_hook_are_ignored(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = commit(repository)
    monkeypatch.setenv("GIT_DIR", str(tmp_path_factory.mktemp("elsewhere")))
    assert revision(repository) == {"commit": head, "branch": "main", "dirty": False}


def test_a_branch_that_is_not_utf_8_can_be_printed(repository: Path) -> None:
    commit(repository)
    subprocess.run(["git", "-C", repository, "checkout", "-qb", b"caf\xe9"], check=True)
    assert (revision(repository) or {})["branch"] == "caf�"


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert revision(repository) is None


def test_a_git_that_hangs(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(repository)
    program = repository / "git"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(repository), prepend=":")
    monkeypatch.setattr(git_module, "TIME_LIMIT_S", 0.2)
    assert revision(repository) is None
