"""Paired ratios: blocks of two workers on the same inputs, in random order.

For pair i, d_i is the logarithm of the variant's time divided by the time of the other worker. The
time is that of whole queries and, for generated text, also the time to the first token and the time
per output token. Both
processes are restarted during the measurement, and the interval of the centre of d includes the
variation between pairs and between processes (see `stats.processes`). The speed-up against the
baseline is exp(-d). The regression against the same variant at another revision is exp(d) - 1.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, exp, expm1, log
from time import perf_counter
from typing import Literal, Protocol

from pytest_infperf import errors
from pytest_infperf.measure.blocks import LEAST_BLOCK_NS, SecondChances
from pytest_infperf.measure.budget import Budget, Remaining
from pytest_infperf.measure.tokens import arrive_together
from pytest_infperf.records.catalogue import TOKEN_RATIO_TIMES
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured, Processes
from pytest_infperf.stats import sequential
from pytest_infperf.stats.processes import CAUTIOUS, Centre, Prior, centre
from pytest_infperf.worker.messages import BlockDone
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user

_LEAST_PAIRS = 6
"""Minimum number of pairs per pair of processes; twice as many if the first look has only one pair
of processes. They run on the same cores, because a change of cores slows the next block of a small
model."""
_FIRST_PROCESSES = 3
"""Number of pairs of processes before the first look, if they start fast enough."""
_CHEAP_START = 1 / 3
"""Maximum start time of these processes, as a fraction of the budget."""
_LEAST_INPUTS = 3
"""Minimum number of inputs of a pair, because the ratio depends on the input."""
_MOST_INPUTS = 64
"""Maximum number of inputs of a pair."""
_SLICE_NS = 4_000_000
"""Duration of a slice, in nanoseconds. Disturbances of a shared host come in bursts of any length.
Frequent alternation of the sides distributes them evenly; each change costs 1 to 2 ms for waking
and warming up."""


class Pairs(Protocol):
    """The pairs so far, and methods to measure more."""

    by_process: list[list[float]]
    """The log ratios of the pairs of each pair of processes, the current one last."""
    token_ratios: dict[str, list[list[float]]]
    """The same for times of tokens, `ttft` and `tpot`; empty if they are not known."""
    seconds: float
    """Measuring time so far, including the start of processes, in seconds."""
    start_s: float
    """Expected time of starting a pair of processes, in seconds."""

    def measure(self) -> None:
        """Measure another pair. A disturbed pair counts in `seconds`, but its ratio is dropped."""

    def renew(self) -> None:
        """Replace both processes."""


@dataclass
class WorkerPairs:
    """Pairs of blocks of two workers, run in alternating slices in random order.

    Parameters
    ----------
    baseline, variant : VariantWorker
        The two workers.
    order : iterator of int
        The numbers of the samples, in the order in which they are run.
    rng : random.Random
        The source of the random order of the two sides.
    """

    baseline: VariantWorker
    variant: VariantWorker
    order: Iterator[int]
    rng: random.Random
    by_process: list[list[float]] = field(default_factory=lambda: [[]])
    token_ratios: dict[str, list[list[float]]] = field(default_factory=dict)
    chances: SecondChances = field(default_factory=SecondChances)
    seconds: float = 0.0
    start_s: float = field(init=False)
    shape: _Shape | None = None

    def __post_init__(self) -> None:
        self.start_s = max(self.baseline.load_s, self.variant.load_s)

    def measure(self) -> None:
        self.shape = self.shape or self._fitting_shape()
        start = perf_counter()
        queries = [[next(self.order)] for _ in range(self.shape.inputs)]
        sides = {"variant": self.variant, "baseline": self.baseline}
        slices: dict[str, list[BlockDone]] = {name: [] for name in sides}
        turn = (self.chances.measured + self.chances.again) // _LEAST_PAIRS
        for _ in range(self.shape.slices):
            for name in self.rng.sample(list(sides), 2):
                done = sides[name].run(queries, least_ns=self.shape.slice_ns, turn=turn)
                slices[name].append(done)
        variant, baseline = (_joined(slices[name]) for name in sides)
        if self.chances.take(baseline, variant):
            times, other_times = (
                _undisturbed(slices[name], self.shape.inputs) for name in ("variant", "baseline")
            )
            self.by_process[-1].append(log(times["latency"] / other_times["latency"]))
            for name in TOKEN_RATIO_TIMES:
                if name in times and name in other_times:
                    self._of_tokens(name).append(log(times[name] / other_times[name]))
        self.seconds += perf_counter() - start

    def _of_tokens(self, name: str) -> list[float]:
        """Return the log ratios of the current pair of processes for a time of tokens."""
        by_process = self.token_ratios.setdefault(name, [])
        by_process += [[] for _ in range(len(self.by_process) - len(by_process))]
        return by_process[-1]

    def renew(self) -> None:
        start = perf_counter()
        sides = self.rng.sample((self.baseline, self.variant), 2)
        try:
            for side in sides:
                side.restart()
            for side in sides:
                side.finish_restart()
        except BaseException:  # otherwise the next request would get a late answer to this one
            for side in sides:
                side.close()
            raise
        self.start_s = perf_counter() - start
        self.seconds += self.start_s
        self.by_process.append([])

    def _fitting_shape(self) -> _Shape:
        """Choose the shape of pairs from a first block of each side, which is not counted."""
        number = next(self.order)
        slowest = max(
            _mean_ns(side.run([[number]], least_ns=LEAST_BLOCK_NS))
            for side in (self.baseline, self.variant)
        )
        inputs = min(_MOST_INPUTS, max(_LEAST_INPUTS, ceil(_SLICE_NS / slowest)))
        slices = max(1, round(LEAST_BLOCK_NS / (inputs * slowest)))
        return _Shape(inputs, slices, LEAST_BLOCK_NS // slices)


@dataclass(frozen=True)
class _Shape:
    """The shape of a pair: its two blocks run in alternating slices."""

    inputs: int
    """The number of inputs; each slice runs all of them, repeatedly if its duration allows."""
    slices: int
    """The number of slices of a block."""
    slice_ns: int
    """The duration of a slice, in nanoseconds."""


Ratio = Literal["speedup", "regression"]
_QUANTITIES: dict[Ratio, tuple[str, Callable[[float], float]]] = {
    "speedup": ("ratio", lambda d: exp(-d)),
    "regression": ("fraction", expm1),
}
"""The unit of each ratio, and the function that computes it from a log ratio."""


def measure_ratio(
    name: Ratio,
    pairs: Pairs,
    *,
    budget: Budget,
    confidence: float,
    remaining: Remaining,
    prior: Prior = CAUTIOUS,
) -> Measured:
    """Measure pairs until all gates are decided or the budget is spent.

    Parameters
    ----------
    name : str
        The measure. The speed-up is the other side's time divided by the variant's. The regression
        is the relative increase in the variant's time, negative if it is faster.
    pairs : Pairs
        The pairs of the variant and the other side.
    budget : Budget
        Measuring time.
    confidence : float
        The confidence of the verdict; its error is shared by the looks.
    remaining : callable
        Returns the seconds that would decide every gate.
    prior : Prior
        Prior knowledge of the difference between processes of the same code.
    """
    unit, of_log_ratio = _QUANTITIES[name]
    _measure_until(_LEAST_PAIRS, pairs)
    starts_s = (_FIRST_PROCESSES - 1) * pairs.start_s
    fits = starts_s + _FIRST_PROCESSES * pairs.seconds <= budget.own_s
    if fits and starts_s <= _CHEAP_START * budget.own_s:
        for _ in range(_FIRST_PROCESSES - 1):
            pairs.renew()
            _measure_until(_LEAST_PAIRS, pairs)
    else:
        _measure_until(2 * _LEAST_PAIRS, pairs)
    known = centre(pairs.by_process, prior)
    looks = sequential.look_times(pairs.seconds, budget.own_s, budget.most_s)
    confidences = sequential.spending_confidences(looks, confidence)
    for look_s, share in zip(looks, confidences, strict=True):
        while pairs.seconds < look_s:
            if _is_renewal_due(pairs, known, budget.most_s):
                pairs.renew()
            pairs.measure()
        known = _centre(pairs.by_process, prior)
        centres = {name: known} | {
            f"{times}_{name}": _centre(by_process, prior)
            for times, by_process in pairs.token_ratios.items()
        }
        measures = {}
        for measure, its_centre in centres.items():
            low, high = sorted(map(of_log_ratio, its_centre.interval(share)))
            estimate = of_log_ratio(its_centre.estimate)
            measures[measure] = Measure(estimate, unit, low, high, n=_count(pairs))
        measured = Measured(
            measures,
            confidence=share,
            seconds=pairs.seconds,
            processes=_processes(pairs, known),
        )
        if budget.ends(pairs.seconds, remaining(measured)):
            break
    return measured


def _centre(by_process: Sequence[Sequence[float]], prior: Prior) -> Centre:
    return centre([log_ratios for log_ratios in by_process if log_ratios], prior)


def _measure_until(count: int, pairs: Pairs) -> None:
    """Measure until the current pair of processes has `count` pairs."""
    while len(pairs.by_process[-1]) < count:
        pairs.measure()


def _count(pairs: Pairs) -> int:
    return sum(map(len, pairs.by_process))


def _pair_s(pairs: Pairs) -> float:
    """Return the measuring time of a pair, without the start of processes, in seconds."""
    return max(pairs.seconds - (len(pairs.by_process) - 1) * pairs.start_s, 0.0) / _count(pairs)


def _pairs_a_process(pairs: Pairs, known: Centre) -> float:
    """Return the optimal number of pairs per pair of processes."""
    pair_s = _pair_s(pairs)
    best = known.pairs_a_process(pairs.start_s, pair_s) if pair_s else 0.0
    return max(_LEAST_PAIRS, best)


def _is_renewal_due(pairs: Pairs, known: Centre, most_s: float) -> bool:
    """Return whether new processes give more information than further pairs of the current ones."""
    has_time = pairs.start_s + _LEAST_PAIRS * _pair_s(pairs) <= most_s - pairs.seconds
    return len(pairs.by_process[-1]) >= _pairs_a_process(pairs, known) and has_time


def _processes(pairs: Pairs, known: Centre) -> Processes:
    each_s = pairs.start_s + _pairs_a_process(pairs, known) * _pair_s(pairs)
    return Processes(sum(map(bool, pairs.by_process)), known.freedom, each_s)


def _mean_ns(block: BlockDone) -> float:
    return sum(block.query_ns) / len(block.query_ns)


def _joined(slices: Sequence[BlockDone]) -> BlockDone:
    """Return the block that consists of these slices."""
    foreign = [part.foreign_cpu_ns for part in slices if part.foreign_cpu_ns is not None]
    return BlockDone(
        [ns for part in slices for ns in part.query_ns],
        [ns for part in slices for ns in part.model_ns],
        sum(part.wall_ns for part in slices),
        sum(part.cpu_ns for part in slices),
        sum(foreign) if len(foreign) == len(slices) else None,
        None,
    )


def _undisturbed(slices: Sequence[BlockDone], inputs: int) -> dict[str, float]:
    """Return sums of the shortest times of all inputs, in nanoseconds, by kind of time.

    Longer times for the same work are caused by the host and not by the variant, as in Python's
    `timeit.repeat`. A slow variant runs each input once.
    """

    def shortest(times: Sequence[Sequence[float]]) -> float:
        return sum(min(ns for part in times for ns in part[i::inputs]) for i in range(inputs))

    sums = {"latency": shortest([part.query_ns for part in slices])}
    if slices[0].tokens is None:
        return sums
    streams = [part.token_ns for part in slices if part.token_ns is not None]
    if len(streams) < len(slices):  # the first token arrives with the last one
        return {**sums, "ttft": sums["latency"]}
    sums["ttft"] = shortest([[arrivals[0] for arrivals in stream] for stream in streams])
    later = sum(max(0, output - 1) for _, output in slices[0].tokens[:inputs])
    together = any(
        arrive_together(arrivals, output)
        for part, stream in zip(slices, streams, strict=True)
        for (_, output), arrivals in zip(part.tokens or (), stream, strict=True)
    )
    if later and not together:
        after_first = [
            [ns - arrivals[0] for ns, arrivals in zip(part.query_ns, stream, strict=True)]
            for part, stream in zip(slices, streams, strict=True)
        ]
        sums["tpot"] = shortest(after_first) / later
    return sums
