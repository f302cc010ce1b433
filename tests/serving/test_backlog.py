"""The number of waiting requests that keeps a latency limit, compared with simulated queues."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_infperf.serving.backlog import LatencyLimit, mean_waiting, sustained_rate

REQUESTS = 400_000
CONSTANT = [0.010] * 100
EXPONENTIAL = list(-0.010 * np.log1p(-(np.arange(100) + 0.5) / 100))
MIXED = [0.005] * 90 + [0.050] * 10
LIMIT = LatencyLimit(0.2, 0.99)


def simulated(service_s: list[float], rate: float) -> tuple[np.ndarray, float]:
    """Return the latencies of one first-come, first-served process, and its average queue."""
    generator = np.random.default_rng(7)
    between = generator.exponential(1 / rate, REQUESTS)
    service = generator.choice(service_s, REQUESTS)
    # Lindley: a walk of service less the time to the next arrival, above its lowest point so far.
    walk = np.concatenate([[0.0], np.cumsum(service[:-1] - between[1:])])
    waiting = walk - np.minimum.accumulate(walk)
    return waiting + service, float(waiting.sum() / between.sum())


@pytest.mark.parametrize("service_s", [CONSTANT, EXPONENTIAL, MIXED])
def test_a_simulated_queue_keeps_the_limit_at_that_rate_and_is_as_long_as_said(
    service_s: list[float],
) -> None:
    rate = sustained_rate(service_s, LIMIT)
    latencies, waiting = simulated(service_s, rate)
    late = (latencies > LIMIT.seconds).mean()
    assert 0.002 < late <= 0.01  # kept, and not by wasting most of the instance
    assert waiting == pytest.approx(mean_waiting(service_s, rate), rel=0.1)


def test_an_average_of_latency_by_processing_time_would_break_the_limit() -> None:
    """AWS's formula gives the queue that is processed in time; as an average, it is too long."""
    worked_off = LIMIT.seconds / 0.010
    busy = worked_off + 1 - np.sqrt(worked_off**2 + 1)  # the M/D/1 queue of that length
    latencies, waiting = simulated(CONSTANT, busy / 0.010)
    assert waiting == pytest.approx(worked_off, rel=0.25)
    assert (latencies > LIMIT.seconds).mean() > 0.2


def test_exponential_service_has_just_under_the_rate_of_the_exact_formula() -> None:
    """M/M/1: latency is exponential with the rate that is left, here ln(100) / 0.2 s."""
    fine = list(-0.010 * np.log1p(-(np.arange(20_000) + 0.5) / 20_000))
    exact = 100 - np.log(100) / 0.2
    assert 0.97 * exact < sustained_rate(fine, LIMIT) <= exact
    assert mean_waiting(fine, 50) == pytest.approx(0.5**2 / (1 - 0.5), rel=0.01)


def test_no_rate_keeps_a_limit_that_service_alone_breaks() -> None:
    assert sustained_rate([0.3] * 100, LIMIT) == 0
    assert sustained_rate([0.01] * 98 + [0.3] * 2, LIMIT) == 0


def test_a_wider_limit_gives_a_higher_rate_up_to_one_per_service_time() -> None:
    rates = [sustained_rate(CONSTANT, LatencyLimit(limit)) for limit in (0.02, 0.1, 1.0, 10.0)]
    assert rates == sorted(rates)
    assert 99 < rates[-1] < 100
