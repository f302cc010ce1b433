"""A run like one of the translation suite: eleven variants, three of them with problems."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_infperf.records.evidence import Evidence, VariantSettings
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord, Record, RunRecord, Verdict

HOST: dict[str, Any] = {
    "instance_type": "c7i.large",
    "cpu_model": "Intel(R) Xeon(R) Platinum 8488C",
    "logical_cores": 2,
    "physical_cores": 1,
    "affinity": [0, 1],
    "cgroup_cpu_cores": None,
}


def variant(
    name: str,
    threads: int,
    speedup: float | None,
    p50_ms: float,
    bleu: float,
    size_mb: float,
    *,
    suite: str = "translation",
    metric: str = "bleu",
) -> Record:
    p50_s = p50_ms / 1000
    record = Record(
        suite,
        name,
        measures={
            "latency_p50": Measure(p50_s, "s", p50_s * 0.98, p50_s * 1.02, 459),
            "latency_p99": Measure(p50_s * 2.31, "s", p50_s * 2.1, None, 459),
            "throughput": Measure(1.9 / p50_s, "samples/s", n=400),
            metric: Measure(bleu, "points", bleu - 0.9, bleu + 0.9, 400),
            "size": Measure(size_mb * 1e6, "bytes"),
            "peak_memory": Measure((size_mb + 410) * 1e6, "bytes"),
        },
        gates=[GateRecord(metric, "min = 22.0", Verdict.PASS, "", "", "thresholds.toml:9")],
        settings=VariantSettings(
            threads=threads,
            baseline=name == "torch",
            baseline_id="torch",
            confidence=0.99,
            samples=400,
        ),
        evidence=Evidence(quality_metric=metric),
    )
    if speedup is not None:
        record.measures["speedup"] = Measure(speedup, "ratio", speedup * 0.986, speedup * 1.015, 24)
        difference = Measure(bleu - 26.2, "points", bleu - 26.6, bleu - 25.8, 400)
        record.evidence.differences = {metric: difference}
    return record


def gate(measure: str, verdict: Verdict, why: str, remedy: str, line: int) -> GateRecord:
    return GateRecord(measure, "min = 1.5", verdict, why, remedy, f"thresholds.toml:{line}")


@pytest.fixture
def translation() -> RunRecord:
    return translation_run()


def translation_run() -> RunRecord:
    records = [
        variant("torch", 1, None, 83.4, 26.2, 310),
        variant("torch-int8", 1, 1.18, 70.6, 25.93, 152),
        variant("torch-bf16", 2, 1.62, 51.4, 26.21, 155),
        variant("onnx", 2, 1.87, 44.6, 26.2, 312),
        variant("onnx-fused", 2, 2.11, 39.5, 26.2, 312),
        variant("onnx-int8", 1, 1.31, 63.6, 25.74, 80.3),
        variant("onnx-fused-int8", 1, 3.21, 25.9, 25.7, 80.3),
        variant("ctranslate2", 1, 4.02, 20.7, 26.19, 309),
        variant("ctranslate2-int8", 1, 7.33, 11.4, 25.88, 78.9),
        variant("distilled", 1, 2.3, 36.2, 25.3, 121),
        variant("distilled-fastest", 1, 31.46, 2.651, 25.22, 31.2),
    ]
    records[5].gates.append(
        gate(
            "speedup",
            Verdict.FAIL,
            "speedup 1.31x [1.29, 1.33] is below the limit of 1.50x (24 pairs)",
            "search the number of threads (--infperf-threads best), fuse the graph, and quantise "
            "to int8 only where the CPU has instructions for it (VNNI, AMX, i8mm); if it is meant "
            "to be so, move the limit at thresholds.toml:12",
            12,
        )
    )
    records[3].gates.append(
        gate(
            "latency_p90",
            Verdict.INCONCLUSIVE,
            "latency_p90: 31 of 312 queries took longer than 80 ms, p90 is 79.6 ms [77.1 ms, 83 "
            "ms], too few queries to tell",
            "about 24 s more would decide, 2.2 times as long as now: raise --infperf-budget, or "
            "budget_s in thresholds.toml, accordingly",
            17,
        )
    )
    records[7] = Record(
        "translation",
        "ctranslate2",
        settings=VariantSettings(baseline=False, baseline_id="torch"),
        errors=[
            "the worker of ctranslate2 was ended by signal 9 (SIGKILL): likely out of memory\n"
            "Its last output:\n  \x1b[31mloading model.bin\x1b[0m"
        ],
    )
    return RunRecord(HOST, {"commit": "1" * 40, "branch": "main", "dirty": False}, records)
