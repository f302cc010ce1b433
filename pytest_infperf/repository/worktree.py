"""A revision of the user's repository, checked out into a folder of its own for as long as a run.

git's own worktrees do it, so that what asks git there gets that revision's answers. A submodule is
checked out from the repository that the working tree has of it: nothing is fetched.
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
    top: Path
    """The top folder of the working tree."""
    name: str
    """As the user wrote it."""
    sha: str

    def __str__(self) -> str:
        short = self.sha[:10]
        return short if self.sha.startswith(self.name) else f"{self.name} ({short})"


def resolve(root: Path, name: str) -> Commit:
    """Raises UserError when the repository has no such commit, saying what to fetch."""
    if shutil.which("git") is None:
        raise UserError("--infperf-against needs git, which is not on PATH: install it")
    top = git.ask(root, "rev-parse", "--show-toplevel")
    if not top:
        raise UserError(
            f"--infperf-against: {root} is in no git repository, so it has no revision {name!r}"
        )
    sha = git.commit_id(root, name)
    if sha:
        return Commit(Path(top), name, sha)
    if git.ask(root, "rev-parse", "--is-shallow-repository") == "true":
        raise UserError(
            f"--infperf-against: {name} is not in this shallow clone. Fetch what it needs: "
            "`git fetch --unshallow`, or `git fetch --depth=1 origin BRANCH` and then "
            "--infperf-against FETCH_HEAD; with GitHub's actions/checkout, set fetch-depth: 0"
        )
    known = git.ask(root, "for-each-ref", "--format=%(refname:short)").split()
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else "fetch it first if a remote has it: `git fetch`"
    raise UserError(f"--infperf-against: git knows no commit {name!r}; {hint}")


@dataclass
class Worktree:
    """Call `close` when done; what a killed run left behind is removed by the next."""

    commit: Commit
    folder: Path
    notice: Callable[[str], None]
    _lock: FileLock
    _added: list[tuple[Path, Path]] = field(default_factory=list)
    """Repository and folder of each worktree, those of submodules behind what holds them."""

    @classmethod
    def add(cls, commit: Commit, cache: Path, notice: Callable[[str], None]) -> Worktree:
        """Raises UserError when git cannot check the revision out."""
        place = cache / "revisions"
        try:
            place.mkdir(parents=True, exist_ok=True)
            (cache / ".gitignore").write_text("*\n")
            _remove_leftovers(place, commit.top)
            folder = place / f"{commit.sha[:12]}-{uuid4().hex[:8]}"
            lock = FileLock(f"{folder}.lock")
            lock.acquire()
        except OSError as error:
            raise UserError(
                f"--infperf-against: cannot write {place}: {error.strerror or error}. "
                "Make room or choose another folder with --infperf-cache"
            ) from error
        tree = cls(commit, folder.absolute(), notice, lock)
        try:
            tree._add(commit.top, tree.folder, commit.sha)
        except UserError:
            tree.close()
            raise
        return tree

    def close(self) -> None:
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
        self.notice(f"the submodule {name} is missing at {self.commit}: {remedy}")


def _submodules(folder: Path) -> Iterator[tuple[Path, str]]:
    for entry in git.ask(folder, "ls-files", "--stage", "-z").split("\0"):
        facts, _, path = entry.partition("\t")
        if facts.startswith(_SUBMODULE_MODE):
            yield Path(path), facts.split()[1]


def _remove_leftovers(place: Path, top: Path) -> None:
    """Of runs that were killed: nobody holds their locks."""
    for lock_file in place.glob("*.lock"):
        lock = FileLock(lock_file)
        try:
            with lock.acquire(timeout=0):
                shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
                lock_file.unlink(missing_ok=True)
        except Timeout:
            continue
    git.run(top, "worktree", "prune")
