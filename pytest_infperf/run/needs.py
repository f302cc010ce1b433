"""What gates need besides the variant, and whether this run has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_infperf.records.catalogue import Need

NO_PRICE = (
    "cost_per_million is not judged: the price of this host is not known. Name its "
    "type with INFPERF_INSTANCE, and a table with its price with --infperf-prices"
)
NO_PRICE_OF_ADDRESS = (
    "cost_per_million of {variant} is not judged: the price of what answers at the address is not "
    "known. Name it with Endpoint(..., usd_per_hour=...)"
)


@dataclass(frozen=True)
class AvailableNeeds:
    """What the gates of a variant can use in this run."""

    has_other_revision: bool
    no_price: str
    """Notice that the price is not known; empty if it is."""
    past: Callable[[str], Sequence[float]]
    """Returns the values of a measure in earlier runs."""
    notice: Callable[[str], None]
    """Callback for notices that do not stop the run."""

    def lacks(self, need: Need) -> bool:
        """Return whether a need is not met, so that gates with it are left out."""
        match need:
            case "another revision":
                return not self.has_other_revision
            case "a history":
                return not self.past("latency_p50")
            case "a price" if self.no_price:
                self.notice(self.no_price)
                return True
        return False
