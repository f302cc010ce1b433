"""The measures of one method of a variant, with what the gates need to judge them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_infperf.records.measure import Measure


@dataclass(frozen=True)
class Processes:
    """The pairs of processes that a paired ratio comes from."""

    count: int
    """The number of pairs of processes."""
    freedom: float
    """The degrees of freedom of the interval; one more for each further pair of processes."""
    seconds_each: float
    """Time that one more pair of processes takes with its pairs of blocks, in seconds."""


@dataclass(frozen=True)
class Measured:
    """Measures with intervals, and what gates need to judge them."""

    measures: Mapping[str, Measure] = field(default_factory=dict)
    """The measures by name."""
    baseline: Mapping[str, Measure] = field(default_factory=dict)
    """The measures of the baseline, for ratios of quantities that are not measured in pairs."""
    differences: Mapping[str, Measure] = field(default_factory=dict)
    """Scores of the variant minus those of the baseline, with the paired interval."""
    changes: Mapping[str, Measure] = field(default_factory=dict)
    """Scores of this revision minus those of the other one, with the paired interval."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """The reasons why measures could not be taken, by measure."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """The reasons why metrics have no score for the outputs, by metric; without a limit that
    cannot be judged they are errors."""
    times_s: Sequence[float] = ()
    """The latencies in seconds and in their order, for percentiles against a limit."""
    confidence: float = 0.99
    """The confidence of this look: the suite's error is shared among all possible looks."""
    passing: Mapping[str, float] = field(default_factory=dict)
    """The confidence for being under a limit at this look, by percentile, where it differs."""
    seconds: float = 0.0
    """Measuring time of these values, in seconds."""
    doubt: str = ""
    """Why the values may be those of something else, for which no limit passes."""
    not_finite: str = ""
    """What is wrong with outputs that are not finite, for which every gate on quality fails."""
    baseline_not_finite: str = ""
    """The same of the outputs of the baseline, for which no gate that compares with it passes."""
    remark: str = ""
    """What the sentence of a verdict should say about how the values were measured."""
    processes: Processes | None = None
    """The pairs of processes, if the values come from such."""
    whole_set: bool = False
    """Whether the whole test set was scored, so that the quality is exact."""
