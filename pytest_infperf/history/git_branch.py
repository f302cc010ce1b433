"""A branch of the user's repository as a remote storage of saved runs.

The working tree, the index and the local branches do not change: the commits are made from a
temporary index and pushed to the remote `origin`.
"""

from __future__ import annotations

import random
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_infperf.errors import UserError
from pytest_infperf.history.transfer import digest_of
from pytest_infperf.repository import git

_REMOTE = "origin"
_TIME_LIMIT_S = 300.0
_TRIES = 10
_MAX_WAIT_S = 2.0
"""Longest waiting time before a retry, in seconds."""
_OTHER_FILES = frozenset({"README.md", ".gitattributes", ".gitignore"})
_AUTHOR = {
    f"GIT_{role}_{name}": value
    for role in ("AUTHOR", "COMMITTER")
    for name, value in (("NAME", "pytest-infperf"), ("EMAIL", "pytest-infperf@localhost"))
}


class GitBranch:
    """A branch that contains only saved runs.

    Parameters
    ----------
    name : str
        The name of the branch.
    folder : Path
        A folder of the repository.

    Raises
    ------
    UserError
        If the folder is not in a repository, or the name is not a valid branch name.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder
        if not git.ask(folder, "rev-parse", "--git-dir"):
            reason = git.refusal(folder) or f"{folder} is not in a git repository"
            raise UserError(f"{self}: {reason}")
        invalid = name.startswith("-") or self._run("check-ref-format", self._ref).returncode
        if not name or invalid:
            raise UserError(f"{self}: {name!r} is not a valid name of a branch")

    def __str__(self) -> str:
        return f"git+branch:{self._name}"

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self._name}"

    def names(self) -> Iterable[str]:
        """Return the paths of all files; none if the branch does not exist yet."""
        return self._names(self._tip())

    def download(self, name: str) -> bytes:
        """Return the content of a file."""
        return self._output("cat-file", "blob", f"{self._tip()}:{name}")

    def upload(self, files: Mapping[str, Path]) -> None:
        """Add files in one commit.

        If another host pushed in the meantime, the commit is made again on top of the new one.
        """
        blobs = {
            name: self._output("hash-object", "-w", "--no-filters", str(path.absolute())).decode()
            for name, path in files.items()
        }
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(random.uniform(0, _MAX_WAIT_S))
            tip = self._tip(renew=True)
            there = {*self._names(tip)}
            new = {name: blob.strip() for name, blob in blobs.items() if name not in there}
            if not new:
                return
            commit = self._commit(tip, new)
            pushed = self._run("push", "--quiet", _REMOTE, f"{commit}:{self._ref}")
            if not pushed.returncode:
                return
            if self._tip(renew=True) == tip and b"cannot lock ref" not in pushed.stderr:
                break
        raise UserError(f"{self}: the branch could not be pushed: {_words(pushed.stderr)}")

    def _commit(self, tip: str, blobs: Mapping[str, str]) -> str:
        """Return the id of a new commit that adds files to those of a commit."""
        with tempfile.TemporaryDirectory(prefix="infperf-index-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
            self._output("read-tree", *([tip] if tip else ["--empty"]), variables=index)
            entries = "".join(f"100644 {blob}\t{name}\0" for name, blob in blobs.items())
            self._output(
                "update-index", "-z", "--add", "--index-info",
                given=entries.encode("utf-8", "surrogateescape"), variables=index,
            )  # fmt: skip
            tree = self._output("write-tree", variables=index).decode().strip()
        # A push by a CI job must not start another one.
        message = f"Add {len(blobs)} saved run{'s' if len(blobs) > 1 else ''} [skip ci]"
        parents = ["-p", tip] if tip else []
        made = self._output("commit-tree", tree, *parents, "-m", message, variables=_AUTHOR)
        return made.decode().strip()

    _known_tip: str | None = None

    def _tip(self, *, renew: bool = False) -> str:
        """Return the last commit of the branch and fetch its objects; empty without a branch."""
        if self._known_tip is None or renew:
            listed = self._output("ls-remote", _REMOTE, self._ref).decode().splitlines()
            # git also lists references whose names end with this one.
            commits = (line.split("\t") for line in listed)
            tip = next((commit for commit, ref in commits if ref == self._ref), "")
            if tip and self._run("cat-file", "-e", f"{tip}^{{tree}}").returncode:
                self._output(
                    "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", _REMOTE, self._ref
                )
            self._known_tip = tip
        return self._known_tip

    def _names(self, tip: str) -> list[str]:
        """Return the paths in a commit. Raises UserError if the branch contains other files."""
        if not tip:
            return []
        listed = self._output("ls-tree", "-r", "-z", "--name-only", tip)
        names = listed.decode("utf-8", "surrogateescape").split("\0")[:-1]
        for name in names:
            if not digest_of(name) and name not in _OTHER_FILES:
                raise UserError(
                    f"{self}: the branch contains other files, such as {name}; use a branch for "
                    "the history only"
                )
        return names

    def _output(
        self, *arguments: str, given: bytes = b"", variables: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the output of a git command. Raises UserError with its message if it fails."""
        done = self._run(*arguments, given=given, variables=variables)
        if done.returncode:
            raise UserError(f"{self}: git {arguments[0]} failed: {_words(done.stderr)}")
        return done.stdout

    def _run(
        self, *arguments: str, given: bytes = b"", variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return git.run_bytes(
                self._folder,
                *arguments,
                given=given,
                variables={"GIT_TERMINAL_PROMPT": "0", **(variables or {})},
                time_limit_s=_TIME_LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            raise UserError(
                f"{self}: git {arguments[0]} took longer than {_TIME_LIMIT_S:.0f} s"
            ) from None
        except OSError as error:
            raise UserError(f"{self}: git cannot be started ({error.strerror or error})") from error


def _words(message: bytes) -> str:
    """Return a message of git in one line, without the credentials in addresses."""
    text = " ".join(message.decode("utf-8", "replace").split())
    return re.sub(r"://[^/@\s]+@", "://***@", text)
