"""What the `variant` fixture gives a test: methods that measure, with results to check."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Protocol

from pytest_infperf import errors
from pytest_infperf.cost.per_million import cost_per_million
from pytest_infperf.errors import (
    NotForVariant,
    UserError,
    WorkerError,
)
from pytest_infperf.gates.judge import judge
from pytest_infperf.gates.result import Result
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.measure.latency import measure_latency
from pytest_infperf.measure.paired import WorkerPairs, measure_regression, measure_speedup
from pytest_infperf.measure.protocols import PROTOCOLS, measure_protocol
from pytest_infperf.measure.sweep import measure_sweep
from pytest_infperf.measure.throughput import SetRun, throughput
from pytest_infperf.measure.trend import measure_trend
from pytest_infperf.records.catalogue import Method
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import at, base_of, point_of
from pytest_infperf.records.record import Measure, Record, Verdict
from pytest_infperf.run.other_revision import RevisionPair
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.serving.load.driver import LoadDriver
from pytest_infperf.serving.load.measure import LoadTest
from pytest_infperf.stats import quantile
from pytest_infperf.thresholds.gate import Gate
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user

_UNGATED_PAIRS = 24
_AFTER_TIMES = frozenset({"speedup", "regression", "trend"})
"""Measures of `latency()` that its single queries alone do not give."""


class TimesTable(Protocol):
    """Where latencies are shown beside other benchmarks: pytest-benchmark's table."""

    extra_info: dict[str, Any]
    """What its files hold beside the times."""

    def expect(self) -> None:
        """Before measuring: latencies will come."""

    def show(self, times_s: Sequence[float]) -> None:
        """After measuring: seconds, a query each."""


