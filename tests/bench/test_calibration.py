"""A small version of `python -m bench calibration`: verdicts on hosts with known ratios."""

from __future__ import annotations

import pytest

from bench.calibration import HOSTS, MARGIN, RUNS, TRUTHS, Cell, Outcome, page, play
from bench.simulated_hosts import Host

LOUD = [
    Host(0.01, 0.02, "correlated"),
    Host(0.01, 0.02, "drift"),
    Host(0.05, 0.02, "heavy tails"),
    Host(0.15, 0.01, "bursts"),
]
USUAL = [Host(0.05, 0.01, "normal"), Host(0.05, 0.0, "heavy tails")]


@pytest.mark.parametrize("host", LOUD, ids=str)
def test_few_runs_at_the_limit_have_a_verdict(host: Host) -> None:
    outcome = play(Cell(host, MARGIN), 300)
    assert outcome.passed <= 0.02
    assert outcome.failed <= 0.02
    assert outcome.covered >= 0.97


@pytest.mark.parametrize("host", USUAL, ids=str)
def test_equal_code_passes_and_a_slowdown_fails(host: Host) -> None:
    equal, slower = play(Cell(host, 0.0), 200), play(Cell(host, 0.05), 200)
    assert equal.passed >= 0.9
    assert equal.failed == 0
    assert slower.failed >= 0.97
    assert slower.passed == 0
    assert slower.seconds < equal.seconds


def test_the_page_has_a_row_for_each_host() -> None:
    outcome = Outcome(passed=0.25, failed=0.0075, covered=0.99, seconds=11.2)
    text = page({Cell(host, truth): outcome for host in HOSTS for truth in TRUTHS})
    assert f"{RUNS:,} runs for each host" in text
    rows = text.splitlines()[-len(HOSTS) :]
    assert rows[0] == (
        "| normal | 1 %, 0 % | 0.75, 25.00 % | 99.0 % "
        "| 25 / 0.75 / 74.2 | 25 / 0.75 / 74.2 | 25 / 0.75 / 74.2 | 25 / 0.75 / 74.2 "
        "| 25 / 0.75 / 74.2 | 11, 11 |"
    )
