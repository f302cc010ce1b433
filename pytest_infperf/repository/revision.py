"""The measured revision of the user's repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_infperf.repository import git


def revision(
    root: Path, on_refusal: Callable[[str], None] = lambda message: None
) -> dict[str, Any] | None:
    """Return the commit, the branch, and whether tracked files have changed.

    None outside a repository, without git, and if git refuses the repository or exceeds the time
    limit; `on_refusal` is called with the reason in the last two cases. Untracked files are
    ignored, because a run writes some itself. The commit is None if there is no commit yet. The
    branch is None if HEAD is detached, as in most CI services.
    """
    status = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    lines = git.ask(root, *status, time_limit_s=git.TIME_LIMIT_S).splitlines()
    if not lines:
        if words := git.refusal(root):
            on_refusal(f"the commit is not recorded, because git does not read {root}: {words}")
        return None
    headers = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    commit, branch = headers.get("branch.oid"), headers.get("branch.head", "")
    printable = branch.encode(errors="surrogateescape").decode(errors="replace")
    return {
        "commit": None if commit == "(initial)" else commit,
        "branch": None if printable in ("", "(detached)") else printable,
        "dirty": any(not line.startswith("#") for line in lines),
    }
