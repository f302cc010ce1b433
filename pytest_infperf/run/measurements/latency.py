"""`variant.latency()`: single queries, then pairs with the baseline and the other revision."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from pytest_infperf import errors
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.gates.result import Result
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.measure.budget import Budget, Remaining
from pytest_infperf.measure.latency import measure_latency
from pytest_infperf.measure.paired import WorkerPairs, measure_ratio
from pytest_infperf.measure.trend import measure_trend
from pytest_infperf.records.catalogue import PAIRED_MEASURES, with_token_ratios
from pytest_infperf.records.evidence import AgainstEvidence, Evidence
from pytest_infperf.records.measured import Measured
from pytest_infperf.run.context import VariantContext, seconds_to_decide
from pytest_infperf.run.measurements.remote import of_server
from pytest_infperf.run.other_revision import RevisionPair
from pytest_infperf.run.purse import TestTime
from pytest_infperf.stats import quantile
from pytest_infperf.stats.processes import Prior
from pytest_infperf.thresholds.gate import Gate
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user

_PAIRS_WITHOUT_GATE = 24
_NOT_FROM_SINGLE_QUERIES = PAIRED_MEASURES | {"trend"}


class TimesTable(Protocol):
    """A table that shows latencies beside other benchmarks, such as pytest-benchmark's."""

    def expect(self) -> None:
        """Announce that latencies will be shown, before anything is measured."""

    def show(self, times_s: Sequence[float]) -> None:
        """Show the times of single queries, in seconds."""


@dataclass(frozen=True)
class LatencyMeasurement:
    """Measures latency, speed-up and regression within one budget."""

    context: VariantContext
    table: TimesTable

    def measure(self) -> Result:
        """Measure until every gate is decided or the budget is spent."""
        self.table.expect()
        with self.context.purse.test(self.context.budget_s) as time:
            parts = self._parts(time)
            self.context.record.evidence.drawn_s = time.drawn_s or None
        self.table.show(parts[0].times_s)
        return self.context.result(parts, self._gates)

    @property
    def _gates(self) -> Sequence[Gate]:
        return self.context.gates_of("latency")

    def _parts(self, time: TestTime) -> list[Measured]:
        """Measure single queries, then pairs; unused time of one part goes to the next."""
        context, gates = self.context, self._gates
        share = 1 / (1 + self._has_baseline + (context.revision_pair is not None))
        budget = time.part(share)
        single = self._single_queries(gates, budget)
        time.spend(budget, single.seconds)
        parts = [single]
        if any(gate.measure == "trend" for gate in gates):
            median = single.measures["latency_p50"]
            parts.append(measure_trend(median, context.past("latency_p50"), context.confidence))
        if self._has_baseline:
            budget = time.part(0.5 if context.revision_pair else 1.0)
            parts.append(self._speedup(gates, budget))
            time.spend(budget, parts[-1].seconds)
        if context.revision_pair:
            budget = time.part()
            parts.append(self._regression(context.revision_pair, gates, budget))
            time.spend(budget, parts[-1].seconds)
        return parts

    @property
    def _has_baseline(self) -> bool:
        return self.context.baseline_id is not None and not self.context.is_baseline

    def _single_queries(self, gates: Sequence[Gate], budget: Budget) -> Measured:
        context, run = self.context, self.context.suite_run
        latency_gates = [gate for gate in gates if gate.measure not in _NOT_FROM_SINGLE_QUERIES]
        context.report_progress("measuring latency")
        measured, queries = measure_latency(
            context.worker,
            endless_order(run.numbers, context.seed),
            run.duration_s,
            percentiles=[gate.measure for gate in latency_gates if gate.spec.percentile],
            budget=budget,
            confidence=context.confidence,
            remaining=seconds_to_decide(latency_gates),
        )
        measured = of_server(run, context.variant_id, measured)
        context.attempt.measured([measured])  # kept if the pairs cannot be measured
        record = context.record
        record.evidence.latency_percentiles_s = quantile.distribution(measured.times_s)
        record.evidence.contaminated_blocks = queries.chances.counts()
        return measured

    def _speedup(self, gates: Sequence[Gate], budget: Budget) -> Measured:
        """Measure the speed-up against the baseline."""
        context = self.context
        context.report_progress(f"measuring against {context.baseline_id}")
        baseline, _ = context.suite_run.beside_baseline(context.variant_id)
        evidence = context.record.evidence
        return self._ratio("speedup", baseline, context.seed + 1, gates, budget, evidence)

    def _regression(self, pair: RevisionPair, gates: Sequence[Gate], budget: Budget) -> Measured:
        """Measure the regression since the other revision."""
        context = self.context
        context.report_progress(f"measuring against {pair.commit}")
        try:
            other = pair.worker()
        except (UserError, WorkerError) as failure:
            missing = dict.fromkeys(with_token_ratios("regression"), context.note_unable(failure))
            return Measured(missing=missing)
        return self._ratio("regression", other, context.seed + 2, gates, budget, context.against)

    def _ratio(
        self,
        name: Literal["speedup", "regression"],
        other: VariantWorker,
        seed: int,
        gates: Sequence[Gate],
        budget: Budget,
        evidence: Evidence | AgainstEvidence,
    ) -> Measured:
        """Measure pairs with another worker, and store the difference between processes."""
        context, run = self.context, self.context.suite_run
        variant = run.worker(context.variant_id)
        pairs = WorkerPairs(
            other, variant, endless_order(run.numbers, seed), random.Random(run.seed)
        )
        evidence.prior = prior = context.noise.prior()
        measured = measure_ratio(
            name,
            pairs,
            budget=budget,
            confidence=context.confidence,
            remaining=_remaining(name, gates),
            prior=Prior(prior.deviation, prior.processes),
        )
        evidence.contaminated_pairs = pairs.chances.counts()
        evidence.processes_compared = len(pairs.by_process)
        context.noise.add(pairs.by_process)
        return replace(measured, remark=pairs.chances.remark("pairs"))


def _remaining(measure: str, gates: Sequence[Gate]) -> Remaining:
    """Return a function that returns the remaining seconds of the measurement of a ratio.

    Gates on the ratio must be decided. Without a gate, a fixed number of pairs is measured, and no
    time is drawn on the purse.
    """
    if own_gates := [gate for gate in gates if gate.measure in with_token_ratios(measure)]:
        return seconds_to_decide(own_gates)
    return lambda measured: 0.0 if measured.measures[measure].n >= _PAIRS_WITHOUT_GATE else math.inf
