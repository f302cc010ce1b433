"""The measures and variants of saved runs that options select by globs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from pytest_infperf.errors import UserError

_MAX_LISTED = 12


def matches(name: str, glob: str) -> bool:
    """Return whether a measure or a variant has that name or matches that glob.

    The name of a parametrised test has brackets, which mean something else in a glob.
    """
    return name == glob or fnmatchcase(name, glob)


def require_matches(option: str, globs: Iterable[str], names: Collection[str]) -> None:
    """Raise UserError for a glob of an option that matches none of the names."""
    for glob in globs:
        if any(matches(name, glob) for name in names):
            continue
        if near := get_close_matches(glob.replace("*", ""), names, 1):
            hint = f"did you mean {near[0]}?"
        else:
            listed = sorted(names)
            more = ", ..." if len(listed) > _MAX_LISTED else ""
            hint = f"the saved runs have {', '.join(listed[:_MAX_LISTED])}{more}"
        raise UserError(f"{option} {glob}: no saved run has it; {hint}")
