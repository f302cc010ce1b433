"""The highest rate at which one server meets limits on times: MLPerf's Server scenario.

A rate is sustained if the percentile of each limited kind of time is within its limit: of the
latency or, for language models, of the time to the first token and the time per output token, as in
MLPerf Inference [1]_.

References
----------
.. [1] MLPerf Inference rules, Server scenario, and "Constraints for the Closed division" with the
   limits on the 99th percentiles of TTFT and TPOT:
   https://github.com/mlcommons/inference_policies/blob/master/inference_rules.adoc
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from pytest_infperf.serving.load.driver import MIN_REQUESTS, LoadDriver, undisturbed
from pytest_infperf.serving.load.rate_search import SustainedRate, highest_rate
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.stats import quantile
from pytest_infperf.suite.loads import Server

ERRORS = "errors"
"""In place of a limit: failed requests."""
_FIRST_RATE = 0.5
"""First rate of the search, as a fraction of the rate of one connection."""
_CONFIRMATIONS = 5
_STEP_DOWN = 0.8
_MAX_SEEDS = 1000
_RESPONSES = 4
"""Minimum duration of a trial in responses, if times of tokens are limited: the number of responses
that are generated at the same time grows for the duration of one response."""


def broken_limit(load: Server, run: LoadRun) -> str:
    """Return the limit that the percentile exceeds by the largest factor; empty if it meets all.

    It is a kind of times, such as `ttft`, or `ERRORS` if a request failed. Raises WorkerError if
    such times are not known.
    """
    if run.errors:
        return ERRORS
    factors = {
        kind: quantile.percentile(run.times_of(kind), load.percentile) / limit_s
        for kind, limit_s in load.limits_s.items()
    }
    worst = max(factors, key=lambda kind: factors[kind])
    return worst if factors[worst] > 1 else ""


def keeps_limits_surely(load: Server, run: LoadRun, confidence: float) -> bool | None:
    """Return whether the percentiles are within all limits at this confidence; None if undecided.

    A rate is accepted if each limit is decided to hold, and rejected if one is decided to be
    broken. The errors of these rejections add up, and those of the acceptances do not, because all
    limits must be accepted (Berger 1982, "Multiparameter Hypothesis Testing and Acceptance
    Sampling", on intersection-union tests).
    """
    if run.errors:
        return False
    rejecting = 1 - (1 - confidence) / len(load.limits_s)
    decisions = [
        _is_within(run.times_of(kind), limit_s, load.percentile, confidence, rejecting)
        for kind, limit_s in load.limits_s.items()
    ]
    if False in decisions:
        return False
    return None if None in decisions else True


def _is_within(
    times_s: Sequence[float], limit_s: float, p: float, accepting: float, rejecting: float
) -> bool | None:
    """Return whether a percentile is within a limit at these confidences; None if undecided.

    The limit is broken if the median is over it, as under overload.
    """
    times = np.array(times_s)
    if np.median(times) > limit_s:
        return False
    over = int((times > limit_s).sum())
    depend = quantile.dependence_at(times, p, limit_s)
    return quantile.percentile_decision(over, len(times), p, rejecting, accepting, depend)


def confirmed_rate(
    driver: LoadDriver, load: Server, seconds: Callable[[float], float]
) -> tuple[SustainedRate, LoadRun]:
    """Return the highest rate that meets the limits in a long run, and that run.

    The rate of the search is run again for the duration that `seconds` returns for it. If it breaks
    a limit, it is lowered, a few times at most. If no rate meets the limits, the lowest one is
    returned with its run. Raises WorkerError if limited times are not known.
    """
    sustained, run = _search(driver, load)
    if not sustained.rate:
        return sustained, run
    for attempt in range(_CONFIRMATIONS):
        if attempt:
            rate = sustained.rate
            sustained = replace(sustained, rate=rate * _STEP_DOWN, too_high=rate)
        seed = driver.seed - 1 - attempt
        run = undisturbed(partial(driver.at_rate, sustained.rate, seconds(sustained.rate), seed))
        limit = broken_limit(load, run)
        if not limit:
            break
        sustained = replace(sustained, broken={**sustained.broken, sustained.rate: limit})
    return sustained, run


def _search(driver: LoadDriver, load: Server) -> tuple[SustainedRate, LoadRun]:
    """Return the highest rate in short trials, and the last run.

    The rate is 0 if no trial meets the limits. If the server breaks a limit even without a queue,
    no rate is tried.
    """
    run = driver.one_by_one(MIN_REQUESTS)
    first = _FIRST_RATE / run.service_mean_s
    if limit := broken_limit(load, run):
        return SustainedRate(0.0, first, {}, broken={0.0: limit}), run
    seeds = iter(range(driver.seed, driver.seed + _MAX_SEEDS))
    trial_s = load.trial_lasts_s
    if load.limits_tokens:
        trial_s = max(trial_s, _RESPONSES * run.service_mean_s)
    broken: dict[float, str] = {}

    def is_sustained(rate: float) -> bool:
        nonlocal run
        run = driver.at_rate(rate, trial_s, next(seeds))
        if limit := broken_limit(load, run):
            broken[rate] = limit
        return not limit

    found = highest_rate(is_sustained, first, load.precision)
    return replace(found, broken=broken), run
