"""What went wrong, for the person who can mend it: each message names the thing and the remedy."""

from __future__ import annotations

from typing import Any


class UserError(Exception):
    """Something outside this package has to be mended: data, a model, a setting."""


class BuildError(UserError):
    """An artifact could not be built."""


class WorkerError(Exception):
    """A worker died, hung, or answered nonsense; the message has its last words."""


class GateBroken(AssertionError):
    """A limit of thresholds.toml is broken, or could not be judged."""


class InconclusiveGate(UserWarning):
    """A limit could not be judged, and the suite only wants to be told."""


class AdvisoryGate(UserWarning):
    """A limit that only advises is broken."""


def meant_for_the_user(raised: Any) -> bool:
    """For `__tracebackhide__`: our frames tell the user nothing where the message says it all."""
    return isinstance(raised.value, (UserError, WorkerError, GateBroken))


class HardwareMissing(UserError):
    """This host lacks what a variant runs on, such as a GPU: its tests are skipped."""


class NotForVariant(UserError):
    """A suite has nothing to measure for this variant here: the test is skipped."""
