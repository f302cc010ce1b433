"""A report as it is read: every kind of verdict, an error and doubts, one below the other."""

from __future__ import annotations

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
            errors=["the worker of ctranslate2 was ended\nIts last words:\nno memory"],
        ),
    ],
)

REPORT = """\
translation · 5 variants · baseline torch · 99 % confidence · 400 samples
on Some CPU, 2 cores
variant      thr     speed-up      p50     p99   BLEU (diff.)  verdict
───────────────────────────────────────────────────────────────────────────
torch *        1  1.00x          80 ms  190 ms  26.00          pass
onnx           1  1.51x ±0.02    53 ms  126 ms  26.00 (-0.20)  inconclusive
onnx-int8      1  0.91x ±0.02  87.9 ms  209 ms  26.00 (-0.20)  FAIL
onnx-fused     1  1.87x ±0.02  42.8 ms  102 ms  26.00 (-0.20)  pass
ctranslate2    1      -              -       -      -          error

variant      samples/s    size  memory
──────────────────────────────────────
torch *             24  310 MB  720 MB
onnx              36.2  310 MB  720 MB
onnx-int8         21.8  310 MB  720 MB
onnx-fused        44.9  310 MB  720 MB
ctranslate2          -       -       -

FAIL translation[onnx-int8] speedup 0.91x is below the limit (thresholds.toml:9)
    fuse the graph
    this CPU has no int8 dot products (VNNI, AMX, i8mm): int8 may be slower

FAIL translation[onnx-int8] size 310 MB is above the limit (thresholds.toml:9)
    distil the model

INCONCLUSIVE translation[onnx] speedup 1.51x is too uncertain
    (thresholds.toml:9)
    measure on

ERROR translation[ctranslate2] the worker of ctranslate2 was ended
    Its last words:
    no memory"""


def test_everything_that_can_come_out_of_a_run_in_80_columns() -> None:
    assert render(RUN, 80, colour=False) == REPORT


def test_a_wide_terminal_says_the_same_with_one_table() -> None:
    wide = render(RUN, 200, colour=False)
    assert sum(line.startswith("variant ") for line in wide.splitlines()) == 1
    below = REPORT[REPORT.index("FAIL translation") :]
    assert wide.split("\n\n", 1)[1].split() == below.split()
