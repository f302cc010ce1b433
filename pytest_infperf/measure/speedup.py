"""Speed-up: pairs of blocks, baseline and variant on the same inputs in random order.

For pair i, d = ln(variant's time / baseline's). The estimate is Hodges and Lehmann's, the interval
inverts Wilcoxon's signed-rank test (see `stats.ratio`); speed-up is exp(-d).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil, exp, log
from time import perf_counter
from typing import Protocol

from pytest_infperf import errors
from pytest_infperf.measure.blocks import LEAST_BLOCK_NS, SecondChances
from pytest_infperf.measure.measured import Measured
from pytest_infperf.record import Measure
from pytest_infperf.stats import ratio, sequential
from pytest_infperf.worker.messages import BlockDone
from pytest_infperf.worker.serving import ServedVariant

__tracebackhide__ = errors.meant_for_the_user

_FIRST_LOOK = 12
_LEAST_INPUTS = 3
"""Each block warms up with one query more: with fewer, the warm-up would be half the time."""
_MOST_INPUTS = 64
_PASSES = 3


class Pairs(Protocol):
    """Pairs so far, and a way to one more."""

    log_ratios: list[float]
    seconds: float

    def measure(self) -> None:
        """One more pair, unless it was disturbed; either way its seconds count."""


@dataclass
class ServedPairs:
    """Pairs of blocks run by two workers in random order."""

    baseline: ServedVariant
    variant: ServedVariant
    draw: Iterator[int]
    rng: random.Random
    log_ratios: list[float] = field(default_factory=list)
    chances: SecondChances = field(default_factory=SecondChances)
    seconds: float = 0.0
    turn: int = 0
    inputs: int = 0
    """Inputs of a block: so many that the slower side passes them as often as wanted."""

    def measure(self) -> None:
        if not self.inputs:
            self.inputs = self._fitting_inputs()
        start = perf_counter()
        numbers = [next(self.draw) for _ in range(self.inputs)]
        queries = [[i] for i in numbers]
        variant_first = self.rng.random() < 0.5
        if variant_first:
            variant = self.variant.run(queries, least_ns=LEAST_BLOCK_NS, turn=self.turn)
        baseline = self.baseline.run(queries, least_ns=LEAST_BLOCK_NS, turn=self.turn)
        if not variant_first:
            variant = self.variant.run(queries, least_ns=LEAST_BLOCK_NS, turn=self.turn)
        self.turn += 1
        if self.chances.take(baseline, variant):
            ours, theirs = (_undisturbed_ns(side, self.inputs) for side in (variant, baseline))
            self.log_ratios.append(log(ours / theirs))
        self.seconds += perf_counter() - start

    def _fitting_inputs(self) -> int:
        """From a pair that is not counted."""
        number = next(self.draw)
        slowest = max(
            _mean_ns(side.run([[number]], least_ns=LEAST_BLOCK_NS))
            for side in (self.baseline, self.variant)
        )
        return min(_MOST_INPUTS, max(_LEAST_INPUTS, ceil(LEAST_BLOCK_NS / _PASSES / slowest)))


def measure_speedup(
    pairs: Pairs,
    *,
    budget_s: float,
    confidence: float,
    decided: Callable[[Measured], bool],
) -> Measured:
    """Looks at the gates after 12, 24, 48 ... pairs, each with its share of the error."""
    while len(pairs.log_ratios) < _FIRST_LOOK:
        pairs.measure()
    most = max(_FIRST_LOOK, int(_FIRST_LOOK * budget_s / pairs.seconds))
    looks = sequential.looks(_FIRST_LOOK, most)
    share = sequential.look_confidence(confidence, len(looks))
    for look in looks:
        while len(pairs.log_ratios) < look and pairs.seconds < budget_s:
            pairs.measure()
        measured = _judged_at(pairs, share)
        if decided(measured) or pairs.seconds >= budget_s:
            break
    return measured


def _judged_at(pairs: Pairs, confidence: float) -> Measured:
    low, high = ratio.signed_rank_interval(pairs.log_ratios, confidence)
    speedup = Measure(
        exp(-ratio.hodges_lehmann(pairs.log_ratios)),
        "ratio",
        low=exp(-high),
        high=exp(-low) if low > float("-inf") else None,
        n=len(pairs.log_ratios),
    )
    return Measured({"speedup": speedup}, confidence=confidence, seconds=pairs.seconds)


def _mean_ns(block: BlockDone) -> float:
    return sum(block.query_ns) / len(block.query_ns)


def _undisturbed_ns(block: BlockDone, inputs: int) -> int:
    """The time of a block's inputs, of each the least of its passes.

    What makes the same work take longer is the host's doing, not the variant's (the reasoning of
    Python's `timeit.repeat`). A slow variant has one pass, and its time is the sum.
    """
    return sum(min(block.query_ns[i::inputs]) for i in range(inputs))
