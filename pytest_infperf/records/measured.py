"""What one method of a variant found: values with their intervals, on their way to the gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_infperf.records.record import Measure


@dataclass(frozen=True)
class Measured:
    measures: Mapping[str, Measure] = field(default_factory=dict)
    baseline: Mapping[str, Measure] = field(default_factory=dict)
    """The baseline's measures, for ratios of things that do not vary."""
    differences: Mapping[str, Measure] = field(default_factory=dict)
    """Quality, variant minus baseline, with the paired interval."""
    changes: Mapping[str, Measure] = field(default_factory=dict)
    """Quality, this revision minus the other, with the paired interval."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """By measure, why it could not be measured."""
    times_s: Sequence[float] = ()
    """Latencies of single queries, for percentiles against a limit."""
    confidence: float = 0.99
    """Of this look: what is left of the suite's after sharing it among the possible looks."""
    passing: Mapping[str, float] = field(default_factory=dict)
    """By percentile the confidence of being under a limit at this look, where it is another."""
    seconds: float = 0.0
    """Measuring time behind these values."""
    doubt: str = ""
    """Why these values may be of something else: no limit passes then."""
    whole_set: bool = False
    """Scored on the whole test set: its quality is known, not estimated."""
