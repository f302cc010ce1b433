"""Calls of git in a given folder, without hooks or optional locks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

TIME_LIMIT_S = 10.0
"""Time limit for a command that only reads local metadata, in seconds."""

_REPOSITORY_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""Variables that git sets for its hooks; they would redirect a command to another tree."""

_NO_REPOSITORY = "not a git repository (or any"
"""Part of git's message about a folder outside a repository."""

_OPTIONS = (
    # Otherwise, a status that refreshes the index may conflict with the user's git.
    "--no-optional-locks",
    # A user's hook may, for example, install packages after a checkout.
    "-c",
    f"core.hooksPath={os.devnull}",
)


def run(
    folder: Path, *arguments: str, time_limit_s: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a git command in a folder, and return its exit code and output.

    Bytes that are not UTF-8, such as those of file names, become surrogates. Raises OSError if git
    cannot be started and subprocess.TimeoutExpired if it takes longer than the time limit.
    """
    done = run_bytes(folder, *arguments, time_limit_s=time_limit_s)
    return subprocess.CompletedProcess(
        done.args, done.returncode, _text(done.stdout), _text(done.stderr)
    )


def run_bytes(
    folder: Path,
    *arguments: str,
    given: bytes = b"",
    variables: Mapping[str, str] | None = None,
    time_limit_s: float | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a git command as in `run`, with standard input and output as bytes.

    Parameters
    ----------
    folder : Path
        The folder in which git runs.
    *arguments : str
        The command and its arguments.
    given : bytes
        The standard input.
    variables : mapping of str to str, optional
        Environment variables in addition to those of this process.
    time_limit_s : float, optional
        The time limit, in seconds.
    """
    environment = {k: v for k, v in os.environ.items() if k not in _REPOSITORY_VARIABLES}
    environment["LC_ALL"] = "C"  # `refusal` reads git's messages
    return subprocess.run(
        ["git", *_OPTIONS, "-C", str(folder), *arguments],
        env={**environment, **(variables or {})},
        capture_output=True,
        input=given,
        timeout=time_limit_s,
        check=False,
    )


def _text(output: bytes) -> str:
    text = output.decode("utf-8", "surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def ask(folder: Path, *arguments: str, time_limit_s: float | None = None) -> str:
    """Return the output of a git command, without the last line break.

    The output is empty if the command fails or exceeds the time limit, or if git is missing.
    """
    try:
        done = run(folder, *arguments, time_limit_s=time_limit_s)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else done.stdout.removesuffix("\n")


def refusal(folder: Path) -> str:
    """Return git's message if it refuses to read the repository that contains a folder.

    The text is empty if git reads the repository, if the folder is not in a repository, and if git
    is missing. For example, git refuses a repository that belongs to another user, as in the
    container of a CI job, unless it is listed in `safe.directory`.
    """
    try:
        done = run(folder, "rev-parse", "--git-dir", time_limit_s=TIME_LIMIT_S)
    except FileNotFoundError:
        return ""
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    message = " ".join(done.stderr.split())
    no_repository = _NO_REPOSITORY in message or not folder.is_dir()
    return "" if not done.returncode or no_repository else message


def commit_id(folder: Path, name: str) -> str:
    """Return the full id of a commit from any name of it; empty if there is no such commit."""
    verify = ("rev-parse", "--verify", "--quiet", "--end-of-options")
    return ask(folder, *verify, f"{name}^{{commit}}")
