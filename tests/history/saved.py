"""Saved runs to compare: a few measures of two variants on a fictitious host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_infperf.records import file as record_file
from pytest_infperf.records.evidence import Evidence, VariantSettings
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record, RunRecord

HOST: dict[str, Any] = {
    "cpu_model": "Model A",
    "logical_cores": 2,
    "affinity": [0, 1],
    "instruction_sets": ["avx2"],
}


def run_record(
    p50_ms: float = 10.0,
    *,
    spread: float = 0.01,
    bleu: float = 30.0,
    host: dict[str, Any] | None = None,
    commit: str = "a" * 40,
    when: str = "2026-11-01T00:00:00+00:00",
    baseline_ms: float = 20.0,
    dirty: bool = False,
) -> RunRecord:
    records = [
        Record(
            "suite",
            variant,
            {
                "latency_p50": Measure(
                    ms / 1e3, "s", ms / 1e3 * (1 - spread), ms / 1e3 * (1 + spread), 500
                ),
                "size": Measure(1000, "bytes"),
                "bleu": Measure(bleu, "points", bleu - 0.2, bleu + 0.2, 400),
            },
            settings=VariantSettings(baseline_id="base"),
            evidence=Evidence(quality_metric="bleu"),
        )
        for variant, ms in (("base", baseline_ms), ("fast", p50_ms))
    ]
    revision = {"commit": commit, "branch": "main", "dirty": dirty}
    return RunRecord(host or HOST, revision, records, when=when)


def write_benchmark_file(folder: Path, number: int, run: RunRecord, machine: str = "Linux") -> Path:
    """Write a run like pytest-benchmark does, and return the path."""
    document = record_file.to_document(run)
    assert run.revision
    benchmarks = [
        {"name": record["variant"], "extra_info": {**record, "host": document["host"]}}
        for record in document["records"]
    ]
    path = folder / machine / f"{number:04}_{run.revision['commit']}_x.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    revision = run.revision
    path.write_text(
        json.dumps(
            {
                "datetime": run.when,
                "commit_info": {
                    "id": revision["commit"],
                    "branch": revision["branch"],
                    "dirty": revision["dirty"],
                },
                "benchmarks": benchmarks,
            }
        )
    )
    return path
