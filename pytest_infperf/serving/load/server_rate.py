"""The highest rate at which one server meets a limit on latency: MLPerf's Server scenario."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from pytest_infperf.serving.load.driver import MIN_REQUESTS, LoadDriver, undisturbed
from pytest_infperf.serving.load.rate_search import SustainedRate, highest_rate
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.stats import quantile
from pytest_infperf.suite.loads import Server

_FIRST_RATE = 0.5
"""First rate of the search, as a fraction of the rate of one connection."""
_CONFIRMATIONS = 5
_STEP_DOWN = 0.8
_MAX_SEEDS = 1000


def keeps_limit(load: Server, run: LoadRun) -> bool:
    """Return whether the percentile was within the limit and no request failed."""
    latencies = [reply.latency_s for reply in run.answered]
    within = quantile.percentile(latencies, load.percentile) <= load.limit_s
    return within and not run.errors


def keeps_limit_surely(load: Server, run: LoadRun, confidence: float) -> bool | None:
    """Return whether the percentile is within the limit at this confidence; None if undecided.

    The limit is broken if a request failed, or if the median is over it, as under overload.
    """
    latencies = np.array([reply.latency_s for reply in run.answered])
    if run.errors or np.median(latencies) > load.limit_s:
        return False
    over = int((latencies > load.limit_s).sum())
    depend = quantile.dependence_at(latencies, load.percentile, load.limit_s)
    return quantile.percentile_decision(
        over, len(latencies), load.percentile, confidence, depend=depend
    )


def confirmed_rate(
    driver: LoadDriver, load: Server, seconds: Callable[[float], float]
) -> tuple[SustainedRate, LoadRun]:
    """Return the highest rate that meets the limit in a long run, and that run.

    The rate of the search is run again for the duration that `seconds` returns for it. If it breaks
    the limit, it is lowered, a few times at most. If no rate meets the limit, the lowest one is
    returned with its run.
    """
    sustained, run = _search(driver, load)
    if not sustained.rate:
        return sustained, run
    for attempt in range(_CONFIRMATIONS):
        if attempt:
            sustained = SustainedRate(sustained.rate * _STEP_DOWN, sustained.rate, sustained.trials)
        seed = driver.seed - 1 - attempt
        run = undisturbed(partial(driver.at_rate, sustained.rate, seconds(sustained.rate), seed))
        if keeps_limit(load, run):
            break
    return sustained, run


def _search(driver: LoadDriver, load: Server) -> tuple[SustainedRate, LoadRun]:
    """Return the highest rate in short trials, and the last run.

    The rate is 0 if no trial meets the limit. If the server breaks the limit even without a queue,
    no rate is tried.
    """
    run = driver.one_by_one(MIN_REQUESTS)
    first = _FIRST_RATE / run.service_mean_s
    if not keeps_limit(load, run):
        return SustainedRate(0.0, first, {}), run
    seeds = iter(range(driver.seed, driver.seed + _MAX_SEEDS))

    def is_sustained(rate: float) -> bool:
        nonlocal run
        run = driver.at_rate(rate, load.trial_lasts_s, next(seeds))
        return keeps_limit(load, run)

    return highest_rate(is_sustained, first, load.precision), run
