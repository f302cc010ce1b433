"""Paired ratios: blocks of two workers on the same inputs, in random order.

For pair i, d_i is the logarithm of the variant's time over the time of the other worker. The
estimate is Hodges and Lehmann's, and its interval inverts Wilcoxon's signed-rank test (see
`stats.ratio`). Against the baseline the speed-up is exp(-d); against the same variant at another
revision the regression is exp(d) - 1.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, exp, expm1, isfinite, log
from time import perf_counter
from typing import Protocol

from pytest_infperf import errors
from pytest_infperf.measure.blocks import LEAST_BLOCK_NS, SecondChances
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.stats import ratio, sequential
from pytest_infperf.worker.messages import BlockDone
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user

FIRST_LOOK = 12
"""Number of pairs before the gates are evaluated for the first time."""
_LEAST_INPUTS = 3
"""Minimum number of inputs of a pair, because the ratio differs from input to input."""
_MOST_INPUTS = 64
"""Maximum number of inputs of a pair."""
_SLICE_NS = 4_000_000
"""Duration of a slice, in nanoseconds. Disturbances of a shared host come in bursts of any length,
so two short times in sequence differ as much as two long ones: the more often the sides alternate,
the smaller the effect. Alternating costs 1 to 2 ms for waking and warming up."""

_PAIRS_A_TURN = FIRST_LOOK // 2
"""Number of pairs on the same cores; a change of cores slows the next block of a small model."""

_RENEWED_AFTER = FIRST_LOOK
"""Number of pairs after which both processes are replaced: the difference between two processes of
the same code then dominates the error, and new processes average it out."""
_RENEWAL_SHARE = 0.5
"""Maximum cost of new processes, as a fraction of the time since the last ones were started, and of
the time that is left."""

Decided = Callable[[Measured], bool]
"""Returns whether the measures decide every gate."""


class Pairs(Protocol):
    """The pairs that have been measured so far, and the means to measure more."""

    log_ratios: list[float]
    """The logarithm of the ratio of each pair."""
    seconds: float
    """Measuring time so far, in seconds."""

    def measure(self) -> None:
        """Measure one more pair. The time of a disturbed pair counts, but not its ratio."""

    def renew(self, left_s: float) -> None:
        """Replace both processes if that is due and worth its cost.

        Parameters
        ----------
        left_s : float
            The measuring time that is left, in seconds.
        """


@dataclass
class WorkerPairs:
    """Pairs of blocks of two workers, slice by slice in random order.

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
    log_ratios: list[float] = field(default_factory=list)
    chances: SecondChances = field(default_factory=SecondChances)
    seconds: float = 0.0
    shape: _Shape | None = None
    processes: int = 1
    """The number of successive processes of each side."""
    started: _Start = field(init=False)

    def __post_init__(self) -> None:
        self.started = _Start(0, 0.0, max(self.baseline.load_s, self.variant.load_s))

    def measure(self) -> None:
        self.shape = self.shape or self._fitting_shape()
        start = perf_counter()
        queries = [[next(self.order)] for _ in range(self.shape.inputs)]
        sides = {"variant": self.variant, "baseline": self.baseline}
        slices: dict[str, list[BlockDone]] = {name: [] for name in sides}
        turn = (self.chances.measured + self.chances.again) // _PAIRS_A_TURN
        for _ in range(self.shape.slices):
            for name in self.rng.sample(list(sides), 2):
                done = sides[name].run(queries, least_ns=self.shape.slice_ns, turn=turn)
                slices[name].append(done)
        variant, baseline = (_joined(slices[name]) for name in sides)
        if self.chances.take(baseline, variant):
            variant_ns, baseline_ns = (
                _undisturbed_ns(slices[name], self.shape.inputs) for name in ("variant", "baseline")
            )
            self.log_ratios.append(log(variant_ns / baseline_ns))
        self.seconds += perf_counter() - start

    def renew(self, left_s: float) -> None:
        pairs = len(self.log_ratios) - self.started.pairs
        worth_s = _RENEWAL_SHARE * min(self.seconds - self.started.seconds, left_s)
        if pairs < _RENEWED_AFTER or self.started.took_s > worth_s:
            return
        start = perf_counter()
        sides = self.rng.sample((self.baseline, self.variant), 2)
        try:
            for side in sides:
                side.restart()
            for side in sides:
                side.finish_restart()
        except BaseException:  # the next request would get an answer that is still to come
            for side in sides:
                side.close()
            raise
        took_s = perf_counter() - start
        self.seconds += took_s
        self.started = _Start(len(self.log_ratios), self.seconds, took_s)
        self.processes += 1

    def _fitting_shape(self) -> _Shape:
        """Choose the shape of pairs from a first block of each side, which does not count."""
        number = next(self.order)
        slowest = max(
            _mean_ns(side.run([[number]], least_ns=LEAST_BLOCK_NS))
            for side in (self.baseline, self.variant)
        )
        inputs = min(_MOST_INPUTS, max(_LEAST_INPUTS, ceil(_SLICE_NS / slowest)))
        slices = max(1, round(LEAST_BLOCK_NS / (inputs * slowest)))
        return _Shape(inputs, slices, LEAST_BLOCK_NS // slices)


@dataclass(frozen=True)
class _Start:
    """The last start of the processes of both sides."""

    pairs: int
    """The number of pairs before the start."""
    seconds: float
    """Measuring time before the start, in seconds."""
    took_s: float
    """Duration of the start, in seconds."""


@dataclass(frozen=True)
class _Shape:
    """The shape of a pair, whose blocks run in slices that alternate with the other side's."""

    inputs: int
    """The number of inputs; each slice runs all of them, as often as its duration allows."""
    slices: int
    """The number of slices of a block."""
    slice_ns: int
    """The duration of a slice, in nanoseconds."""


def measure_speedup(
    pairs: Pairs, *, budget_s: float, confidence: float, decided: Decided
) -> Measured:
    """Measure the speed-up: the ratio of the baseline's time to the variant's.

    Parameters
    ----------
    pairs : Pairs
        The pairs of variant and baseline.
    budget_s : float
        Measuring time, in seconds.
    confidence : float
        The confidence of the verdict; the looks share its error.
    decided : callable
        Returns whether the measures decide every gate.
    """

    def speedup(d: float) -> float:
        return exp(-d)

    return _measure_ratio(pairs, "speedup", "ratio", speedup, budget_s, confidence, decided)


def measure_regression(
    pairs: Pairs, *, budget_s: float, confidence: float, decided: Decided
) -> Measured:
    """Measure the fraction by which the variant is slower than at the other revision.

    The fraction is negative if the variant is faster. Parameters are those of `measure_speedup`.
    """
    return _measure_ratio(pairs, "regression", "fraction", expm1, budget_s, confidence, decided)


def _measure_ratio(
    pairs: Pairs,
    name: str,
    unit: str,
    of_log_ratio: Callable[[float], float],
    budget_s: float,
    confidence: float,
    decided: Decided,
) -> Measured:
    """Measure pairs, and evaluate the gates after 12, 24, 48 ... pairs."""
    while len(pairs.log_ratios) < FIRST_LOOK:
        pairs.measure()
    looks, share = sequential.plan(FIRST_LOOK, pairs.seconds, budget_s, confidence)
    for look in looks:
        while len(pairs.log_ratios) < look and pairs.seconds < budget_s:
            pairs.renew(budget_s - pairs.seconds)
            pairs.measure()
        estimate = of_log_ratio(ratio.hodges_lehmann(pairs.log_ratios))
        bounds = ratio.signed_rank_interval(pairs.log_ratios, share)
        low, high = (
            sorted(map(of_log_ratio, bounds)) if all(map(isfinite, bounds)) else (None, None)
        )
        measure = Measure(estimate, unit, low, high, n=len(pairs.log_ratios))
        measured = Measured({name: measure}, confidence=share, seconds=pairs.seconds)
        if decided(measured) or pairs.seconds >= budget_s:
            break
    return measured


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


def _undisturbed_ns(slices: Sequence[BlockDone], inputs: int) -> int:
    """Return the sum over the inputs of the shortest time of each, in nanoseconds.

    If the same work takes longer, the reason is the host and not the variant, as for Python's
    `timeit.repeat`. A slow variant runs each input once.
    """
    return sum(min(ns for part in slices for ns in part.query_ns[i::inputs]) for i in range(inputs))
