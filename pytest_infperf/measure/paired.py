"""Paired ratios: blocks of a variant and of another on the same inputs, in random order.

For pair i, d = ln(variant's time / the other's). The estimate is Hodges and Lehmann's, the interval
inverts Wilcoxon's signed-rank test (see `stats.ratio`). Against the baseline the speed-up is
exp(-d); against the same variant at another revision the regression is exp(d) - 1.
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
_LEAST_INPUTS = 3
"""The ratio differs from input to input: a pair of fewer would say less than it costs."""
_MOST_INPUTS = 64
_SLICE_NS = 4_000_000
"""What disturbs a shared host comes in bursts of any length, so that two short times side by side
differ no less than two long ones: the more often the sides take turns, the less is left of it. A
turn costs 1 to 2 ms in waking and warming up."""

_PAIRS_A_TURN = FIRST_LOOK // 2
"""On the same cores: to change them costs the next block of a small model some of its time."""

_RENEWED_AFTER = FIRST_LOOK
"""Pairs: what is undecided by then is decided by what two processes of the same code differ by for
as long as they live. New ones share that out."""
_RENEWAL_SHARE = 0.5
"""Of the time that the pairs took since, and of what is left."""

Decided = Callable[[Measured], bool]
"""Whether enough is known for every gate."""


class Pairs(Protocol):
    """Pairs so far, and a way to one more."""

    log_ratios: list[float]
    seconds: float

    def measure(self) -> None:
        """One more pair, unless it was disturbed; either way its seconds count."""

    def renew(self, left_s: float) -> None:
        """Start both sides anew if it is time, and worth its part of the seconds that are left."""


@dataclass
class WorkerPairs:
    """Pairs of blocks of two workers, slice by slice in random order."""

    baseline: VariantWorker
    variant: VariantWorker
    order: Iterator[int]
    rng: random.Random
    log_ratios: list[float] = field(default_factory=list)
    chances: SecondChances = field(default_factory=SecondChances)
    seconds: float = 0.0
    shape: _Shape | None = None
    processes: int = 1
    """Of each side, one after the other."""
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
            ours, theirs = (
                _undisturbed_ns(slices[name], self.shape.inputs) for name in ("variant", "baseline")
            )
            self.log_ratios.append(log(ours / theirs))
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
        except BaseException:  # whoever uses the other next would get its answer to the start
            for side in sides:
                side.close()
            raise
        took_s = perf_counter() - start
        self.seconds += took_s
        self.started = _Start(len(self.log_ratios), self.seconds, took_s)
        self.processes += 1

    def _fitting_shape(self) -> _Shape:
        """From a pair that is not counted."""
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
    """Of both sides' processes, side by side."""

    pairs: int
    """Counted before it, as the seconds are."""
    seconds: float
    took_s: float


@dataclass(frozen=True)
class _Shape:
    """Of a pair: a block is run in slices, in turns with the other side's."""

    inputs: int
    """Each slice passes all of them, as often as fits into its time."""
    slices: int
    slice_ns: int


def measure_speedup(
    pairs: Pairs, *, budget_s: float, confidence: float, decided: Decided
) -> Measured:
    """How many times as fast as the baseline the variant is."""

    def speedup(d: float) -> float:
        return exp(-d)

    return _measure_ratio(pairs, "speedup", "ratio", speedup, budget_s, confidence, decided)


def measure_regression(
    pairs: Pairs, *, budget_s: float, confidence: float, decided: Decided
) -> Measured:
    """By which fraction the variant takes longer than its rival; below nought it is faster."""
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
    """Looks at the gates after 12, 24, 48 ... pairs, each with its share of the error."""
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
    """The block that its slices make up."""
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
    """The time of a block's inputs, of each the least of its passes.

    What makes the same work take longer is the host's doing, not the variant's (the reasoning of
    Python's `timeit.repeat`). A slow variant has one pass, and its time is the sum.
    """
    return sum(min(ns for part in slices for ns in part.query_ns[i::inputs]) for i in range(inputs))
