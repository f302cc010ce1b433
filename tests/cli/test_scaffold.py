"""What init writes: a suite that loads, and limits that what was seen keeps to."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_infperf import thresholds
from pytest_infperf.cli.init import scaffold
from pytest_infperf.cli.init.scaffold import BACKENDS, SuiteDraft
from pytest_infperf.records.catalogue import Catalogue, quality_spec
from pytest_infperf.records.evidence import Evidence
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record
from pytest_infperf.suite.suite import Suite
from pytest_infperf.thresholds.rendering import to_toml

CATALOGUE = Catalogue((quality_spec("bleu", "points", True),))


def draft(*variants: str) -> SuiteDraft:
    data = {"source": "a.txt", "reference": "b.txt"}
    return SuiteDraft("mine", "translation", 'mo"del', data, variants, Path("suites/mine"))


def seen(variant: str, speedup: float, p90_s: float = 0.1) -> Record:
    record = Record(
        "mine",
        variant,
        {
            "latency_p90": Measure(p90_s, "s", p90_s * 0.9, p90_s * 1.1),
            "peak_memory": Measure(5e8, "bytes"),
            "bleu": Measure(26.0, "points", 24.0, 28.0),
        },
        evidence=Evidence(
            quality_metric="bleu", differences={"bleu": Measure(-0.3, "points", -0.74, 0.1)}
        ),
    )
    if variant != "torch":
        record.measures["speedup"] = Measure(speedup, "ratio", speedup * 0.9, speedup * 1.1, 24)
    return record


def test_the_suite_loads_and_has_the_variants() -> None:
    """Of every backend that can be asked for: its id is the one by which it was asked for."""
    written = scaffold.files(draft(*BACKENDS))
    names: dict[str, object] = {}
    exec(written[Path("suites/mine/suite.py")], names)
    suite = names["suite"]
    assert isinstance(suite, Suite)
    assert suite.variant_ids == list(BACKENDS)
    assert suite.model == 'mo"del'
    assert Path("suites/mine/test_mine.py") in written


def test_limits_leave_room_for_what_was_seen() -> None:
    runs = [[seen("torch", 1), seen("onnx", 4.0)], [seen("torch", 1, 0.2), seen("onnx", 3.0)]]
    section = scaffold.limits(draft("torch", "onnx"), runs, 0.031)
    text = "schema = 1\n\n" + to_toml({"mine": section})
    gates = thresholds.parse(text, "thresholds.toml").gates_for(
        "mine", "onnx", CATALOGUE, [], "torch"
    )
    limits = {(gate.measure, gate.limit.rule): gate.limit.value for gate in gates}
    assert limits["speedup", "min"] == pytest.approx(3.0 * 0.9 * 0.85, abs=0.01)
    assert limits["bleu", "min"] == 24.0
    assert limits["bleu", "max_drop"] == 0.8
    assert limits["regression", "max"] == pytest.approx(0.04)
    baseline = thresholds.parse(text, "thresholds.toml").gates_for(
        "mine", "torch", CATALOGUE, [], "torch"
    )
    slowest = {gate.measure: gate.limit.value for gate in baseline}["latency_p90"]
    assert slowest == pytest.approx(0.2 * 1.1 * 1.2, abs=1e-3)


@pytest.mark.parametrize("task", list(scaffold.TASKS))
def test_every_task_has_a_suite_that_loads(task: str) -> None:
    kind = scaffold.TASKS[task]
    data = {keyword: f"{keyword}.file" for keyword in kind.data}
    asked = SuiteDraft("mine", task, "model", data, kind.variants, Path("suites/mine"))
    names: dict[str, object] = {}
    exec(scaffold.files(asked)[Path("suites/mine/suite.py")], names)
    suite = names["suite"]
    assert isinstance(suite, Suite)
    assert type(suite.task).__name__ == kind.class_name
    assert {k: getattr(suite.task, k) for k in kind.data} == data


def test_an_error_rate_gets_a_limit_from_above() -> None:
    record = Record(
        "mine",
        "onnx",
        {"wer": Measure(2.0, "points", 1.0, 3.11)},
        evidence=Evidence(
            quality_metric="wer", differences={"wer": Measure(0.1, "points", -0.2, 0.42)}
        ),
    )
    section = scaffold.limits(draft("torch"), [[Record("mine", "torch"), record]], 0.02)
    assert section.variants["onnx"].gates["wer"] == {"max": 3.2, "max_rise": 0.5}
