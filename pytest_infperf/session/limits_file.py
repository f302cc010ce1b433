"""Messages about the file with the limits of a run, and about runs without limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from pytest_infperf.settings import THRESHOLDS_FILE, Settings
from pytest_infperf.suite.suite import Suite


def named(settings: Settings) -> str:
    """Return the text for pytest's header: the file with the limits, or that there is none."""
    if settings.thresholds is None:
        return f"no limits: {_missing(settings.root)}"
    return f"limits of {_short(settings.thresholds, settings.root)}"


def measured_without(suite: str, settings: Settings) -> str:
    """Return the sentence about a suite that was measured without judging a limit."""
    reason = f": {_missing(settings.root)}"
    if settings.thresholds:
        reason = f", none of {_short(settings.thresholds, settings.root)}"
    failing = "; the run fails because of --infperf-strict" if settings.strict else ""
    return f"no limit of {suite} was judged{reason}{failing}"


def left_aside(settings: Settings, suites: Sequence[Suite]) -> Iterator[str]:
    """Yield a sentence about each thresholds.toml near a suite that does not apply.

    There is none if --infperf-thresholds sets the file explicitly.
    """
    default = settings.root / THRESHOLDS_FILE
    if settings.thresholds not in (None, default):
        return
    nearest = dict.fromkeys(path for suite in suites if (path := _nearest(suite.folder)))
    for path in nearest:
        if not (settings.thresholds and path.samefile(settings.thresholds)):
            yield (
                f"{path} is not used: the limits are in {default}, in pytest's rootdir. "
                f"Run pytest in {path.parent}, or set the file with --infperf-thresholds"
            )


def _nearest(folder: Path) -> Path | None:
    paths = (above / THRESHOLDS_FILE for above in (folder, *folder.parents))
    return next((path for path in paths if path.is_file()), None)


def _missing(root: Path) -> str:
    others = [path.name for path in root.glob("*.toml")]
    near = get_close_matches(THRESHOLDS_FILE, others, 1, 0.8)
    hint = f", only {near[0]}" if near else ""
    return f"there is no {THRESHOLDS_FILE} in {root}{hint}"


def _short(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
