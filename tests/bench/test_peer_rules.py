"""Verdicts of the rules of other tools, and of ours, on minutes with known times."""

from __future__ import annotations

import math
from itertools import cycle, islice

import pytest

from bench import peer_recordings
from bench.peer_recordings import Minute, ProcessPair, ReplayedPairs, ToolRun
from bench.peer_rules import (
    Answer,
    asv,
    asv_samples,
    benchmark_rounds,
    codspeed,
    codspeed_rounds,
    inference_doctor,
    infperf,
    mann_whitney,
    pytest_benchmark,
)

PASS_MS = 10.0
START_S = 0.5
JITTER = (0.0, 0.003, 0.001, 0.004, 0.002)
"""Additional time of passes in turn, as fractions, with which statistics have a spread."""


def run(side: str, pass_ms: float = PASS_MS, seconds: float = 4.5, more: float = 0.0) -> ToolRun:
    """Return a process whose passes take `pass_ms`; every second pass takes `more` of it longer."""
    times = (
        round(pass_ms * 1e6 * (1 + jitter + (more if i % 2 else 0.0)))
        for i, jitter in enumerate(cycle(JITTER))
    )
    return ToolRun(side, START_S, [*islice(times, math.ceil(1e3 * seconds / pass_ms))])  # type: ignore[arg-type]


def minute(slowdown: float, more: float = 0.0, pass_ms: float = PASS_MS) -> Minute:
    """Return a minute whose later commit takes longer, in every second pass also by `more`."""
    runs = {
        stage.name: [
            run(side, pass_ms) if side == "base" else run(side, pass_ms * (1 + slowdown), more=more)
            for side in stage.order
        ]
        for stage in peer_recordings.STAGES
    }
    d = math.log1p(slowdown)
    pairs: list[tuple[float | None, float]] = [(d + 0.004 * (i % 5 - 2), 0.1) for i in range(100)]
    processes = [ProcessPair(START_S, [*pairs]) for _ in range(5)]
    return Minute(slowdown, processes, runs)


EQUAL = minute(0.0)
SLOWER = minute(0.10)
FASTER = minute(-0.10)


def test_pytest_benchmark_measures_rounds_for_a_second_after_a_first_call() -> None:
    assert benchmark_rounds(ToolRun("base", 0.0, [10_000_000] * 450)) == [0.01] * 100


def test_pytest_benchmark_measures_at_least_five_rounds() -> None:
    assert len(benchmark_rounds(ToolRun("base", 0.0, [600_000_000] * 8))) == 5


def test_pytest_benchmark_needs_its_rounds() -> None:
    with pytest.raises(ValueError, match="too few passes for pytest-benchmark"):
        benchmark_rounds(ToolRun("base", 0.0, [10_000_000] * 5))


@pytest.mark.parametrize("limit", ["min:5%", "median:5%", "mean:5%"])
def test_pytest_benchmark_finds_changes_above_the_limit(limit: str) -> None:
    assert pytest_benchmark(limit, EQUAL).call == "not slower"
    assert pytest_benchmark(limit, minute(0.04)).call == "not slower"
    assert pytest_benchmark(limit, minute(0.06)).call == "slower"
    assert pytest_benchmark(limit, FASTER).call == "not slower"


def test_pytest_benchmark_compares_the_field_of_the_limit() -> None:
    sometimes_slower = minute(0.0, more=0.2)
    assert pytest_benchmark("min:5%", sometimes_slower).call == "not slower"
    assert pytest_benchmark("mean:5%", sometimes_slower).call == "slower"


def test_the_time_of_pytest_benchmark_is_that_of_two_processes() -> None:
    assert pytest_benchmark("min:5%", EQUAL).seconds == pytest.approx(2 * START_S + 2.02, abs=0.01)


def test_mann_whitney_finds_any_difference_that_rounds_show() -> None:
    assert mann_whitney(EQUAL).call == "not slower"
    assert mann_whitney(minute(0.01)).call == "slower"
    assert mann_whitney(FASTER).call == "not slower"


def test_asv_takes_five_samples_of_at_least_10_ms_after_a_warm_up() -> None:
    samples, number, seconds = asv_samples(ToolRun("base", 0.0, [12_000_000] * 30))
    assert samples == pytest.approx([0.012] * 5)
    assert number == 1
    assert seconds == pytest.approx((9 + 5) * 0.012)  # 9 calls are the first above 0.1 s


def test_asv_joins_short_calls_to_a_sample() -> None:
    samples, number, _ = asv_samples(ToolRun("base", 0.0, [3_000_000] * 100))
    assert samples == pytest.approx([0.003] * 5)
    assert number == 4  # 3 calls are below 10 ms


