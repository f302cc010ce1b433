"""Conditions of gates, such as a price or another revision, and whether this run meets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_infperf.records.catalogue import Need

NO_PRICE = (
    "cost_per_million is not judged: the price of this host is not known. Set its "
    "type with INFPERF_INSTANCE, or its price in a table given with --infperf-prices"
)
NO_PRICE_OF_ADDRESS = (
    "cost_per_million of {variant} is not judged: the price of the endpoint's server is not known. "
    "Set it with Endpoint(..., usd_per_hour=...)"
)


@dataclass(frozen=True)
class AvailableNeeds:
    """What the gates of a variant can use in this run."""

    has_other_revision: bool
    no_price: str
    """Notice that the price is not known; empty if the price is known."""
    past: Callable[[str], Sequence[float]]
    """Returns the values of a measure in earlier runs."""
    notice: Callable[[str], None]
    """Callback for notices that do not stop the run."""

    def lacks(self, need: Need) -> bool:
        """Return whether a need is not met, in which case its gates are left out."""
        match need:
            case "another revision":
                return not self.has_other_revision
            case "a history":
                return not self.past("latency_p50")
            case "a price" if self.no_price:
                self.notice(self.no_price)
                return True
        return False
