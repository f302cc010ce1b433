"""The cards at the top of the page: the main number of each suite."""

from __future__ import annotations

import pytest

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord, Record, RunRecord, Verdict
from pytest_infperf.report.html.summary import Card, suite_card


def card(records: list[Record]) -> Card:
    return suite_card("translation", records, "main", "suite-1")


def test_the_fastest_variant_that_keeps_every_limit(translation: RunRecord) -> None:
    made = card(translation.records)
    assert (made.number, made.unit) == ("31.46x", "as fast as torch")
    assert made.sentence == "distilled-fastest is the fastest variant that meets every limit."
    assert list(made.facts) == ["confidence interval [31.02, 31.93]", "BLEU 25.22 (-0.98)"]
    assert made.mark == "fail"


def test_a_variant_that_breaks_a_limit_is_not_the_fastest(translation: RunRecord) -> None:
    translation.records[-1].gates.append(GateRecord("bleu", "min = 26", Verdict.FAIL, "low"))
    assert card(translation.records).number == "7.33x"


def test_the_baseline_is_the_fastest_if_all_others_are_slower(translation: RunRecord) -> None:
    slow = translation.records[1]
    slow.measures["speedup"] = Measure(0.8, "ratio", 0.7, 0.9, 24)
    made = card([translation.records[0], slow])
    assert made.sentence.startswith("torch is the fastest variant")
    assert (made.number, made.unit) == ("83.4 ms", "median latency")


def test_without_limits_the_card_says_so(translation: RunRecord) -> None:
    for record in translation.records:
        record.gates.clear()
    assert card(translation.records).sentence.endswith("variant (no limit was judged).")


def test_no_variant_keeps_every_limit(translation: RunRecord) -> None:
    failing = translation.records[1]
    failing.gates[:] = [GateRecord("accuracy", "min = 80", Verdict.FAIL, "35 is below 80")]
    assert card([failing]).sentence == "No variant meets every limit."
    failing.measures["accuracy"] = Measure(35.0, "points")
    made = card([failing])
    assert (made.number, made.unit, made.is_bad) == ("35.00", "accuracy", True)
    assert made.sentence == (
        f"{failing.variant} breaks its limit: min = 80. No variant meets every limit."
    )


@pytest.mark.parametrize(
    ("verdict", "is_bad", "words"),
    [
        (Verdict.FAIL, True, "onnx is slower than at main."),
        (Verdict.PASS, False, "onnx is slower than at main, within its limit."),
        (None, False, "onnx is slower than at main."),
    ],
)
def test_the_worst_regression_comes_before_the_fastest(
    translation: RunRecord, verdict: Verdict | None, is_bad: bool, words: str
) -> None:
    changes = {1: (0.04, 0.01), 3: (0.12, 0.1), 4: (0.3, -0.1)}
    for index, (value, low) in changes.items():
        regression = Measure(value, "fraction", low, value + 0.02)
        translation.records[index].measures["regression"] = regression
    translation.records[3].gates = (
        [GateRecord("regression", "max = 0.05", verdict, "slow")] if verdict else []
    )
    made = card(translation.records)
    assert (made.number, made.unit, made.is_bad) == ("+12.0 %", "query time", is_bad)
    assert made.sentence == words


def test_the_lowest_cost_is_named(translation: RunRecord) -> None:
    translation.records[1].measures["cost_per_million"] = Measure(0.5, "usd")
    translation.records[2].measures["cost_per_million"] = Measure(0.25, "usd")
    fact = "lowest cost: 0.25 USD for a million requests, by torch-bf16"
    assert fact in card(translation.records).facts


def test_a_suite_of_servers_has_the_load_with_the_most_requests() -> None:
    measures = {
        "requests_per_hour@users=1": Measure(1000, "requests/h"),
        "requests_per_hour@users=4": Measure(3600.4, "requests/h"),
    }
    gate = GateRecord("error_rate@users=4", "max = 0.01", Verdict.PASS, "")
    made = card([Record("serving", "onnx", measures, [gate])])
    assert (made.number, made.unit) == ("3,600", "requests/h under load users=4")