@dataclass(frozen=True, repr=False)
class Variant:
    """One variant of a suite on this host."""

    run: SuiteRun
    worker: VariantWorker
    revision_pair: RevisionPair | None
    """With the same variant at another revision, where there is one."""
    record: Record
    gates: Sequence[Gate]
    budget_s: float
    table: TimesTable
    usd_per_hour: float | None
    """What this host costs, where that is known."""
    past: Callable[[str], Sequence[float]]
    """A measure's values in earlier runs on hosts like this."""

    def __repr__(self) -> str:
        return f"<variant {self.record.suite}[{self.id}]>"

    @property
    def id(self) -> str:
        return self.worker.variant_id

    @property
    def is_baseline(self) -> bool:
        return self.id == self.run.baseline_id

    def latency(self) -> Result:
        """Latency of single queries, and the paired speed-up over the baseline."""
        self.table.expect()
        gates = self._gates("latency")
        latency_gates = [gate for gate in gates if gate.measure not in _AFTER_TIMES]
        run, seed, confidence = self.run, self.run.seed, self.run.policy.confidence
        compared = run.baseline_id is not None and not self.is_baseline
        parts_to_come = 1 + compared + (self.revision_pair is not None)
        run.report_progress(self.id, "measuring latency")
        times, queries = measure_latency(
            self.worker,
            endless_order(run.numbers, seed),
            run.duration_s,
            percentiles=[gate.measure for gate in latency_gates if gate.spec.percentile],
            budget_s=self.budget_s / parts_to_come,
            confidence=confidence,
            seed=seed,
            decided=_all_decided(latency_gates),
        )
        self.record.measures.update(times.measures)
        self.record.evidence["latency_percentiles_s"] = quantile.distribution(times.times_s)
        self.record.evidence["contaminated_blocks"] = asdict(queries.chances)
        parts, left_s = [times], self.budget_s - times.seconds
        if any(gate.measure == "trend" for gate in gates):
            now = times.measures["latency_p50"]
            parts.append(measure_trend(now, self.past("latency_p50"), confidence))
        if compared:
            run.report_progress(self.id, f"measuring against {run.baseline_id}")
            baseline, _ = run.beside_baseline(self.id)
            pairs = self._pairs_with(baseline, seed + 1)
            speedup = measure_speedup(
                pairs,
                budget_s=left_s if self.revision_pair is None else left_s / 2,
                confidence=confidence,
                decided=_decided("speedup", gates),
            )
            self.record.evidence |= _evidence(pairs)
            parts.append(speedup)
            left_s -= speedup.seconds
        if self.revision_pair:
            parts.append(self._regression(self.revision_pair, gates, left_s))
        self.table.show(times.times_s)
        return self._result(parts, gates)

    def _regression(
        self, revision_pair: RevisionPair, gates: Sequence[Gate], budget_s: float
    ) -> Measured:
        """The paired change of the query's time since the other revision."""
        self.run.report_progress(self.id, f"measuring against {revision_pair.commit}")
        try:
            rival = revision_pair.worker()
        except (UserError, WorkerError) as failure:
            return Measured(missing={"regression": _noted(self.record, failure)})
        pairs = self._pairs_with(rival, self.run.seed + 2)
        regression = measure_regression(
            pairs,
            budget_s=budget_s,
            confidence=self.run.policy.confidence,
            decided=_decided("regression", gates),
        )
        self.record.evidence["against"] |= _evidence(pairs)
        return regression

    def _pairs_with(self, other: VariantWorker, seed: int) -> WorkerPairs:
        order = endless_order(self.run.numbers, seed)
        return WorkerPairs(other, self.run.worker(self.id), order, random.Random(self.run.seed))

    def throughput(self, batch: int = 32) -> Result:
        """Samples a second over the quality set in batches."""
        run = self.run

        def measured(variant_id: str) -> Measured:
            return throughput(run.set_run(variant_id, batch), run.policy.confidence, run.seed)

        gates = self._gates("throughput")
        ours = self._with_cost(measured(self.id))
        if any(_against_baseline(gate) for gate in gates) and run.baseline_id:
            ours = _beside(ours, measured(run.baseline_id))
        self.record.settings["batch"] = batch
        return self._result([ours], gates)

    def _with_cost(self, measured: Measured) -> Measured:
        if self.usd_per_hour is None:
            return measured
        cost = cost_per_million(measured.measures["throughput"], self.usd_per_hour)
        return replace(measured, measures={**measured.measures, "cost_per_million": cost})

    def quality(self, batch: int = 32) -> Result:
        """The task's metrics on the outputs of the run that throughput measures."""
        run = self.run
        ours = run.scored_set(self.id, batch)
        theirs = None
        if run.baseline_id is not None and not self.is_baseline:
            run.beside_baseline(self.id)
            theirs = run.scored_set(run.baseline_id, batch)
        before: SetRun | None = None
        missing: dict[str, str] = {}
        if self.revision_pair:
            try:
                before = self.revision_pair.set_run(batch)
            except (UserError, WorkerError) as failure:
                missing = dict.fromkeys(run.scoring.names, _noted(self.record, failure))
        measured = replace(run.scoring.quality(ours, theirs, before), missing=missing)
        if ours.shares:
            self.record.evidence["quality_shares"] = dict(ours.shares)
        self.record.evidence["quality_metric"] = run.configured.metrics[0].name
        self.record.evidence["signatures"] = {m.name: m.signature() for m in run.configured.metrics}
        self.record.evidence["differences"] = {
            name: asdict(difference) for name, difference in measured.differences.items()
        }
        if self.revision_pair:
            self.record.evidence["against"]["changes"] = {
                name: asdict(change) for name, change in measured.changes.items()
            }
        return self._result([measured], self._gates("quality"))

    def sweep(self, parameter: str) -> Result:
        """The suite's sweep of that parameter: latency and throughput at each value, and growth.

        Raises NotForVariant where the sweep is for others, and UserError when the suite has none.
        """
        run, sweep = self.run, self.run.sweep(parameter)
        if not fnmatchcase(self.id, sweep.variants):
            raise NotForVariant(f"the sweep of {parameter} is for the variants {sweep.variants}")
        own = {*sweep.points, parameter}
        gates = [gate for gate in self._gates("sweep") if point_of(gate.measure) in own]
        run.report_progress(self.id, f"sweeping {parameter}")
        with run.sweep_points(sweep, self.id) as points:
            parts = measure_sweep(
                points,
                endless_order(run.numbers, run.seed + 3),
                percentiles=[base_of(g.measure) for g in gates if g.spec.percentile],
                budget_s=self.budget_s,
                confidence=run.policy.confidence,
                seed=run.seed,
                decided=lambda parts: Result(parts, gates, self.record).is_decided,
            )
        return self._result(parts, gates)

    def protocol(self, name: str) -> Result:
        """What a published study measured, as it did: see `measure.protocols`."""
        if name not in PROTOCOLS:
            raise UserError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
        run = self.run
        measured = measure_protocol(
            PROTOCOLS[name],
            self.worker,
            endless_order(run.numbers, run.seed + 4),
            confidence=run.policy.confidence,
            seed=run.seed,
            report_progress=lambda share: run.report_progress(
                self.id, f"following {name}, {share:.0%}"
            ),
        )
        self.record.evidence.setdefault("protocols", {})[name] = PROTOCOLS[name].source
        gates = [gate for gate in self._gates("protocol") if point_of(gate.measure) == name]
        return self._result([measured], gates)

    def load(self, name: str) -> Result:
        """One of the suite's loads on a server of the variant: see `load.shapes`.

        Its seconds, or with --infperf-full those that the study had.
        """
        run, load = self.run, self.run.load(name)
        gates = [gate for gate in self._gates("load") if point_of(gate.measure) == load.name]
        run.report_progress(self.id, f"starting a server for {name}")
        server = run.server.running(self.id)
        order = endless_order(run.numbers, run.seed + 5)
        highest_rate = self.record.measures.get(at("highest_rate", "Server"))
        driver = LoadDriver(
            run.server.target(server, run.samples, order, load.samples),
            server.process,
            run.seed,
            report_progress=lambda what: run.report_progress(
                self.id, f"under load {name} {what}".rstrip()
            ),
        )
        load_test = LoadTest(
            driver,
            run.policy.confidence,
            [p for gate in gates if (p := gate.spec.percentile) is not None],
            self.budget_s,
            self.usd_per_hour,
            highest_rate.value if highest_rate else None,
        )
        result = load_test.measure(load, load.lasts_s(run.settings.full))
        cores = run.server.cores
        self.record.settings["serving"] = {
            **run.suite.serving.limits(),
            "threads": server.deployment.threads,
            "server_cpus": list(cores.server),
            "generator_cpus": list(cores.generator),
        }
        self.record.evidence.setdefault("loads", {})[name] = result.evidence
        return self._result([result.measured], gates)

    def footprint(self, batch: int = 32) -> Result:
        """Bytes of the artifact, and the worker's memory after load and after running a batch."""
        ours = self._footprint(self.worker, batch)
        run = self.run
        gates = self._gates("footprint")
        if any(_against_baseline(gate) for gate in gates) and run.baseline_id:
            ours = _beside(ours, self._footprint(run.worker(run.baseline_id), batch))
        return self._result([ours], gates)

    def _footprint(self, worker: VariantWorker, batch: int) -> Measured:
        worker.run([self.run.numbers[:batch]], warm_up=False)
        fused = worker.artifact.evidence.get("fused_operators", {})
        return Measured(
            {
                "size": Measure(worker.artifact.size_bytes, "bytes"),
                "fused_operators": Measure(sum(fused.values()), ""),
                "loaded_memory": Measure(worker.loaded.memory_bytes, "bytes"),
                "peak_memory": Measure(worker.peak_memory_bytes(), "bytes"),
            }
        )

    def _gates(self, method: Method) -> list[Gate]:
        return [gate for gate in self.gates if gate.spec.method == method]

    def _result(self, parts: Sequence[Measured], gates: Sequence[Gate]) -> Result:
        for part in parts:
            self.record.measures.update(part.measures)
        return Result(parts, gates, self.record)


def _all_decided(gates: Sequence[Gate]) -> Callable[[Measured], bool]:
    return lambda measured: all(
        judge(gate, measured).verdict is not Verdict.INCONCLUSIVE for gate in gates
    )


def _decided(measure: str, gates: Sequence[Gate]) -> Callable[[Measured], bool]:
    """Whether a paired ratio is known well enough for its gates, or well enough to be shown."""
    if its := [gate for gate in gates if gate.measure == measure]:
        return _all_decided(its)
    return lambda measured: measured.measures[measure].n >= _UNGATED_PAIRS


def _evidence(pairs: WorkerPairs) -> dict[str, Any]:
    return {"contaminated_pairs": asdict(pairs.chances), "processes_compared": pairs.processes}


def _noted(record: Record, failure: Exception) -> str:
    """Why there is nothing to compare with at the other revision, also kept in the record."""
    record.evidence["against"]["unable"] = str(failure)
    return str(failure)


def _against_baseline(gate: Gate) -> bool:
    return gate.limit.rule in ("min_ratio", "max_ratio")


def _beside(ours: Measured, baseline: Measured) -> Measured:
    return replace(ours, baseline=baseline.measures)
