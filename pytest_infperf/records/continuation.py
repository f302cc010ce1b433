"""The check that results on disk can be continued: they must be results of the same settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError


def check_same(path: Path, what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that the results at a path have the settings of this run.

    Parameters
    ----------
    path : Path
        The file or folder of the results, which the option `--out` names.
    what : str
        What the results are of, such as "study".
    before : Mapping
        The settings at the path, as read from JSON.
    now : Mapping
        The settings of this run.

    Raises
    ------
    UserError
        If a setting differs; the message names it.
    """
    now = json.loads(json.dumps(now))
    for name in {**now, **before}:
        if before.get(name) != now.get(name):
            kind = "folder" if path.is_dir() else "file"
            raise UserError(
                f"{path} contains another {what}: {name} was {before.get(name)!r} and is "
                f"{now.get(name)!r} now. Use another {kind} with --out, or remove this one"
            )
