"""git's commands, in the folder that is named and no other repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_OF_ONE_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""What git sets for its hooks: left as they are, they would lead a command to another tree."""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Raises OSError without git."""
    environment = {k: v for k, v in os.environ.items() if k not in _OF_ONE_REPOSITORY}
    # Hooks of the user's, such as one that installs packages after a checkout, are not for this.
    command = ["git", "-c", f"core.hooksPath={os.devnull}", "-C", str(folder), *words]
    return subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        stdin=subprocess.DEVNULL,
        check=False,
    )
