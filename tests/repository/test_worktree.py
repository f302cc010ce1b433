"""Worktrees of revisions: shallow clones, submodules, and the leftovers of killed runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.repository import worktree
from pytest_infperf.repository.worktree import Worktree


def git(folder: Path, *words: str) -> str:
    settings = ["user.name=A", "user.email=a@example.org", "protocol.file.allow=always"]
    options = [part for setting in settings for part in ("-c", setting)]
    command = ["git", *options, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(repository: Path, text: str) -> str:
    repository.mkdir(exist_ok=True)
    if not (repository / ".git").exists():
        git(repository, "init", "--quiet", "-b", "main")
    (repository / "file").write_text(text)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "-m", text)
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits, and a change that is not committed."""
    top = tmp_path / "repository"
    commit(top, "first")
    commit(top, "second")
    (top / "file").write_text("not committed")
    return top


def test_the_files_are_those_of_the_revision(repository: Path, tmp_path: Path) -> None:
    tree = Worktree.add(worktree.resolve(repository, "HEAD~1"), tmp_path / "cache", print)
    assert (tree.folder / "file").read_text() == "first"
    assert (repository / "file").read_text() == "not committed"
    assert git(tree.folder, "rev-parse", "HEAD") == git(repository, "rev-parse", "HEAD~1")
    tree.close()
    assert not tree.folder.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_two_runs_have_two_trees(repository: Path, tmp_path: Path) -> None:
    commit_ = worktree.resolve(repository, "HEAD")
    one, other = (Worktree.add(commit_, tmp_path / "cache", print) for _ in range(2))
    one.close()
    assert (other.folder / "file").read_text() == "second"
    other.close()


def test_the_next_run_removes_what_a_killed_run_left(repository: Path, tmp_path: Path) -> None:
    commit_ = worktree.resolve(repository, "HEAD")
    left = Worktree.add(commit_, tmp_path / "cache", print)
    left._lock.release()  # as the system does when a process dies
    tree = Worktree.add(commit_, tmp_path / "cache", print)
    assert not left.folder.exists()
    tree.close()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_shallow_clone_says_what_to_fetch(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", "shallow")
    with pytest.raises(UserError, match="fetch-depth: 0") as raised:
        worktree.resolve(tmp_path / "shallow", "HEAD~1")
    assert "git fetch --unshallow" in str(raised.value)


def test_a_submodule_is_taken_from_the_working_tree(repository: Path, tmp_path: Path) -> None:
    commit(tmp_path / "inner", "inner, old")
    git(repository, "submodule", "--quiet", "add", str(tmp_path / "inner"), "models")
    before = commit(repository, "with a submodule")
    commit(repository / "models", "inner, new")
    tree = Worktree.add(worktree.resolve(repository, before), tmp_path / "cache", print)
    assert (tree.folder / "models/file").read_text() == "inner, old"
    tree.close()
    assert (repository / "models/file").read_text() == "inner, new"
    assert len(git(repository / "models", "worktree", "list").splitlines()) == 1


def test_a_submodule_that_was_not_fetched_is_named(repository: Path, tmp_path: Path) -> None:
    commit(tmp_path / "inner", "inner")
    git(repository, "submodule", "--quiet", "add", str(tmp_path / "inner"), "models")
    commit(repository, "with a submodule")
    git(tmp_path, "clone", "--quiet", str(repository), "clone")
    notices: list[str] = []
    clone = worktree.resolve(tmp_path / "clone", "HEAD")
    Worktree.add(clone, tmp_path / "cache", notices.append).close()
    (notice,) = notices
    assert "the submodule models is missing" in notice
    assert "git submodule update --init models" in notice


def test_variables_of_a_git_hook_are_ignored(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    tree = Worktree.add(worktree.resolve(repository, "HEAD~1"), tmp_path / "cache", print)
    assert (tree.folder / "file").read_text() == "first"
    tree.close()


def test_without_git_the_message_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(UserError, match="--infperf-against needs git, which is not on PATH"):
        worktree.resolve(repository, "HEAD")
