"""A whole report with every kind of verdict, an error and doubts."""

from __future__ import annotations

import pytest
from syrupy.assertion import SnapshotAssertion

from pytest_infperf.records.evidence import Evidence, VariantSettings
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord, Record, RunRecord, Verdict
from pytest_infperf.report.terminal import render

SETTINGS = VariantSettings(threads=1, baseline_id="torch", confidence=0.99, samples=400)
HOST = {"cpu_model": "Some CPU", "logical_cores": 2, "physical_cores": 2}


def record(name: str, speedup: float | None, *gates: GateRecord, doubts: list[str]) -> Record:
    measures = {
        "latency_p50": Measure(0.08 / (speedup or 1), "s"),
        "latency_p99": Measure(0.19 / (speedup or 1), "s"),
        "throughput": Measure(24 * (speedup or 1), "samples/s"),
        "bleu": Measure(26.0, "points", 25.0, 27.0, 400),
        "size": Measure(310e6, "bytes"),
        "peak_memory": Measure(720e6, "bytes"),
    }
    evidence = Evidence(quality_metric="bleu")
    if speedup:
        measures["speedup"] = Measure(speedup, "ratio", speedup - 0.02, speedup + 0.02, 24)
        evidence.differences = {"bleu": Measure(-0.2, "points")}
    if doubts:
        evidence.doubts = doubts
    return Record("translation", name, measures, [*gates], SETTINGS, evidence)


def gate(measure: str, verdict: Verdict, why: str, remedy: str) -> GateRecord:
    return GateRecord(measure, "min = 1.5", verdict, why, remedy, "thresholds.toml:9")


DOUBT = "this CPU has no int8 dot products (VNNI, AMX, i8mm): int8 may be slower"
RUN = RunRecord(
    HOST,
    None,
    [
        record("torch", None, gate("bleu", Verdict.PASS, "kept", ""), doubts=[]),
        record(
            "onnx",
            1.51,
            gate("speedup", Verdict.INCONCLUSIVE, "speedup 1.51x is too uncertain", "measure on"),
            doubts=[],
        ),
        record(
            "onnx-int8",
            0.91,
            gate("speedup", Verdict.FAIL, "speedup 0.91x is below the limit", "fuse the graph"),
            gate("size", Verdict.FAIL, "size 310 MB is above the limit", "distil the model"),
            doubts=[DOUBT],
        ),
        record(
            "onnx-fused",
            1.87,
            gate("speedup", Verdict.PASS, "kept", ""),
            doubts=["nothing was fused"],
        ),
        Record(
            "translation",
            "ctranslate2",
            settings=SETTINGS,
            errors=["the worker of ctranslate2 was ended\nIts last output:\nno memory"],
        ),
    ],
)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_kind_of_verdict_in_one_report(snapshot: SnapshotAssertion, width: int) -> None:
    assert render(RUN, width, colour=False) == snapshot


def test_a_broken_limit_is_followed_by_its_remedy_and_doubts() -> None:
    lines = render(RUN, 80, colour=False).splitlines()
    broken = lines.index(
        "FAIL translation[onnx-int8] speedup 0.91x is below the limit (thresholds.toml:9)"
    )
    assert lines[broken + 1 : broken + 4] == ["    fuse the graph", f"    {DOUBT}", ""]


def test_a_wide_terminal_says_the_same_with_one_table() -> None:
    narrow, wide = (render(RUN, width, colour=False) for width in (80, 200))
    assert sum(line.startswith("variant ") for line in narrow.splitlines()) == 2
    assert sum(line.startswith("variant ") for line in wide.splitlines()) == 1
    below = narrow[narrow.index("FAIL translation") :]
    assert wide[wide.index("FAIL translation") :].split() == below.split()
