"""Changes between two runs with their intervals, also between hosts, and limits on changes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.history import fail_on
from pytest_infperf.history.comparison import Change, Comparison, compare
from pytest_infperf.history.fail_on import Finding
from pytest_infperf.history.store import SavedRun
from pytest_infperf.records.evidence import VariantSettings
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import RunRecord
from tests.history.saved import HOST, run_record


def saved(run: RunRecord) -> SavedRun:
    return SavedRun(Path("run.json"), datetime(2026, 11, 1, tzinfo=UTC), run)


def compared(before: RunRecord, after: RunRecord) -> Comparison:
    return compare(saved(before), saved(after))


def change(comparison: Comparison, measure: str, variant: str = "fast") -> Change:
    (found,) = [c for c in comparison.changes if (c.variant, c.measure) == (variant, measure)]
    return found


def test_a_change_has_the_interval_of_both_sides() -> None:
    found = change(compared(run_record(10), run_record(12)), "latency_p50")
    assert found.basis == "values"
    assert found.change
    assert found.change.value == pytest.approx(0.2)
    # Both sides spread by one per cent: together by about that times the square root of two.
    assert found.change.low == pytest.approx(1.2 * (1 - 0.0142) - 1, abs=2e-3)
    assert found.change.high == pytest.approx(1.2 * (1 + 0.0142) - 1, abs=2e-3)
    assert found.is_beyond_both_intervals


def test_a_change_within_the_interval_is_not_beyond_it() -> None:
    found = change(compared(run_record(10, spread=0.2), run_record(11, spread=0.2)), "latency_p50")
    assert not found.is_beyond_both_intervals


def test_quality_is_compared_in_points() -> None:
    found = change(compared(run_record(bleu=30), run_record(bleu=29)), "bleu")
    assert found.change
    assert (found.change.value, found.change.unit) == (pytest.approx(-1), "points")
    assert found.change.low == pytest.approx(-1 - 0.2 * 2**0.5)


def test_scores_of_the_same_samples_are_exact() -> None:
    before, after = run_record(bleu=30), run_record(bleu=29)
    for run in (before, after):
        run.records[1].settings = VariantSettings(baseline_id="base", seed=0, samples=400)
    found = change(compared(before, after), "bleu").change
    assert found
    assert (found.low, found.high) == (found.value, found.value)


def test_a_branch_of_a_model_that_moved_is_named() -> None:
    before, after = run_record(), run_record()
    for run, commit in ((before, "a" * 40), (after, "b" * 40)):
        for record in run.records:
            record.settings = VariantSettings(model="gpt2@main", model_commit=commit)
    assert not compared(before, before).setting_changes
    first, second = compared(before, after).setting_changes
    assert first.setting == "model"
    assert (first.before, first.after) == ("gpt2@main at aaaaaaaaaa", "gpt2@main at bbbbbbbbbb")
    assert [first.variant, second.variant] == ["base", "fast"]


def test_files_without_the_commit_of_a_model_say_nothing_about_it() -> None:
    before, after = run_record(), run_record()
    before.records[0].settings = VariantSettings(model="gpt2")
    after.records[0].settings = VariantSettings(model="gpt2", model_commit="b" * 40)
    assert not compared(before, after).setting_changes


def test_settings_that_differ_are_named() -> None:
    before, after = run_record(), run_record()
    before.records[1].settings = VariantSettings(
        baseline_id="base", threads=2, recipe={"int8": "dynamic", "fused": True}, batch=8
    )
    after.records[1].settings = VariantSettings(
        baseline_id="base", threads=1, recipe={"int8": "static"}, batch=8, seed=0
    )
    found = {(c.setting, c.before, c.after) for c in compared(before, after).setting_changes}
    assert found == {
        ("threads", "2", "1"),
        ("recipe.int8", "dynamic", "static"),
        ("recipe.fused", "True", "not set"),
    }


@pytest.mark.parametrize("value", [254e6, 253e6])
def test_memory_that_was_read_once_is_not_beyond_an_interval(value: float) -> None:
    found = change(
        compared(
            with_measure("peak_memory", Measure(254e6, "bytes")),
            with_measure("peak_memory", Measure(value, "bytes")),
        ),
        "peak_memory",
    )
    assert found.is_exact
    assert not found.is_beyond_both_intervals


def test_two_counts_of_zero_are_equal() -> None:
    run = with_measure("fused_operators", Measure(0, ""))
    found = change(compared(run, run), "fused_operators").change
    assert found
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_equal_sizes_have_no_change() -> None:
    found = change(compared(run_record(), run_record()), "size").change
    assert found
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_between_hosts_times_are_compared_as_ratios_to_the_baseline() -> None:
    other = {**HOST, "cpu_model": "Model B"}
    slower_host = run_record(30, baseline_ms=40, host=other)
    comparison = compared(run_record(10, baseline_ms=20), slower_host)
    assert comparison.differing_facts == ["cpu_model"]
    found = change(comparison, "latency_p50")
    assert found.basis == "ratios to the baseline"
    assert found.change
    assert found.change.value == pytest.approx(0.5), "from half of the baseline's to three quarters"
    assert change(comparison, "latency_p50", "base").basis is None
    assert change(comparison, "size").basis == "values"


def with_measure(name: str, measure: Measure, host: dict[str, Any] | None = None) -> RunRecord:
    run = run_record(host=host)
    for record in run.records:
        record.measures[name] = measure
    return run


OF_A_HOST = {
    "real_time_factor": "ratio",
    "cpu_time": "s",
    "throughput": "samples/s",
    "cost_per_million": "usd",
    "loaded_memory": "bytes",
    "latency_p99@length=512": "s",
    "throughput@batch=8": "samples/s",
    "latency_p99.9@users=4": "s",
    "highest_rate@Server": "requests/s",
    "requests_per_hour@users=4": "requests/h",
    "cpu_usage@users=4": "cores",
    "peak_memory@users=4": "bytes",
    "memory_growth@soak": "MB/h",
    "energy_per_request@users=4": "J",
}
ALIKE = {
    "speedup": "ratio",
    "regression": "fraction",
    "agreement": "fraction",
    "f1": "fraction",
    "size": "bytes",
    "fused_operators": "",
    "growth@length": "",
}


@pytest.mark.parametrize(("name", "unit"), [*OF_A_HOST.items(), *ALIKE.items()])
def test_measures_that_depend_on_the_host_are_compared_on_equal_hosts(name: str, unit: str) -> None:
    measure = Measure(2.0, unit, 1.9, 2.1)
    other = {**HOST, "cpu_model": "Model B"}
    alike = change(compared(with_measure(name, measure), with_measure(name, measure)), name)
    assert alike.basis == "values"
    unlike = compared(with_measure(name, measure), with_measure(name, measure, other))
    found = change(unlike, name)
    if name in ALIKE:
        assert found.basis == "values"
    else:
        assert found.basis == "ratios to the baseline"
        assert change(unlike, name, "base").basis is None


def test_errors_under_a_load_are_not_compared_between_hosts() -> None:
    before = with_measure("error_rate@users=4", Measure(0.0, "fraction"))
    after = with_measure(
        "error_rate@users=4", Measure(0.1, "fraction"), {**HOST, "cpu_model": "Model B"}
    )
    assert change(compared(before, after), "error_rate@users=4").basis is None
    before.host = after.host
    assert change(compared(before, after), "error_rate@users=4").basis == "values"


def test_a_fraction_keeps_its_interval() -> None:
    """Scores of the same samples are exact; a regression that was measured twice is not."""
    runs = [
        with_measure("regression", Measure(value, "fraction", value - 0.01, value + 0.01))
        for value in (1.5, 0.1)
    ]
    for run in runs:
        run.records[1].settings = VariantSettings(baseline_id="base", seed=0, samples=400)
    found = change(compared(*runs), "regression").change
    assert found
    assert found.value == pytest.approx(-1.4)
    assert found.low == pytest.approx(-1.4 - 0.01 * 2**0.5)
    assert found.high == pytest.approx(-1.4 + 0.01 * 2**0.5)


def test_a_measure_of_one_run_only_is_listed() -> None:
    before, after = run_record(), run_record()
    after.records[1].measures["chrf"] = Measure(50, "points")
    del after.records[0]
    comparison = compared(before, after)
    assert change(comparison, "latency_p50", "base").after is None
    assert change(comparison, "chrf").before is None


@pytest.mark.parametrize(
    ("limit", "after", "expected"),
    [
        ("latency_p50:5%", run_record(12), Finding.BROKEN),
        ("latency_p50:25%", run_record(12), Finding.KEPT),
        ("latency_p50:20%", run_record(12), Finding.INCONCLUSIVE),
        ("latency_p50:-5%", run_record(8), Finding.BROKEN),
        ("latency_p50:5%", run_record(8), Finding.KEPT),
        ("latency_p50:1 ms", run_record(12), Finding.BROKEN),
        ("latency_p50:3 ms", run_record(12), Finding.KEPT),
        ("bleu:-0.5", run_record(bleu=29), Finding.BROKEN),
        ("bleu:-2", run_record(bleu=29), Finding.KEPT),
        ("bleu:-1%", run_record(bleu=29), Finding.BROKEN),
        ("bleu:-0.5", run_record(bleu=31), Finding.KEPT),
        ("size:+1%", run_record(), Finding.KEPT),
    ],
)
def test_a_limit_is_judged_by_the_whole_interval(
    limit: str, after: RunRecord, expected: Finding
) -> None:
    changes = [c for c in compared(run_record(10), after).changes if c.variant == "fast"]
    (judged,) = fail_on.judge(changes, fail_on.parse(limit))
    assert judged.finding is expected, fail_on.describe(judged)


def test_every_limit_is_judged_on_every_variant() -> None:
    changes = compared(run_record(10), run_record(12)).changes
    judged = list(fail_on.judge(changes, fail_on.parse("latency_p50:5%, bleu:-0.5")))
    broken = [j.change.variant for j in judged if j.finding is Finding.BROKEN]
    assert len(judged) == 4
    assert broken == ["fast"]
    assert fail_on.describe(judged[1]) == (
        "suite[fast] latency_p50 changed by +20.0 %, which is beyond the limit: "
        "a rise of at most 5%"
    )


def test_the_reason_is_named_when_a_limit_cannot_be_judged() -> None:
    before, after = run_record(10), run_record(12, host={**HOST, "cpu_model": "Model B"})
    before.records[0].measures["size"] = Measure(0, "bytes")
    after.records[0].measures["bleu"] = Measure(30, "fraction")
    del after.records[1].measures["size"]
    changes = compared(before, after).changes
    judged = list(fail_on.judge(changes, fail_on.parse("latency_p50:5%,size:5%,bleu:5%")))
    assert [fail_on.describe(j) for j in judged if j.finding is Finding.NOT_COMPARED] == [
        "suite[base] latency_p50 could not be compared: the hosts differ, and there is no baseline "
        "to compare it with; the limit is a rise of at most 5%",
        "suite[base] size is not positive in both runs; the limit is a rise of at most 5%",
        "suite[fast] size was not measured in the run after; the limit is a rise of at most 5%",
        "suite[base] bleu has the unit points in one run and fraction in the other; "
        "the limit is a rise of at most 5%",
    ]


@pytest.mark.parametrize(
    ("before", "after", "finding"),
    [
        (-10.0, -20.0, Finding.BROKEN),
        (-10.0, -10.1, Finding.KEPT),
        (0.0, -20.0, Finding.NOT_COMPARED),
    ],
)
def test_a_share_of_a_negative_value_keeps_its_sign_and_of_zero_is_not_known(
    before: float, after: float, finding: Finding
) -> None:
    changes = compared(run_record(bleu=before), run_record(bleu=after)).changes
    judged = list(fail_on.judge(changes, fail_on.parse("bleu:-5%")))
    assert [each.finding for each in judged] == [finding] * 2
    if finding is Finding.NOT_COMPARED:
        assert fail_on.describe(judged[0]) == (
            "suite[base] bleu is 0 in the run before, so its relative change is unknown; "
            "the limit is a fall of at most 5%"
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a limit"),
        ("latency_p50", "is not a limit"),
        ("latency_p50:", "is not a limit"),
        ("latency_p05:5%", "did you mean latency_p50?"),
        ("latency_p50:5", "has no unit"),
        ("bleu:much", "is not a number"),
    ],
)
def test_a_wrong_limit_is_reported(text: str, message: str) -> None:
    changes = compared(run_record(), run_record()).changes
    with pytest.raises(UserError) as raised:
        list(fail_on.judge(changes, fail_on.parse(text)))
    assert message in str(raised.value)
