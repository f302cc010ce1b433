"""A small version of `python -m bench coverage`: few runs of the quick scenarios."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench import coverage
from bench.scenarios.scenario import Run, Scenario
from bench.simulated_times import Series, Times
from pytest_infperf.records.record import Verdict

SCENARIOS = {f"{each.kind}, {each.case}": i for i, each in enumerate(coverage.all_scenarios())}

QUICK = {
    "latency_p90, independent": 15,
    "throughput, 60 batches, independent": 400,
    "throughput, 200 batches, correlated over 10 batches": 400,
    "accuracy, 99 % of 30": 300,
    "accuracy, drop, 1 lost: mostly equal outputs of 100, n = 100": 200,
    "f1, 98 % of 100": 5,
    "growth, independent": 25,
    "trend, 3 earlier runs": 300,
    "history, 1 series of 30 runs": 100,
    "compare, independent": 20,
    "error_rate, 1 % of 3,000 requests": 15,
}


@pytest.mark.parametrize(("name", "runs"), QUICK.items())
def test_no_verdict_is_wrong_more_often_than_its_error(
    name: str, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.simulated_times.TRUTH_DRAWS", 200_000)
    number = SCENARIOS[name]
    scenario = replace(coverage.all_scenarios()[number], runs=runs)
    for finding in scenario.findings(coverage.runs_of(number, 0, runs)):
        assert finding.met, str(finding)


def scenario(*verdicts: Verdict) -> Scenario:
    runs = iter(verdicts)
    return Scenario("kind", "case", lambda rng: Run(next(runs), covers=False), len(verdicts))


def test_more_errors_than_by_chance_miss_the_limit() -> None:
    wrong = [Verdict.PASS] * 30 + [Verdict.FAIL] * 5 + [Verdict.INCONCLUSIVE] * 965
    missing = scenario(*wrong)
    runs = [missing.simulate(np.random.default_rng(0)) for _ in wrong]
    verdicts, intervals = missing.findings(runs)
    assert (verdicts.value, verdicts.met) == (3.0, False)
    assert "5 fail at the limit" in verdicts.detail
    assert (intervals.value, intervals.met) == (100.0, False)
    assert missing.limit == pytest.approx(2.1)


@pytest.mark.parametrize("times", [Times("bursts"), Times("correlated", 0.9), Times("heavy")])
def test_a_series_that_is_drawn_in_pieces_has_the_distribution(times: Times) -> None:
    series = Series(times, np.random.default_rng(1))
    drawn = np.concatenate([series.draw(20) for _ in range(5000)])
    marginal = times.marginal(np.random.default_rng(2), 100_000)
    for p in (0.1, 0.5, 0.85):
        assert np.quantile(drawn, p) == pytest.approx(np.quantile(marginal, p), rel=0.03)


def test_slow_queries_come_in_bursts() -> None:
    slow = Series(Times("bursts"), np.random.default_rng(3)).draw(50_000) > 1.25
    starts = int((slow[1:] & ~slow[:-1]).sum())
    assert slow.mean() == pytest.approx(0.1, abs=0.015)
    assert slow.sum() / starts == pytest.approx(10, rel=0.1)
