"""Verdicts on limits, with reasons and remedies."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import example, given, strategies as st

from pytest_infperf.gates.judge import judge
from pytest_infperf.gates.outlook import of_interval
from pytest_infperf.records.catalogue import Catalogue, LimitRule, quality_spec
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured, Processes
from pytest_infperf.records.quantity import parse_quantity
from pytest_infperf.records.record import GateRecord, Verdict
from pytest_infperf.thresholds.gate import Gate, Limit

CATALOGUE = Catalogue(
    (quality_spec("bleu", "points", True), quality_spec("wer", "fraction", False))
)


def gate(name: str, spec: LimitRule, limit: float | str) -> Gate:
    measure = CATALOGUE.get(name)
    assert measure is not None
    unit = "ratio" if spec.endswith("_ratio") else measure.unit
    written = f'"{limit}"' if isinstance(limit, str) else limit
    bound = Limit(spec, parse_quantity(limit, unit), f"{spec} = {written}")
    return Gate(measure, bound, "thresholds.toml:12", 0.99, "fail")


def speedup(value: float, low: float | None, high: float | None, seconds: float = 5) -> Measured:
    return Measured({"speedup": Measure(value, "ratio", low, high, 24)}, seconds=seconds)


def judged_speedup(low: float | None, high: float | None, limit: float = 1.5) -> GateRecord:
    middle = limit if low is None or high is None else (low + high) / 2
    return judge(gate("speedup", "min", limit), speedup(middle, low, high))


def latencies(fast: int, slow: int, fast_s: float = 0.25, slow_s: float = 0.4) -> Measured:
    """Return latencies of which each is fast or slow, in an order without a pattern."""
    times = [fast_s] * fast + [slow_s] * slow
    return Measured(times_s=random.Random(1).sample(times, len(times)), seconds=10)


def bleu(value: float, low: float, high: float, *, whole_set: bool = False) -> Measured:
    score = Measure(26.0, "points", 25.0, 27.0, 400)
    difference = Measure(value, "points", low, high, 400)
    return Measured({"bleu": score}, differences={"bleu": difference}, whole_set=whole_set)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.51, 1.60, Verdict.PASS),
        (1.50, 1.60, Verdict.PASS),
        (1.40, 1.49, Verdict.FAIL),
        (1.40, 1.50, Verdict.INCONCLUSIVE),
        (1.40, 1.60, Verdict.INCONCLUSIVE),
        (1.60, None, Verdict.PASS),
        (None, 1.40, Verdict.FAIL),
        (1.40, None, Verdict.INCONCLUSIVE),
        (None, None, Verdict.INCONCLUSIVE),
    ],
)
def test_a_lower_limit_is_met_by_an_interval_at_or_above_it(
    low: float | None, high: float | None, verdict: Verdict
) -> None:
    assert judged_speedup(low, high).verdict is verdict


def verdict_of(is_met: bool, is_broken: bool) -> Verdict:
    return Verdict.PASS if is_met else Verdict.FAIL if is_broken else Verdict.INCONCLUSIVE


@given(st.floats(0.5, 3), st.floats(0, 1), st.floats(0.5, 3))
@example(1.0, 0.0, 1.0)
@example(1.0, 0.5, 1.0)
@example(1.0, 0.5, 1.5)
def test_the_whole_interval_must_be_on_the_right_side(
    low: float, width: float, limit: float
) -> None:
    high = low + width
    measured = speedup(low + width / 2, low, high)
    at_least = judge(gate("speedup", "min", limit), measured).verdict
    at_most = judge(gate("speedup", "max", limit), measured).verdict
    assert at_least is verdict_of(is_met=low >= limit, is_broken=high < limit)
    assert at_most is verdict_of(is_met=high <= limit, is_broken=low > limit)


@given(st.floats(0.5, 3), st.floats(0, 1), st.floats(0.5, 3), st.floats(0, 1), st.floats(0, 1))
def test_a_narrower_interval_never_reverses_a_verdict(
    low: float, width: float, limit: float, cut_low: float, cut_high: float
) -> None:
    high = low + width
    narrow_low = low + cut_low * width / 2
    narrow_high = max(narrow_low, high - cut_high * width / 2)
    first = judged_speedup(low, high, limit).verdict
    if first is not Verdict.INCONCLUSIVE:
        assert judged_speedup(narrow_low, narrow_high, limit).verdict is first


def test_the_reason_has_value_interval_limit_and_count() -> None:
    judged = judge(gate("speedup", "min", 1.5), speedup(1.31, 1.28, 1.35))
    assert judged == GateRecord(
        measure="speedup",
        limit="min = 1.5",
        verdict=Verdict.FAIL,
        why="speedup 1.31x [1.28, 1.35] is below the limit of 1.50x (24 pairs)",
        remedy="search the number of threads (--infperf-threads best), fuse the graph, and "
        "quantise to int8 only where the CPU has instructions for it (VNNI, AMX, i8mm); "
        "if this is intended, move the limit at thresholds.toml:12",
        source="thresholds.toml:12",
    )


def test_numbers_that_differ_from_the_limit_are_printed_differently() -> None:
    why = judged_speedup(1.4962, 1.4996).why
    assert why == "speedup 1.4979x [1.4962, 1.4996] is below the limit of 1.5000x (24 pairs)"


@pytest.mark.parametrize(
    ("low", "high", "shown"), [(1.4, None, "[1.40, no bound]"), (None, 1.6, "[no bound, 1.60]")]
)
def test_a_missing_bound_is_in_the_reason(
    low: float | None, high: float | None, shown: str
) -> None:
    assert shown in judged_speedup(low, high).why


def test_the_remedy_of_an_inconclusive_gate_has_a_time() -> None:
    """The interval must halve, which needs 4 times the pairs and a reserve of a tenth."""
    judged = judge(gate("speedup", "min", 1.5), speedup(1.52, 1.48, 1.56, seconds=5))
    assert judged.why == (
        "speedup 1.52x [1.48, 1.56] is too uncertain to tell from the limit of 1.50x (24 pairs)"
    )
    assert judged.remedy == (
        "about 17 s more would decide, 4.4 times as long as now: "
        "raise --infperf-budget, --infperf-time or budget_s in thresholds.toml accordingly"
    )


def test_without_a_bound_the_remedy_is_to_double_the_time() -> None:
    remedy = judge(gate("speedup", "min", 1.5), speedup(1.52, None, None, seconds=5)).remedy
    assert remedy.startswith("at least 5 s more would decide, 2 times as long")


@pytest.mark.parametrize("value", [1.5, 1.50001])
def test_a_value_at_the_limit_has_no_deciding_budget(value: float) -> None:
    remedy = judge(gate("speedup", "min", 1.5), speedup(value, 1.4, 1.6, seconds=20)).remedy
    assert "no reasonable --infperf-budget or budget_s would decide" in remedy


@pytest.mark.parametrize(
    ("fast", "slow", "verdict"),
    [
        (44, 0, Verdict.PASS),
        (43, 0, Verdict.INCONCLUSIVE),
        (43, 1, Verdict.INCONCLUSIVE),
        (37, 7, Verdict.INCONCLUSIVE),
        (32, 12, Verdict.FAIL),
    ],
)
def test_a_percentile_is_judged_by_the_queries_over_its_limit(
    fast: int, slow: int, verdict: Verdict
) -> None:
    assert judge(gate("latency_p90", "max", "300 ms"), latencies(fast, slow)).verdict is verdict


def test_a_query_that_takes_exactly_the_limit_meets_it() -> None:
    at_limit = latencies(459, 0, fast_s=0.3)
    assert judge(gate("latency_p99", "max", "300 ms"), at_limit).verdict is Verdict.PASS
    assert judge(gate("latency_p99", "min", "300 ms"), at_limit).verdict is Verdict.PASS


def test_a_percentile_is_judged_at_the_confidence_of_the_look() -> None:
    sure = Measured(times_s=[0.2] * 44, confidence=0.999)
    assert judge(gate("latency_p90", "max", "300 ms"), sure).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("fast", "slow", "verdict"),
    [(4, 40, Verdict.PASS), (22, 22, Verdict.INCONCLUSIVE), (40, 4, Verdict.FAIL)],
)
def test_a_percentile_can_have_a_lower_limit(fast: int, slow: int, verdict: Verdict) -> None:
    assert judge(gate("latency_p50", "min", "300 ms"), latencies(fast, slow)).verdict is verdict


def test_the_reason_of_a_percentile_counts_the_slow_queries() -> None:
    times = random.Random(2).sample([0.29] * 37 + [0.312] * 5 + [0.4] * 2, 44)
    judged = judge(gate("latency_p90", "max", "300 ms"), Measured(times_s=times, seconds=10))
    assert judged.why == (
        "latency_p90: 7 of 44 queries took longer than 300 ms, p90 is 312 ms [290 ms, no bound], "
        "too few queries to tell"
    )
    assert judged.remedy.startswith("about ")
    assert "--infperf-budget, --infperf-time or budget_s" in judged.remedy


def test_too_few_queries_are_inconclusive_with_the_time_that_is_needed() -> None:
    measured = Measured(times_s=[0.2] * 100, seconds=20)
    remedy = judge(gate("latency_p99", "max", "300 ms"), measured).remedy
    assert remedy.startswith("about 81 s more would decide, 5.1 times as long as now")


def test_size_is_judged_by_its_value() -> None:
    size = Measured({"size": Measure(54.2e6, "bytes")}, {"size": Measure(208e6, "bytes")})
    assert judge(gate("size", "max", "54.2 MB"), size).verdict is Verdict.PASS
    assert judge(gate("size", "max", "54 MB"), size).why == (
        "size 54.2 MB is above the limit of 54 MB"
    )
    assert judge(gate("size", "max_ratio", 0.35), size).why == (
        "size 0.26x of the baseline's meets the limit of 0.35x"
    )
    assert judge(gate("size", "max_ratio", 0.25), size).verdict is Verdict.FAIL


def test_a_paired_ratio_to_the_baseline_is_judged_by_its_own_interval() -> None:
    spec = Catalogue(scores_text=True).get("perplexity")
    assert spec is not None
    limit = Limit("max_ratio", 1.05, "max_ratio = 1.05")
    measured = Measured(
        {"perplexity": Measure(8.4, "", 6.0, 12.0, 100)},
        ratios={"perplexity": Measure(1.02, "ratio", 1.01, 1.03, 100)},
    )
    judged = judge(Gate(spec, limit, "thresholds.toml:7", 0.99, "fail"), measured)
    assert judged.verdict is Verdict.PASS
    assert judged.why == (
        "perplexity 1.02x [1.01, 1.03] of the baseline's meets the limit of 1.05x (100 windows)"
    )


def throughput(value: float, share: float | None, n: int = 400) -> dict[str, Measure]:
    low, high = (None, None) if share is None else (value / (1 + share), value * (1 + share))
    return {"throughput": Measure(value, "samples/s", low, high, n)}


def test_the_interval_of_a_ratio_combines_both_intervals() -> None:
    """Bounds at 3 % and 4 % from the values give bounds at 5 % from the ratio."""
    measured = Measured(throughput(130, 0.03), throughput(100, 0.04))
    assert judge(gate("throughput", "min_ratio", 1.23), measured).verdict is Verdict.PASS
    assert judge(gate("throughput", "min_ratio", 1.25), measured).verdict is Verdict.INCONCLUSIVE
    assert judge(gate("throughput", "min_ratio", 1.38), measured).verdict is Verdict.FAIL
    why = judge(gate("throughput", "min_ratio", 1.38), measured).why
    assert why == (
        "throughput 1.30x [1.24, 1.37] of the baseline's is below the limit of 1.38x (400 samples)"
    )


@pytest.mark.parametrize(("ours", "theirs"), [(None, 0.03), (0.03, None), (None, None)])
def test_a_ratio_to_something_unbounded_is_inconclusive(
    ours: float | None, theirs: float | None
) -> None:
    measured = Measured(throughput(300, ours), throughput(100, theirs))
    judged = judge(gate("throughput", "min_ratio", 1.5), measured)
    assert judged.verdict is Verdict.INCONCLUSIVE


def test_more_throughput_comes_from_more_samples() -> None:
    measured = Measured(throughput(130, 0.03), seconds=10)
    remedy = judge(gate("throughput", "min", 131), measured).remedy
    assert "more would decide" in remedy
    assert "--infperf-full" in remedy


@pytest.mark.parametrize(
    ("difference", "low", "high", "verdict"),
    [
        (-0.3, -0.8, 0.2, Verdict.PASS),
        (-0.5, -1.0, 0.0, Verdict.PASS),
        (-1.35, -1.8, -0.9, Verdict.INCONCLUSIVE),
        (-2.0, -2.9, -1.1, Verdict.FAIL),
        (3.0, 2.0, 4.0, Verdict.PASS),
    ],
)
def test_a_drop_is_baseline_minus_variant(
    difference: float, low: float, high: float, verdict: Verdict
) -> None:
    assert judge(gate("bleu", "max_drop", 1.0), bleu(difference, low, high)).verdict is verdict


def test_the_reason_of_a_drop_reads_as_a_drop() -> None:
    judged = judge(gate("bleu", "max_drop", 1.0), bleu(-2.0, -2.9, -1.1))
    assert judged.why == (
        "bleu drop 2.00 [1.10, 2.90] against the baseline is above the limit of 1.00 (400 samples)"
    )
    assert "thresholds.toml:12" in judged.remedy


@pytest.mark.parametrize(
    ("rise", "verdict"), [(0.012, Verdict.FAIL), (0.004, Verdict.INCONCLUSIVE)]
)
def test_a_rise_is_variant_minus_baseline(rise: float, verdict: Verdict) -> None:
    difference = Measure(rise, "fraction", rise - 0.005, rise + 0.005, 400)
    judged = judge(gate("wer", "max_rise", "0.5 %"), Measured(differences={"wer": difference}))
    assert judged.verdict is verdict


def test_the_remedy_of_an_undecided_quality_is_the_whole_set() -> None:
    judged = judge(gate("bleu", "max_drop", 1.0), bleu(-1.35, -1.8, -0.9))
    assert "--infperf-full" in judged.remedy


def test_quality_of_the_whole_set_is_exact() -> None:
    whole = bleu(-1.35, -1.8, -0.9, whole_set=True)
    assert judge(gate("bleu", "max_drop", 1.0), whole).why == (
        "bleu drop 1.35 against the baseline is above the limit of 1.00 (400 samples)"
    )
    assert judge(gate("bleu", "min", 26.0), whole).verdict is Verdict.PASS
    assert judge(gate("bleu", "min", 26.1), whole).verdict is Verdict.FAIL
    assert judge(gate("bleu", "min", 26.0), bleu(0, 0, 0)).verdict is Verdict.INCONCLUSIVE


def test_throughput_of_the_whole_set_is_not_exact() -> None:
    measured = Measured(throughput(130, 0.03), whole_set=True)
    assert judge(gate("throughput", "min", 129), measured).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("broken", "measured", "missing"),
    [
        (gate("speedup", "min", 1.5), Measured(), "speedup"),
        (gate("latency_p90", "max", "1 s"), Measured(), "latency_p90"),
        (gate("bleu", "max_drop", 1), Measured(), "the difference of bleu to the baseline"),
        (
            gate("size", "max_ratio", 0.5),
            Measured({"size": Measure(1, "bytes")}),
            "the baseline's size",
        ),
        (
            gate("size", "max_ratio", 0.5),
            Measured({"size": Measure(1, "bytes")}, {"size": Measure(0, "bytes")}),
            "a baseline's size above zero",
        ),
    ],
)
def test_a_missing_measure_never_passes(broken: Gate, measured: Measured, missing: str) -> None:
    judged = judge(broken, measured)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.why.startswith(f"{missing} was not measured")


@pytest.mark.parametrize("name", ["latency_mean", "model_time_p50", "agreement"])
def test_an_estimated_measure_without_an_interval_is_inconclusive(name: str) -> None:
    spec = CATALOGUE.get(name)
    assert spec is not None

    def verdict(low: float | None, high: float | None) -> Verdict:
        limit = Limit("max", 0.8, "max = 0.8")
        measured = Measured({name: Measure(0.7, spec.unit, low, high, 9)})
        return judge(Gate(spec, limit, "thresholds.toml:7", 0.99, "fail"), measured).verdict

    assert verdict(0.65, 0.75) is Verdict.PASS
    assert verdict(0.6, 0.9) is Verdict.INCONCLUSIVE
    assert verdict(None, None) is Verdict.INCONCLUSIVE


def test_a_metric_is_judged_in_its_own_unit() -> None:
    spec = quality_spec("width", "px", False)
    measured = Measured({"width": Measure(12.5, "px", 12.1, 12.9, 40)})
    judged = judge(
        Gate(spec, Limit("max", 12, "max = 12"), "thresholds.toml:7", 0.99, "fail"), measured
    )
    assert judged.why == (
        "width 12.5 px [12.1 px, 12.9 px] is above the limit of 12 px (40 samples)"
    )


@pytest.mark.parametrize("name", [*CATALOGUE.names(), "latency_p99.9"])
def test_every_failed_measure_has_a_remedy_with_the_line_of_its_limit(name: str) -> None:
    spec = CATALOGUE.get(name)
    assert spec is not None
    value = Measure(0.9, spec.unit, 0.89, 0.91, 500)
    measured = Measured({name: value}, times_s=[0.9] * 10_000)
    lower = Limit("min", 2.0, "min = 2")
    judged = judge(Gate(spec, lower, "thresholds.toml:7", 0.99, "fail"), measured)
    assert judged.verdict is Verdict.FAIL
    assert judged.remedy.endswith("; if this is intended, move the limit at thresholds.toml:7")


def test_the_module_of_gates_imports_no_numerical_library() -> None:
    code = (
        "import sys, pytest_infperf.gates.judge;"
        "print({'numpy', 'scipy'} & set(sys.modules) or 'none')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "none"


def test_a_percentile_of_latencies_that_drift_is_inconclusive() -> None:
    rising = Measured(times_s=[0.2 + i / 5000 for i in range(500)], seconds=10)
    judged = judge(gate("latency_p90", "max", "290 ms"), rising)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "slow queries come in groups, so 500 count as " in judged.why
    assert judge(gate("latency_p90", "max", "600 ms"), rising).verdict is Verdict.PASS
    assert judge(gate("latency_p90", "max", "20 ms"), rising).verdict is Verdict.FAIL


def test_a_limit_at_the_end_of_an_interval_needs_no_negative_time() -> None:
    """The present number of processes would decide; only the reserve is left to measure."""
    processes = Processes(count=4, freedom=6.0, seconds_each=2.0)
    measured = Measured(seconds=10.0, processes=processes)
    more_s = of_interval(Measure(0.01, "fraction", 0.0, 0.02, 24), (0.0, 0.02), 0.02, measured)
    assert more_s == pytest.approx(1.0)
