"""Which revision of the user's repository was measured."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

TIME_LIMIT_S = 10


def revision(root: Path) -> dict[str, Any] | None:
    """Commit, branch and whether tracked files were changed; None outside a repository.

    Files that git does not track are no change: a run writes some itself. The commit is null
    before the first one, the branch is null when none is checked out, as CI services do.
    """
    # Without --no-optional-locks, a status could take the lock from under a git that runs beside.
    command = ["git", "--no-optional-locks", "-C", str(root), "status", "--porcelain=v2"]
    try:
        answer = subprocess.run(
            [*command, "--branch", "--untracked-files=no"],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=TIME_LIMIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = answer.stdout.splitlines()
    headers = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    commit, branch = headers.get("branch.oid"), headers.get("branch.head")
    return {
        "commit": None if commit == "(initial)" else commit,
        "branch": None if branch == "(detached)" else branch,
        "dirty": any(not line.startswith("#") for line in lines),
    }
