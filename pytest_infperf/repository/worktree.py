"""A revision of the user's repository, checked out into a separate folder during a run.

It is a git worktree, so that code that calls git there sees that revision. Submodules are checked
out from their repositories in the working tree; nothing is fetched.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from pytest_infperf.errors import UserError
from pytest_infperf.repository import git

_SUBMODULE_MODE = "160000"


@dataclass(frozen=True)
class Commit:
    """A commit of the user's repository."""

    top: Path
    """Top folder of the working tree."""
    name: str
    """Name of the commit as the user wrote it."""
    sha: str
    """Full id of the commit."""

    def __str__(self) -> str:
        short = self.sha[:10]
        return short if self.sha.startswith(self.name) else f"{self.name} ({short})"


def resolve(root: Path, name: str) -> Commit:
    """Return the commit with that name in the repository that contains `root`.

    Raises UserError if it does not exist; the message shows how to fetch it.
    """
    if shutil.which("git") is None:
        raise UserError("--infperf-against needs git, which is not on PATH: install it")
    top = git.ask(root, "rev-parse", "--show-toplevel")
    if not top:
        if words := git.refusal(root):
            raise UserError(f"--infperf-against: git does not read the repository: {words}")
        raise UserError(
            f"--infperf-against: {root} is not in a git repository, so it has no revision {name!r}"
        )
    sha = git.commit_id(root, name)
    if sha:
        return Commit(Path(top), name, sha)
    if git.ask(root, "rev-parse", "--is-shallow-repository") == "true":
        raise UserError(
            f"--infperf-against: {name} is not in this shallow clone. Fetch it: "
            "`git fetch --unshallow`, or `git fetch --depth=1 origin BRANCH` and then "
            "--infperf-against FETCH_HEAD; with GitHub's actions/checkout, set fetch-depth: 0"
        )
    known = git.ask(root, "for-each-ref", "--format=%(refname:short)").split()
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else "if it is in a remote, run `git fetch` first"
    raise UserError(f"--infperf-against: git does not know the commit {name!r}; {hint}")


@dataclass
class Worktree:
    """A folder with the files of a commit, which `close` removes.

    Leftovers of a killed run are removed by the next run.
    """

    commit: Commit
    folder: Path
    """Top folder of the worktree."""
    notice: Callable[[str], None]
    """Callback for notices that do not stop the run."""
    _lock: FileLock
    missing: dict[Path, str] = field(default_factory=dict)
    """Reason and remedy for each submodule that could not be checked out, by its path."""
    _added: list[tuple[Path, Path]] = field(default_factory=list)
    """Repository and folder of each worktree; submodules come after the tree that contains them."""

    @classmethod
    def add(cls, commit: Commit, cache: Path, notice: Callable[[str], None]) -> Worktree:
        """Check out a commit below the cache folder. Raises UserError if this is impossible."""
        revisions = cache / "revisions"
        try:
            revisions.mkdir(parents=True, exist_ok=True)
            if not (cache / ".gitignore").exists():  # it may be another user's
                (cache / ".gitignore").write_text("*\n")
            _remove_leftovers(revisions, commit.top)
            folder = revisions / f"{commit.sha[:12]}-{uuid4().hex[:8]}"
            lock = FileLock(f"{folder}.lock")
            lock.acquire()
        except OSError as error:
            raise UserError(
                f"--infperf-against: cannot write {revisions}: {error.strerror or error}. "
                "Free some space, or choose another folder with --infperf-cache"
            ) from error
        tree = cls(commit, folder.absolute(), notice, lock)
        try:
            tree._add(commit.top, tree.folder, commit.sha)
        except UserError:
            tree.close()
            raise
        return tree

    def close(self) -> None:
        """Remove the worktree and the worktrees of its submodules."""
        for repository, folder in reversed(self._added):
            git.run(repository, "worktree", "remove", "--force", "--force", str(folder))
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def _add(self, repository: Path, folder: Path, sha: str) -> None:
        done = git.run(repository, "worktree", "add", "--detach", "--quiet", str(folder), sha)
        if done.returncode:
            raise UserError(
                f"--infperf-against: git cannot check {self.commit} out: {done.stderr.strip()}"
            )
        self._added.append((repository, folder))
        for path, inner in _submodules(folder):
            self._add_submodule(repository / path, folder / path, inner)

    def _add_submodule(self, repository: Path, folder: Path, sha: str) -> None:
        name = repository.relative_to(self.commit.top)
        if not (repository / ".git").exists():
            remedy = f"run `git submodule update --init {name}`"
        elif not git.commit_id(repository, sha):
            remedy = f"run `git -C {name} fetch origin {sha}`"
        else:
            self._add(repository, folder, sha)
            return
        reason = f"the submodule {name} is missing at {self.commit}: {remedy}"
        self.missing[name] = reason
        self.notice(reason)


def _submodules(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the path and the commit of each submodule."""
    for entry in git.ask(folder, "ls-files", "--stage", "-z").split("\0"):
        mode_and_commit, _, path = entry.partition("\t")
        if mode_and_commit.startswith(_SUBMODULE_MODE):
            yield Path(path), mode_and_commit.split()[1]


def _remove_leftovers(revisions: Path, top: Path) -> None:
    """Remove the worktrees of killed runs, whose locks are free."""
    for lock_file in revisions.glob("*.lock"):
        lock = FileLock(lock_file)
        try:
            with lock.acquire(timeout=0):
                shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
                lock_file.unlink(missing_ok=True)
        except Timeout:
            continue
    git.run(top, "worktree", "prune")