def test_asv_needs_all_samples() -> None:
    with pytest.raises(ValueError, match="too few passes for asv"):
        asv_samples(ToolRun("base", 0.0, [12_000_000] * 13))


def test_asv_finds_medians_that_differ_by_the_factor() -> None:
    pytest.importorskip("asv")
    assert asv(1.05, EQUAL).call == "not slower"
    assert asv(1.05, minute(0.03)).call == "not slower"
    assert asv(1.05, SLOWER).call == "slower"
    assert asv(1.2, SLOWER).call == "not slower"
    assert asv(1.05, FASTER).call == "not slower"


def test_asv_wants_samples_that_differ_too() -> None:
    """The medians differ by 20 %, but with such a spread, no test at 0.002 is significant."""
    pytest.importorskip("asv")
    times = (10, 14, 10, 14, 14, 10, 14, 10, 14, 14)
    runs = [
        ToolRun("base", 0.0, [10_000_000] * 11 + [ms * 1_000_000 for ms in (10, 10, 14, 10, 14)]),
        *(
            ToolRun("head", 0.0, [10_000_000] * 11 + [ms * 1_000_000 for ms in times[i : i + 5]])
            for i in (0, 5)
        ),
        ToolRun("base", 0.0, [10_000_000] * 11 + [ms * 1_000_000 for ms in (14, 10, 10, 10, 14)]),
    ]
    assert asv(1.05, Minute(0.0, [], {"rounds": runs})).call == "not slower"


def test_codspeed_measures_3_s_after_a_first_call_and_1_s_of_warm_up() -> None:
    rounds, calls, warm_ups = codspeed_rounds(ToolRun("base", 0.0, [10_000_000] * 450))
    assert rounds == [10_000_000] * 300
    assert calls == 1
    assert warm_ups == 101  # the first above 1 s


def test_codspeed_joins_short_calls_to_a_round_of_1_ms() -> None:
    rounds, calls, _ = codspeed_rounds(ToolRun("base", 0.0, [250_000] * 18_000))
    assert calls == 4
    assert rounds == [1_000_000] * 3000


def test_codspeed_needs_rounds() -> None:
    with pytest.raises(ValueError, match="too few passes for CodSpeed"):
        codspeed_rounds(ToolRun("base", 0.0, [10_000_000] * 50))


def test_codspeed_finds_a_loss_of_performance_above_the_threshold() -> None:
    pytest.importorskip("pytest_codspeed")
    assert codspeed(0.05, EQUAL).call == "not slower"
    assert codspeed(0.05, SLOWER).call == "slower"
    assert codspeed(0.10, SLOWER).call == "not slower"  # 1 / 1.1 is a loss of 9.1 %
    assert codspeed(0.05, FASTER).call == "not slower"


def test_inference_doctor_judges_the_interval_of_means() -> None:
    pytest.importorskip("inference_doctor")
    assert inference_doctor(2, EQUAL).call == "not slower"
    assert inference_doctor(2, SLOWER).call == "slower"
    assert inference_doctor(10, minute(0.05)).call == "not slower"


def test_inference_doctor_leaves_intervals_with_the_threshold_undecided() -> None:
    pytest.importorskip("inference_doctor")
    runs = [
        run(side, PASS_MS * (1 + 0.02 * i + (0.05 if side == "head" else 0.0)))
        for i in range(5)
        for side in ("base", "head")
    ]
    answer = inference_doctor(5, Minute(0.05, [], {"runs": runs}))
    assert answer.call == "undecided"
    assert answer.seconds == pytest.approx(10 * START_S + 45, abs=0.5)


def test_our_rule_judges_the_recorded_pairs() -> None:
    assert infperf(40, EQUAL).call == "not slower"
    assert infperf(40, SLOWER).call == "slower"
    assert infperf(20, minute(0.02)).call == "undecided"


def test_our_rule_uses_its_budget_if_it_cannot_decide() -> None:
    answer = infperf(20, minute(0.02))
    assert isinstance(answer, Answer)
    assert answer.seconds == pytest.approx(20 + START_S, abs=0.5)


def test_a_replay_changes_processes_where_the_recording_did() -> None:
    pairs = ReplayedPairs(
        [ProcessPair(0.5, [(0.1, 1.0), (None, 1.0)]), ProcessPair(0.25, [(0.2, 1.0)])]
    )
    for _ in range(3):
        pairs.renew()
        pairs.measure()
    assert pairs.by_process == [[0.1], [0.2]]
    assert pairs.seconds == 3.25


def test_a_recording_must_not_be_shorter_than_the_budget() -> None:
    with pytest.raises(ValueError, match=r"recording ends after 2\.0 s"):
        infperf(20, Minute(0.0, [ProcessPair(0.5, [(0.0, 0.1)] * 20)], {}))
