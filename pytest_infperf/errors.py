"""Errors and warnings for users. Their messages name the cause, its place and the remedy."""

from __future__ import annotations

import sys
from typing import Any


class UserError(Exception):
    """An error that the user can correct, in data, a model or a setting."""


class BuildError(UserError):
    """An artifact could not be built."""


class WorkerError(Exception):
    """A worker or a server died, did not respond in time, or sent an invalid response.

    The message ends with the last output of the process.
    """


class GateBroken(AssertionError):
    """A limit in thresholds.toml is broken, or could not be judged."""


class InconclusiveGate(UserWarning):
    """A limit could not be judged, and the thresholds ask for a warning in that case."""


class AdvisoryGate(UserWarning):
    """An advisory limit is broken; no test fails."""


def check_platform() -> None:
    """Raise UserError on Windows, where workers cannot be paused."""
    if sys.platform == "win32":
        raise UserError(
            "pytest-infperf does not run on Windows: it pauses processes with POSIX signals. Use "
            "Linux, macOS, or the Windows Subsystem for Linux (WSL)"
        )


_BRIEF = 200


def first_line(error: Exception) -> str:
    """Return the first line of an error of a library, whose others are often its stack."""
    return str(error).strip().partition("\n")[0]


def brief(error: Exception) -> str:
    """Return the first line of an error of a library, cut to 200 characters."""
    line = first_line(error)
    return line if len(line) <= _BRIEF else f"{line[:_BRIEF]}..."


def meant_for_the_user(raised: Any) -> bool:
    """Return whether an error's message contains all that the user needs.

    As the value of `__tracebackhide__` this hides the package's own frames from pytest's
    tracebacks.
    """
    return isinstance(raised.value, (UserError, WorkerError, GateBroken))


class HardwareMissing(UserError):
    """This host lacks what a variant runs on, such as a GPU; its tests are skipped."""


class NotForVariant(UserError):
    """A suite has nothing to measure for this variant in this test; the test is skipped."""
