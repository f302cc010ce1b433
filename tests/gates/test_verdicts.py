"""The verdicts of several tests and tries on one variant, and their form in its record."""

from __future__ import annotations

import pytest

from pytest_infperf.gates.verdicts import VariantVerdicts
from pytest_infperf.records.catalogue import Catalogue
from pytest_infperf.records.evidence import Evidence
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import GateRecord, Record, Verdict
from pytest_infperf.thresholds.gate import Gate, Limit

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def scored(value: float, difference: float = 0.0) -> Measured:
    return Measured(
        {"accuracy": Measure(value, "points")}, differences={"accuracy": Measure(difference, "")}
    )


def judged(verdict: Verdict, measure: str = "accuracy") -> GateRecord:
    return GateRecord(measure, "min = 90", verdict, f"it is {verdict}", "", "thresholds.toml:3")


@pytest.fixture
def verdicts() -> VariantVerdicts:
    return VariantVerdicts(Record("echo", "fast", evidence=Evidence(quality_metric="accuracy")))


@pytest.mark.parametrize("worst_first", [True, False])
def test_the_worst_verdict_of_two_tests_is_kept_with_value_and_batch(
    verdicts: VariantVerdicts, worst_first: bool
) -> None:
    tests = [("test_batches", 8, FAIL, 75.0), ("test_single", 1, PASS, 100.0)]
    for test, batch, verdict, value in tests if worst_first else reversed(tests):
        measuring = verdicts.begin(test).measured([scored(value, value - 100)], batch)
        measuring.keep(judged(verdict))
        verdicts.end(test)
    record = verdicts.record
    assert [gate.verdict for gate in record.gates] == [FAIL]
    assert record.measures["accuracy"].value == 75
    assert record.evidence.differences == {"accuracy": Measure(-25.0, "")}
    assert record.evidence.quality_batch == 8
    assert [gate.verdict for gate in verdicts.found_by("test_single")[1]] == [PASS]


def test_throughput_is_recorded_with_its_own_batch(verdicts: VariantVerdicts) -> None:
    for batch, verdict in ((32, FAIL), (1, PASS)):
        rate = Measured({"throughput": Measure(float(batch), "samples/s")})
        measuring = verdicts.begin(f"test_{batch}").measured([rate], batch)
        measuring.keep(judged(verdict, "throughput"))
    assert verdicts.record.settings.batch == 32
    assert verdicts.record.measures["throughput"].value == 32


def test_the_worst_verdict_of_a_test_is_kept_if_the_test_continues(
    verdicts: VariantVerdicts,
) -> None:
    attempt = verdicts.begin("test_both")
    for verdict, value in ((FAIL, 75.0), (PASS, 100.0)):
        attempt.measured([scored(value)]).keep(judged(verdict))
    verdicts.end("test_both")
    assert [gate.verdict for gate in verdicts.record.gates] == [FAIL]
    assert verdicts.record.measures["accuracy"].value == 75


def test_a_test_that_is_tried_again_replaces_its_own_verdict(verdicts: VariantVerdicts) -> None:
    for verdict, value in ((INCONCLUSIVE, 88.0), (FAIL, 75.0), (PASS, 100.0)):
        attempt = verdicts.begin("test_it")
        attempt.measured([scored(value)]).keep(judged(verdict))
        verdicts.end("test_it")
    (gate,) = verdicts.record.gates
    assert (gate.verdict, gate.tries) == (PASS, 3)
    assert verdicts.record.measures["accuracy"].value == 100


def test_another_test_keeps_its_verdict_when_one_is_tried_again(verdicts: VariantVerdicts) -> None:
    verdicts.begin("test_other").measured([scored(75)]).keep(judged(FAIL))
    for verdict in (FAIL, PASS):
        verdicts.begin("test_it").measured([scored(100)]).keep(judged(verdict))
        verdicts.end("test_it")
    (gate,) = verdicts.record.gates
    assert (gate.verdict, gate.tries) == (FAIL, 1)


def test_an_interrupted_try_keeps_the_earlier_verdict(verdicts: VariantVerdicts) -> None:
    verdicts.begin("test_it").measured([scored(75)]).keep(judged(FAIL))
    verdicts.end("test_it")
    verdicts.begin("test_it").measured([scored(100)])
    assert [gate.verdict for gate in verdicts.record.gates] == [FAIL]
    assert verdicts.record.measures["accuracy"].value == 75


def test_a_limit_that_a_later_try_did_not_judge_is_not_judged(verdicts: VariantVerdicts) -> None:
    verdicts.begin("test_it").measured([scored(75)]).keep(judged(FAIL))
    verdicts.end("test_it")
    verdicts.begin("test_it")
    verdicts.end("test_it", RuntimeError("the model broke"))
    assert verdicts.record.gates == []
    assert verdicts.record.errors == ["the model broke"]


def test_the_error_of_an_earlier_try_is_gone(verdicts: VariantVerdicts) -> None:
    verdicts.end("test_it", RuntimeError("a fixture broke"))
    assert verdicts.record.errors == ["a fixture broke"]
    verdicts.begin("test_it").measured([scored(100)]).keep(judged(PASS))
    verdicts.end("test_it")
    assert verdicts.record.errors == []
    verdicts.end("test_it", RuntimeError("the teardown broke"), torn_down=True)
    assert verdicts.record.errors == ["the teardown broke"]
    (gate,) = verdicts.record.gates
    assert gate.tries == 2


def test_a_limit_that_no_test_judged_is_inconclusive_after_no_try(
    verdicts: VariantVerdicts,
) -> None:
    size, trend = Catalogue().get("size"), Catalogue().get("trend")
    assert size
    assert trend
    limit = Limit("max", 2.0, "max = 2")
    verdicts.gates = [Gate(spec, limit, "limits:4", 0.99, "fail") for spec in (size, trend)]
    verdicts.begin("test_it").measured([Measured({"size": Measure(1.0, "bytes")})])
    verdicts.end("test_it")
    verdicts.name_unjudged(lambda gate: True)
    assert verdicts.record.gates == []
    verdicts.name_unjudged(lambda gate: False)
    (gate,) = verdicts.record.gates
    assert (gate.measure, gate.verdict, gate.tries) == ("size", INCONCLUSIVE, 0)
    assert gate.why == "size: no test of this run judged the limit max = 2"
    assert "remove the limit at limits:4" in gate.remedy


def test_an_error_is_kept_without_colours_and_control_characters(
    verdicts: VariantVerdicts,
) -> None:
    """Control characters would reach pages, annotations and terminals."""
    verdicts.begin("test")
    verdicts.end("test", RuntimeError("\x1b[31mdied\x1b[0m of\x07\n\tmemory"))
    assert verdicts.record.errors == ["died of\n\tmemory"]
