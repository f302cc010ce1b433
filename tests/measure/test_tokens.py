"""Times of generated tokens, computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_infperf.measure.throughput import NOT_COUNTED
from pytest_infperf.measure.tokens import TOGETHER, WHOLE_OUTPUTS, TokenTimes
from pytest_infperf.worker.messages import BlockDone

MS = 1_000_000


def block(query_ms: list[int], token_ms: list[list[int]] | None) -> BlockDone:
    """Return a block of queries with prompts of 4 tokens and outputs of 3."""
    return BlockDone(
        [ms * MS for ms in query_ms],
        [ms * MS for ms in query_ms],
        sum(query_ms) * MS,
        0,
        None,
        None,
        [(4, 3)] * len(query_ms),
        token_ms and [[ms * MS for ms in arrivals] for arrivals in token_ms],
    )


def test_streamed_tokens() -> None:
    times = TokenTimes()
    times.add(block([50, 72], [[10, 30, 50], [20, 50, 70]]))
    measured = times.measured(["ttft_p75"], 0.95)
    values = {name: measure.value for name, measure in measured.measures.items()}
    assert values["ttft_mean"] == pytest.approx(0.015)
    assert values["tpot_mean"] == pytest.approx((0.040 / 2 + 0.052 / 2) / 2)
    assert values["itl_mean"] == pytest.approx(0.09 / 4)
    assert values["itl_p50"] == pytest.approx(0.02)
    assert values["ttft_p75"] == pytest.approx(0.02)
    assert values["output_tokens_rate"] == pytest.approx(6 / 0.122)
    assert values["prompt_tokens_rate"] == pytest.approx(8 / 0.03)
    assert measured.token_times_s["itl"] == pytest.approx([0.02, 0.02, 0.03, 0.02])
    assert measured.missing == {}


def test_whole_outputs_have_a_first_token_at_their_end() -> None:
    times = TokenTimes()
    times.add(block([50, 70], None))
    measured = times.measured([], 0.95)
    assert measured.measures["ttft_mean"].value == pytest.approx(0.06)
    assert measured.measures["output_tokens_rate"].value == pytest.approx(6 / 0.12)
    assert measured.missing["tpot_mean"] == measured.missing["itl_p99"] == WHOLE_OUTPUTS
    assert "tpot_mean" not in measured.measures


def test_tokens_that_arrive_together_have_one_gap() -> None:
    times = TokenTimes()
    times.add(block([50], [[10, 30, 30]]))
    measured = times.measured([], 0.95)
    assert measured.token_times_s["itl"] == pytest.approx([0.02])
    assert measured.measures["tpot_mean"].value == pytest.approx(0.04 / 2)


def test_outputs_of_one_token_have_no_time_per_token() -> None:
    times = TokenTimes()
    times.add(replace(block([50], [[45]]), tokens=[(4, 1)]))
    measured = times.measured([], 0.95)
    assert measured.missing["tpot_mean"] == "no output has a second token"
    assert measured.measures["ttft_mean"].value == pytest.approx(0.045)


def test_models_that_generate_no_tokens_have_no_such_measures() -> None:
    times = TokenTimes()
    times.add(BlockDone([50 * MS], [50 * MS], 50 * MS, 0, None, None))
    assert times.measured([], 0.95).measures == {}


def test_outputs_without_a_counted_token_have_no_rate() -> None:
    times = TokenTimes()
    times.add(replace(block([50], None), tokens=[(0, 0)]))
    measured = times.measured([], 0.95)
    assert measured.missing["output_tokens_rate"] == NOT_COUNTED
    assert measured.missing["prompt_tokens_rate"] == NOT_COUNTED
    assert measured.measures["ttft_mean"].value == pytest.approx(0.05)


def test_tokens_that_a_server_does_not_count_have_a_first_time_and_gaps() -> None:
    times = TokenTimes()
    times.add(replace(block([50], [[10, 30, 50]]), tokens=[(0, 0)]))
    measured = times.measured([], 0.95)
    assert measured.measures["ttft_mean"].value == pytest.approx(0.01)
    assert measured.measures["itl_mean"].value == pytest.approx(0.02)
    assert measured.missing["tpot_mean"] == NOT_COUNTED
    assert measured.missing["output_tokens_rate"] == NOT_COUNTED


def test_an_output_whose_tokens_all_arrive_together_has_no_time_per_token() -> None:
    times = TokenTimes()
    times.add(block([50], [[49, 49, 49]]))
    measured = times.measured([], 0.95)
    assert measured.missing["tpot_mean"] == measured.missing["itl_p50"] == TOGETHER
    times.add(block([50], [[10, 30, 50]]))
    assert times.measured([], 0.95).measures["tpot_mean"].value == pytest.approx(0.04 / 2)


def test_the_only_token_before_the_end_token_is_one_arrival() -> None:
    times = TokenTimes()
    times.add(replace(block([50], [[20]]), tokens=[(4, 2)]))
    assert times.measured([], 0.95).measures["tpot_mean"].value == pytest.approx(0.03)
