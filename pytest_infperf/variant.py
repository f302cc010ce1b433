"""What the `variant` fixture gives a test: methods that measure, with results to check."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from pytest_infperf import errors
from pytest_infperf.errors import GateBroken, InconclusiveGate
from pytest_infperf.gate import Gate, judge
from pytest_infperf.measure.blocks import endless_draw
from pytest_infperf.measure.catalogue import Method
from pytest_infperf.measure.latency import measure_latency
from pytest_infperf.measure.measured import Measured
from pytest_infperf.measure.speedup import ServedPairs, measure_speedup
from pytest_infperf.measure.throughput import throughput
from pytest_infperf.record import GateRecord, Measure, Record, Verdict
from pytest_infperf.suite_run import SuiteRun
from pytest_infperf.worker.serving import ServedVariant

__tracebackhide__ = errors.meant_for_the_user

_UNGATED_PAIRS = 24
_FOOTPRINT_BATCH = 32


class TimesTable(Protocol):
    """Where latencies are shown beside other benchmarks: pytest-benchmark's table."""

    extra_info: dict[str, Any]
    """What its files hold beside the times."""

    def expect(self) -> None:
        """Before measuring: latencies will come."""

    def show(self, times_s: Sequence[float]) -> None:
        """After measuring: seconds, a query each."""


@dataclass(frozen=True)
class Result:
    """What a method measured; `check` holds it against the gates."""

    parts: Sequence[Measured]
    gates: Sequence[Gate]
    record: Record

    def __getitem__(self, measure: str) -> Measure:
        return self._part(measure).measures[measure]

    def _part(self, measure: str) -> Measured:
        """The part with the measure; an empty one leaves its gates inconclusive."""
        return next((part for part in self.parts if measure in part.measures), Measured())

    def check(self) -> Result:
        """Raise GateBroken for the limits of this suite and variant that are not kept."""
        broken: list[str] = []
        doubtful: list[str] = []
        for gate in self.gates:
            outcome = judge(gate, self._part(gate.measure))
            self.record.keep(outcome)
            if outcome.verdict is Verdict.FAIL:
                broken.append(self._told("FAIL", outcome))
            elif outcome.verdict is Verdict.INCONCLUSIVE:
                told = self._told("INCONCLUSIVE", outcome)
                (broken if gate.inconclusive == "fail" else doubtful).append(told)
        if broken:
            raise GateBroken("\n".join([*broken, *doubtful]))
        if doubtful:
            warnings.warn(InconclusiveGate("\n".join(doubtful)), stacklevel=2)
        return self

    def _told(self, word: str, outcome: GateRecord) -> str:
        lines = [
            f"{word} {self.record.suite}[{self.record.variant}] {outcome.why}",
            f"limit: {outcome.limit} ({outcome.source})",
            *([outcome.remedy] if outcome.remedy else []),
        ]
        return "\n  ".join(lines)


