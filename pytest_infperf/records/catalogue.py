"""The measures of a suite: their names, units, directions, and the methods that measure them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_infperf.records.points import AT, GROWTH, at, base_of

Unit = Literal[
    "s", "bytes", "samples/s", "ratio", "fraction", "points", "usd", "",
    "requests/s", "requests/h", "cores", "J", "MB/h", "tokens/s", "tokens", "bits", "nats",
]  # fmt: skip
Need = Literal["baseline", "another revision", "a price", "a history"]
Method = Literal["latency", "throughput", "quality", "footprint", "sweep", "protocol", "load"]
LimitRule = Literal[
    "min", "max", "max_drop", "max_rise", "min_ratio", "max_ratio", "max_regression"
]


@dataclass(frozen=True)
class MeasureSpec:
    """The specification of a measure."""

    name: str
    unit: str
    higher_is_better: bool
    method: Method
    """The method of the `variant` fixture that measures it."""
    limits: tuple[LimitRule, ...] = ("min", "max")
    """The limits that thresholds.toml can set."""
    needs: Need | None = None
    """Additional requirement of the measure, besides the variant."""
    advisory: bool = False
    """Whether a broken limit gives a warning instead of failing the test."""

    def need_of(self, limit: LimitRule) -> Need | None:
        """Return the requirement for judging a limit with this rule."""
        if limit == "max_regression":
            return "another revision"
        return "baseline" if limit in _TO_BASELINE else self.needs

    @property
    def percentile(self) -> float | None:
        """The percentile as a fraction, 0.9 for `latency_p90`; None for other measures."""
        base = base_of(self.name)
        return percentile_of(base) if PERCENTILE.fullmatch(base) else None


PERCENTILE = re.compile(r"(?P<times>latency|ttft|tpot|itl)_p(?P<percent>\d{1,2}(?:\.\d+)?)")

REPORTED_PERCENTILES = ("latency_p50", "latency_p90", "latency_p95", "latency_p99")

TOKEN_TIMES = ("ttft", "tpot", "itl")
"""The times of generated tokens: time to first token, time per output token, inter-token latency;
see `measure.tokens`."""

TOKEN_RATIO_TIMES = ("ttft", "tpot")
"""The times of tokens that are compared in pairs."""


def with_token_ratios(ratio: str) -> tuple[str, ...]:
    """Return a ratio of latencies, such as `speedup`, and the same ratios of times of tokens."""
    return (ratio, *(f"{times}_{ratio}" for times in TOKEN_RATIO_TIMES))


PAIRED_MEASURES = frozenset((*with_token_ratios("speedup"), *with_token_ratios("regression")))
"""Ratios of times that are measured in pairs of blocks."""

AT_POINTS = (*REPORTED_PERCENTILES, "latency_mean", "latency_min", "latency_max", "throughput")
"""The measures at each point of a sweep, a protocol or a load."""

UNDER_LOAD = (
    "requests_per_hour",
    "error_rate",
    "cpu_usage",
    "peak_memory",
    "memory_growth",
    "energy_per_request",
    "estimated_energy_per_request",
    "cost_per_million",
    "highest_rate",
)
"""The additional measures of a load. Only the scenario Server has `highest_rate`, and only loads of
at least a minute have `memory_growth`."""

_TO_BASELINE: tuple[LimitRule, ...] = ("max_drop", "max_rise", "min_ratio", "max_ratio")
_AGAINST_BASELINE: tuple[LimitRule, ...] = ("min", "max", "min_ratio", "max_ratio")


def percentile_of(name: str) -> float:
    """Return the percentile of a measure as a fraction, 0.9 for `latency_p90`.

    Raises
    ------
    ValueError
        If the measure is not a percentile.
    """
    return float(_percentile(name)["percent"]) / 100


def times_of(name: str) -> str:
    """Return which times a measure is a percentile of, such as `ttft` for `ttft_p99`.

    Raises
    ------
    ValueError
        If the measure is not a percentile.
    """
    return _percentile(name)["times"]


def _percentile(name: str) -> re.Match[str]:
    if match := PERCENTILE.fullmatch(name):
        return match
    raise ValueError(f"{name} is not a percentile")


def percentiles_of(times: str) -> tuple[str, ...]:
    """Return the percentiles of some times that are always reported, such as `ttft_p50`."""
    return tuple(name.replace("latency", times) for name in REPORTED_PERCENTILES)


def _latency(name: str) -> MeasureSpec:
    return MeasureSpec(name, "s", False, "latency")


def _speedup(name: str) -> MeasureSpec:
    return MeasureSpec(name, "ratio", True, "latency", needs="baseline")


def _regression(name: str) -> MeasureSpec:
    return MeasureSpec(name, "fraction", False, "latency", ("max",), needs="another revision")


_FIXED = (
    *map(_latency, REPORTED_PERCENTILES),
    *map(_latency, ("latency_mean", "latency_min", "latency_max", "latency_first")),
    _latency("load_time"),
    _latency("model_time_p50"),
    _latency("cpu_time"),
    MeasureSpec("real_time_factor", "ratio", False, "latency"),
    _speedup("speedup"),
    _regression("regression"),
    MeasureSpec("trend", "fraction", False, "latency", ("max",), needs="a history", advisory=True),
    MeasureSpec("throughput", "samples/s", True, "throughput", _AGAINST_BASELINE),
    MeasureSpec("cost_per_million", "usd", False, "throughput", needs="a price"),
    MeasureSpec("agreement", "fraction", True, "quality", needs="baseline"),
    MeasureSpec("size", "bytes", False, "footprint", _AGAINST_BASELINE),
    MeasureSpec("fused_operators", "", True, "footprint"),
    MeasureSpec("peak_memory", "bytes", False, "footprint", _AGAINST_BASELINE),
    MeasureSpec("loaded_memory", "bytes", False, "footprint", _AGAINST_BASELINE),
)

_OF_TOKENS = (
    *(
        _latency(name)
        for times in TOKEN_TIMES
        for name in (*percentiles_of(times), f"{times}_mean")
    ),
    *(_speedup(f"{times}_speedup") for times in TOKEN_RATIO_TIMES),
    *(_regression(f"{times}_regression") for times in TOKEN_RATIO_TIMES),
    MeasureSpec("output_tokens_rate", "tokens/s", True, "latency"),
    MeasureSpec("prompt_tokens_rate", "tokens/s", True, "latency"),
    MeasureSpec("token_throughput", "tokens/s", True, "throughput", _AGAINST_BASELINE),
)
"""Times and rates that exist only for tasks whose models generate tokens."""

_OF_OUTPUT_TOKENS = (
    MeasureSpec("token_agreement", "fraction", True, "quality", needs="baseline"),
    MeasureSpec("first_difference", "tokens", True, "quality", needs="baseline"),
)
"""Qualities that exist only for tasks whose models generate tokens."""

_OF_TEXT = (
    MeasureSpec("perplexity", "", False, "quality", _AGAINST_BASELINE),
    MeasureSpec("bits_per_byte", "bits", False, "quality", _AGAINST_BASELINE),
    MeasureSpec("kl_divergence", "nats", False, "quality", needs="baseline"),
)

TEXT_MEASURES = tuple(spec.name for spec in _OF_TEXT)
"""The qualities of a task with a text for perplexity."""

_OF_SERVERS = (
    MeasureSpec("requests_per_hour", "requests/h", True, "load"),
    MeasureSpec("error_rate", "fraction", False, "load"),
    MeasureSpec("cpu_usage", "cores", False, "load"),
    MeasureSpec("memory_growth", "MB/h", False, "load"),
    MeasureSpec("energy_per_request", "J", False, "load"),
    MeasureSpec("estimated_energy_per_request", "J", False, "load"),
    MeasureSpec("highest_rate", "requests/s", True, "load"),
)
"""Measures that exist only under a load."""

_ALIKE_ON_ANY_HOST = PAIRED_MEASURES | {"trend", "size", "fused_operators"}
"""Measures that are ratios of times on one host, or properties of an artifact."""


def is_quality(name: str) -> bool:
    """Return whether a measure is a quality: a metric, or one such as `agreement`.

    Parameters
    ----------
    name : str
        The name of a measure, possibly at a point: `latency_p99@users=4`.
    """
    base = base_of(name)
    known = {spec.name: spec.method for spec in (*_FIXED, *_OF_TOKENS, *_OF_SERVERS)}
    is_other = PERCENTILE.fullmatch(base) or base == GROWTH
    return not is_other and known.get(base, "quality") == "quality"


def is_alike_on_any_host(name: str) -> bool:
    """Return whether a measure is independent of the speed and the size of the host.

    This is true of qualities, ratios of times on one host, and sizes of artifacts. It is not true
    of times, rates, memory, cores, energy, cost, and errors under a load.
    """
    base = base_of(name)
    return base in _ALIKE_ON_ANY_HOST or base == GROWTH or is_quality(name)


def quality_spec(
    name: str, unit: str, higher_is_better: bool, *, of_baseline: bool = False
) -> MeasureSpec:
    """Return the specification of a task's metric.

    Limits can also be relative to the scores of the baseline and the other revision, unless the
    metric compares outputs with the baseline's (`of_baseline`).
    """
    if of_baseline:
        return MeasureSpec(name, unit, higher_is_better, "quality", needs="baseline")
    against: LimitRule = "max_drop" if higher_is_better else "max_rise"
    return MeasureSpec(
        name, unit, higher_is_better, "quality", ("min", "max", against, "max_regression")
    )


class Catalogue:
    """The measures of one suite: the predefined measures, and the metrics of its task.

    Parameters
    ----------
    metrics : tuple of MeasureSpec
        The metrics of the task.
    points : mapping of str to str, optional
        The points of sweeps, protocols and loads, with their methods.
    sweeps : sequence of str, optional
        The parameters of the sweeps.
    generates : bool, default False
        Whether the models of the task generate tokens.
    scores_text : bool, default False
        Whether the task has a text for perplexity.
    tokens_at : collection of str, optional
        The points at which the times of tokens are measured.
    """

    def __init__(
        self,
        metrics: tuple[MeasureSpec, ...] = (),
        points: Mapping[str, Method] | None = None,
        sweeps: Sequence[str] = (),
        *,
        generates: bool = False,
        scores_text: bool = False,
        tokens_at: Collection[str] = (),
    ) -> None:
        self._tokens_at = frozenset(tokens_at)
        of_tokens = (*_OF_TOKENS, *_OF_OUTPUT_TOKENS) if generates else ()
        of_text = _OF_TEXT if scores_text else ()
        self._specs = {spec.name: spec for spec in (*_FIXED, *of_tokens, *of_text, *metrics)}
        self._times = ("latency", *TOKEN_TIMES) if generates else ("latency",)
        self._of_servers = {spec.name: spec for spec in _OF_SERVERS}
        self._points = points or {}
        self._growths = [at(GROWTH, parameter) for parameter in sweeps]

    def names(self) -> tuple[str, ...]:
        """Return the names of all measures without a point."""
        return (*self._specs, *self._growths)

    @property
    def points(self) -> tuple[str, ...]:
        """The names of all points."""
        return tuple(self._points)

    @property
    def loads(self) -> tuple[str, ...]:
        """The names of the loads."""
        return tuple(point for point, method in self._points.items() if method == "load")

    def measured_at(self, point: str) -> tuple[str, ...]:
        """Return the measures at a point, without additional percentiles."""
        of_tokens = (
            [spec.name for spec in _OF_TOKENS if spec.name not in PAIRED_MEASURES]
            if point in self._tokens_at
            else []
        )
        under_load = UNDER_LOAD if self._points.get(point) == "load" else ()
        return (*AT_POINTS, *under_load, *of_tokens)

    def get(self, name: str) -> MeasureSpec | None:
        """Return the specification of a measure; None if the suite has no such measure.

        Any percentile `latency_p..` between 0 and 100 is a measure, and `ttft_p..`, `tpot_p..` and
        `itl_p..` if models generate tokens. `growth` without a point refers to the suite's only
        sweep.
        """
        if name == GROWTH and len(self._growths) == 1:
            name = self._growths[0]
        if name in self._growths:
            return MeasureSpec(name, "", False, "sweep")
        base, _, point = name.partition(AT)
        spec = self._specs.get(base)
        percentile = PERCENTILE.fullmatch(base)
        is_known = percentile and percentile["times"] in self._times
        if spec is None and percentile and is_known and float(percentile["percent"]) > 0:
            spec = _latency(base)
        if not point:
            return spec
        spec = spec or self._of_servers.get(base)
        if not spec or point not in self._points:
            return None
        is_timed = percentile and (percentile["times"] == "latency" or point in self._tokens_at)
        if not (is_timed or base in self.measured_at(point)):
            return None
        method = self._points[point]
        return MeasureSpec(name, spec.unit, spec.higher_is_better, method, needs=spec.needs)
