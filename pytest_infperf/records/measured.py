"""The measures of one method of a variant, with the data for judging them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_infperf.records.catalogue import times_of
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.points import base_of


@dataclass(frozen=True)
class Processes:
    """The pairs of processes of a paired ratio."""

    count: int
    """The number of pairs of processes."""
    freedom: float
    """The degrees of freedom of the interval; one more for each further pair of processes."""
    seconds_each: float
    """Time of a further pair of processes with its pairs of blocks, in seconds."""


@dataclass(frozen=True)
class Measured:
    """Measures with intervals, and the data for judging them."""

    measures: Mapping[str, Measure] = field(default_factory=dict)
    """The measures by name."""
    baseline: Mapping[str, Measure] = field(default_factory=dict)
    """The measures of the baseline, for ratios of quantities that are not measured in pairs."""
    ratios: Mapping[str, Measure] = field(default_factory=dict)
    """Ratios to the values of the baseline, with the paired interval."""
    differences: Mapping[str, Measure] = field(default_factory=dict)
    """Scores of the variant minus those of the baseline, with the paired interval."""
    changes: Mapping[str, Measure] = field(default_factory=dict)
    """Scores of this revision minus those of the other one, with the paired interval."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """The reasons why measures are missing, by measure."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """The reasons why metrics are not defined for the outputs, by metric; they are errors unless
    the metric has a limit, which then cannot be judged."""
    times_s: Sequence[float] = ()
    """The latencies in seconds, in the order of measurement, for limits on percentiles."""
    token_times_s: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """The same for the times of tokens: `ttft`, `tpot` and `itl`."""
    confidence: float = 0.99
    """The confidence of this look; the suite's error is shared by all possible looks."""
    passing: Mapping[str, float] = field(default_factory=dict)
    """The confidence for passing at this look, by percentile, if it differs."""
    seconds: float = 0.0
    """Measuring time of these values, in seconds."""
    doubt: str = ""
    """The reason why the values may not describe the variant; no limit passes then."""
    not_finite: str = ""
    """Description of outputs that are not finite; every gate on quality fails then."""
    baseline_not_finite: str = ""
    """The same for the baseline's outputs; no gate that compares with the baseline passes then."""
    remark: str = ""
    """A remark about the measurement for the sentence of a verdict."""
    processes: Processes | None = None
    """The pairs of processes of a paired ratio."""
    whole_set: bool = False
    """Whether the whole test set was scored, so that the quality is exact."""

    def times_of(self, percentile: str) -> Sequence[float]:
        """Return the times, in seconds, of which a measure is a percentile."""
        times = times_of(base_of(percentile))
        return self.times_s if times == "latency" else self.token_times_s.get(times, ())