@dataclass(frozen=True, repr=False)
class Variant:
    """One variant of a suite on this host."""

    run: SuiteRun
    served: ServedVariant
    record: Record
    gates: Sequence[Gate]
    budget_s: float
    table: TimesTable

    def __repr__(self) -> str:
        return f"<variant {self.record.suite}[{self.id}]>"

    @property
    def id(self) -> str:
        return self.served.variant_id

    @property
    def is_baseline(self) -> bool:
        return self.id == self.run.baseline_id

    def latency(self) -> Result:
        """Latency of single queries, and the paired speed-up over the baseline."""
        self.table.expect()
        gates = self._gates("latency")
        of_times = [gate for gate in gates if gate.measure != "speedup"]
        of_speedup = [gate for gate in gates if gate.measure == "speedup"]
        run, seed, confidence = self.run, self.run.seed, self.run.policy.confidence
        compared = run.baseline_id is not None and not self.is_baseline
        run.said(self.id, "measuring latency")
        times, queries = measure_latency(
            self.served,
            endless_draw(run.numbers, seed),
            percentiles=[gate.measure for gate in of_times if gate.kind.percentile],
            budget_s=self.budget_s / 2 if compared else self.budget_s,
            confidence=confidence,
            seed=seed,
            decided=_all_decided(of_times),
        )
        self.record.measures.update(times.measures)
        self.record.evidence["contaminated_blocks"] = asdict(queries.chances)
        parts = [times]
        if compared:
            run.said(self.id, f"measuring against {run.baseline_id}")
            baseline, variant = run.beside_baseline(self.id)
            pairs = ServedPairs(
                baseline, variant, endless_draw(run.numbers, seed + 1), random.Random(seed)
            )
            speedup = measure_speedup(
                pairs,
                budget_s=self.budget_s - times.seconds,
                confidence=confidence,
                decided=_all_decided(of_speedup) if of_speedup else _enough_pairs,
            )
            self.record.evidence["contaminated_pairs"] = asdict(pairs.chances)
            parts.append(speedup)
        self.table.show(times.times_s)
        return self._result(parts, gates)

    def throughput(self, batch: int = 32) -> Result:
        """Samples a second over the quality set in batches."""
        run = self.run

        def measured(variant_id: str) -> Measured:
            return throughput(run.set_run(variant_id, batch), run.policy.confidence, run.seed)

        gates = self._gates("throughput")
        ours = measured(self.id)
        if any(_against_baseline(gate) for gate in gates) and run.baseline_id:
            ours = _beside(ours, measured(run.baseline_id))
        self.record.settings["batch"] = batch
        return self._result([ours], gates)

    def quality(self, batch: int = 32) -> Result:
        """The task's metrics on the outputs of the run that throughput measures."""
        run = self.run
        ours = run.set_run(self.id, batch)
        theirs = None
        if run.baseline_id is not None and not self.is_baseline:
            run.beside_baseline(self.id)
            theirs = run.set_run(run.baseline_id, batch)
        measured = run.scoring.quality(ours, theirs)
        self.record.evidence["quality_metric"] = run.metrics[0].name
        self.record.evidence["signatures"] = {m.name: m.signature() for m in run.metrics}
        self.record.evidence["differences"] = {
            name: asdict(difference) for name, difference in measured.differences.items()
        }
        return self._result([measured], self._gates("quality"))

    def footprint(self) -> Result:
        """Bytes of the artifact, and the worker's memory after load and after running."""
        ours = self._footprint(self.served)
        run = self.run
        gates = self._gates("footprint")
        if any(_against_baseline(gate) for gate in gates) and run.baseline_id:
            ours = _beside(ours, self._footprint(run.served(run.baseline_id)))
        return self._result([ours], gates)

    def _footprint(self, served: ServedVariant) -> Measured:
        served.run([self.run.numbers[:_FOOTPRINT_BATCH]])
        return Measured(
            {
                "size": Measure(served.artifact.size_bytes, "bytes"),
                "loaded_memory": Measure(served.loaded.memory_bytes, "bytes"),
                "peak_memory": Measure(served.peak_memory_bytes(), "bytes"),
            }
        )

    def _gates(self, method: Method) -> list[Gate]:
        return [gate for gate in self.gates if gate.kind.method == method]

    def _result(self, parts: Sequence[Measured], gates: Sequence[Gate]) -> Result:
        for part in parts:
            self.record.measures.update(part.measures)
        return Result(parts, gates, self.record)


def _all_decided(gates: Sequence[Gate]) -> Callable[[Measured], bool]:
    return lambda measured: all(
        judge(gate, measured).verdict is not Verdict.INCONCLUSIVE for gate in gates
    )


def _enough_pairs(measured: Measured) -> bool:
    return measured.measures["speedup"].n >= _UNGATED_PAIRS


def _against_baseline(gate: Gate) -> bool:
    return gate.limit.kind in ("min_ratio", "max_ratio")


def _beside(ours: Measured, baseline: Measured) -> Measured:
    return replace(ours, baseline=baseline.measures)
