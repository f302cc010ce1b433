"""Errors and warnings for users. Their messages name the cause, its place and the remedy."""

from __future__ import annotations

import sys
from collections.abc import Iterable
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
_SHOWN_OF_ANSWER = 300


def first_line(error: Exception) -> str:
    """Return the first line of an error of a library, whose others are often its stack."""
    return str(error).strip().partition("\n")[0]


def brief(error: Exception) -> str:
    """Return the first line of an error of a library, cut to 200 characters."""
    line = first_line(error)
    return line if len(line) <= _BRIEF else f"{line[:_BRIEF]}..."


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return a text with each secret replaced by `***`; a secret comes before its parts."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def start_of_answer(text: str, secrets: Iterable[str]) -> str:
    """Return the start of a server's answer, cut to 300 characters, without secrets.

    They are replaced before the text is cut, so that no part of one remains.
    """
    shown = without_secrets(text, secrets).strip()
    return shown if len(shown) <= _SHOWN_OF_ANSWER else f"{shown[:_SHOWN_OF_ANSWER]}..."


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
