"""What one method of a variant found: values with their intervals, on their way to the gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_infperf.record import Measure


@dataclass(frozen=True)
class Measured:
    measures: Mapping[str, Measure] = field(default_factory=dict)
    baseline: Mapping[str, Measure] = field(default_factory=dict)
    """The baseline's measures, for ratios of things that do not vary."""
    differences: Mapping[str, Measure] = field(default_factory=dict)
    """Quality, variant minus baseline, with the paired interval."""
    times_s: Sequence[float] = ()
    """Latencies of single queries, for percentiles against a limit."""
    confidence: float = 0.99
    """Of this look: what is left of the suite's after sharing it among the possible looks."""
    seconds: float = 0.0
    """Measuring time behind these values."""
    whole_set: bool = False
    """Scored on the whole test set: its quality is known, not estimated."""
