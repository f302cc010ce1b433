"""What a gate needs beside the variant itself, and whether this run has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_infperf.records.catalogue import Need

_NO_PRICE = (
    "cost_per_million is not judged: what this host costs is not known. Name its "
    "type with INFPERF_INSTANCE, and a table that has it with --infperf-prices"
)


@dataclass(frozen=True)
class AvailableNeeds:
    """The needs that a variant's gates can count on in this run."""

    has_other_revision: bool
    has_price: bool
    past: Callable[[str], Sequence[float]]
    """Returns a measure's values in earlier runs."""
    notice: Callable[[str], None]
    """Callback for notices that do not stop the run."""

    def lacks(self, need: Need) -> bool:
        """Return whether gates with that need are left out."""
        match need:
            case "another revision":
                return not self.has_other_revision
            case "a history":
                return not self.past("latency_p50")
            case "a price" if not self.has_price:
                self.notice(_NO_PRICE)
                return True
        return False
