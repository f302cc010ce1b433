"""The measurement of a server under load.

Average response time (ART) is `latency_mean`; average CPU usage (ACU) is `cpu_usage`, in cores.
Latency is measured from the time at which a request was due (Tene, "How NOT to Measure Latency", on
coordinated omission), in the steady state of a run only. Errors and requests per hour are those of
the whole run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, compress

from pytest_infperf import errors
from pytest_infperf.errors import WorkerError
from pytest_infperf.records.evidence import LoadEvidence
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import at
from pytest_infperf.serving.load import summary
from pytest_infperf.serving.load.driver import LoadDriver, undisturbed
from pytest_infperf.serving.load.rate_search import SustainedRate
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.serving.load.server_rate import (
    broken_limit,
    confirmed_rate,
    keeps_limits_surely,
)
from pytest_infperf.stats import quantile
from pytest_infperf.suite.loads import Load, OpenLoop, Server, Soak, Stream

__tracebackhide__ = errors.meant_for_the_user

_PROBE_REQUESTS = 8
"""Number of requests that are sent one by one before the load."""
_ROOM = 4
"""Factor on the minimum number of answers that bound a percentile: the parts of a run that are not
steady are cut, and they can be three quarters of it."""
_RESERVE = 1.25
"""Factor on the minimum number of requests for a decision, because their number is random."""
_LOOKS = 2
"""Number of runs for a limit; the second lasts `_LONGER` times as long, if the first is undecided.

Each run is judged alone, at a confidence with which the error of all runs stays within the suite's.
"""
_LONGER = 2
_FAR = 2
"""Factor from which a rate counts as far from the highest one."""
_SEEDS_APART = 100
_LOOK_SEEDS = 1000
_UNDECIDED = "its limits were undecided"
_SOAK_CONFIRMATION_S = 60.0
"""Duration for which the highest rate of a soak is confirmed, in seconds: in an hour, a rate that
is 1 % too high would break the limit."""


@dataclass(frozen=True)
class LoadResult:
    """The measures of one load, and their evidence for the record."""

    measured: Measured
    evidence: LoadEvidence
    refusal: str = ""
    """Start of the text of the first answer that is an error; empty if there is none."""


@dataclass(frozen=True)
class LoadTest:
    """The measurement of the loads of one test on one server."""

    driver: LoadDriver
    confidence: float
    """Confidence of the intervals."""
    percentiles: Sequence[float]
    """Percentiles with limits, as fractions."""
    budget_s: float
    """Measuring time that a load may be extended to, in seconds."""
    usd_per_hour: float | None
    """Price of the host, in US dollars per hour; None if it is not known."""
    highest_rate: float | None
    """Result of an earlier search of the scenario Server, in requests per second."""
    limited_rates: Sequence[float] = ()
    """Limits of the highest rate, in requests per second."""
    token_percentiles: Sequence[str] = ()
    """Percentiles of times of tokens with limits, such as `ttft_p75`."""
    is_undecided: Callable[[Measured], bool] | None = None
    """Returns whether another run could decide the limits on these measures; None without limits.
    It must be false if a limit is broken, because another run would hide it."""

    def measure(self, load: Load, seconds: float) -> LoadResult:
        """Run a load for that many seconds, and return its measures.

        The load lasts longer, within the budget, if a percentile with a limit would have no bound.
        If its limits are then undecided, it is run again for longer, within the budget.
        A load with a number of requests ends with them, after that many seconds at most.
        It is repeated if its generator was late or busy and no worker of the server died. If one
        died, even before the load, the measures are in doubt. Raises WorkerError if no request was
        answered.
        """
        probe = self.driver.one_by_one(_PROBE_REQUESTS)
        if isinstance(load, Soak):
            return self._soak(load, seconds)
        if isinstance(load, Server):
            return self._highest_rate(load, seconds)
        self.driver.report_progress("")
        if load.total is not None:
            return self._result(load, self._run(load, seconds))
        rate = load.rate if isinstance(load, OpenLoop) else 1 / probe.service_mean_s
        return self._until_decided(load, seconds, rate)

    def _until_decided(self, load: Load, seconds: float, rate: float) -> LoadResult:
        """Run a load, and run it again for longer if its limits are undecided."""
        confidence = self._shared(_LOOKS) if self.is_undecided else self.confidence
        first, *further = self._looks(self._extended(seconds, rate, confidence))
        result = self._result(load, self._run(load, first), confidence=confidence)
        for lasts_s in further:
            if not self.is_undecided or result.measured.doubt:
                break
            if not self.is_undecided(result.measured):
                break
            run = self._run(load, lasts_s)
            run = replace(run, discarded_runs=(_UNDECIDED, *run.discarded_runs))
            result = self._result(load, run, confidence=confidence)
        return result

    def _run(self, load: Load, seconds: float) -> LoadRun:
        return undisturbed(partial(self.driver.run, load, seconds))

    def _looks(self, seconds: float) -> list[float]:
        """Return the durations of the runs for a limit; further ones must fit in the budget."""
        durations = [seconds * _LONGER**look for look in range(_LOOKS)]
        within = [spent_s <= self.budget_s for spent_s in accumulate(durations)]
        return [seconds, *compress(durations[1:], within[1:])]

    def _soak(self, load: Soak, seconds: float) -> LoadResult:
        highest = self.highest_rate
        if not highest:
            confirmed_s = min(seconds, _SOAK_CONFIRMATION_S)
            seconds_at = partial(self._extended, confirmed_s)
            highest = confirmed_rate(self.driver, load, seconds_at)[0].rate
        rate = load.fraction * highest
        if not rate:
            raise WorkerError(f"no rate meets the {load.limit}, so the soak has no rate")
        self.driver.report_progress(f"at {rate:.3g} requests/s")
        return self._result(load, self.driver.run(OpenLoop(rate), seconds))

    def _highest_rate(self, load: Server, seconds: float) -> LoadResult:
        sustained, run = confirmed_rate(self.driver, load, partial(self._extended, seconds))
        doubt = ""
        if sustained.rate and broken_limit(load, run):
            doubt = (
                f"a run of {run.seconds:.3g} s at {sustained.rate:.3g} requests/s did not keep "
                f"the {load.limit}"
            )
        return self._result(load, run, self._judged(load, sustained, seconds), doubt)

    def _judged(self, load: Server, sustained: SustainedRate, seconds: float) -> SustainedRate:
        """Run the load at the rate of each limit, and return the search's result with the verdicts.

        A search ends near the highest rate, where a run is undecided; at a rate further away, the
        limits on times are clearly met or broken. Rates far above the highest one are broken
        without a run. For rates far below it, one run in between is tried first, because faster
        requests decide sooner. If no rate meets the limits, no other is tried.
        """
        judged: dict[float, bool | None] = {}
        if not sustained.rate:
            return sustained
        between, too_far = sustained.rate / _FAR, _FAR * (sustained.too_high or math.inf)
        runs_of = {
            limit: [between, limit] if limit < between else [limit]
            for limit in sorted(set(self.limited_rates) - {0.0})
        }
        run_rates = {rate for rates in runs_of.values() for rate in rates if rate <= too_far}
        confidence = self._shared(_LOOKS * max(1, len(run_rates)))
        for limit, rates in runs_of.items():
            if limit > too_far:
                judged[limit] = False
                continue
            for rate in rates:
                if rate not in judged:
                    seed = self.driver.seed - _SEEDS_APART - len(judged)
                    judged[rate] = self._is_surely_sustained(load, rate, seconds, seed, confidence)
                if judged[rate]:
                    break
        return replace(sustained, judged=judged)

    def _is_surely_sustained(
        self, load: Server, rate: float, seconds: float, seed: int, confidence: float
    ) -> bool | None:
        """Return whether the load's limits are met at a rate; None if no run decides."""
        needed = _RESERVE * quantile.queries_needed(load.percentile, confidence)
        lasts_s = max(seconds, min(self.budget_s, needed / rate))
        for look, look_s in enumerate(self._looks(lasts_s)):
            look_seed = seed - look * _LOOK_SEEDS
            run = undisturbed(partial(self.driver.at_rate, rate, look_s, look_seed))
            verdict = None if run.doubt else keeps_limits_surely(load, run, confidence)
            if verdict is not None:
                return verdict
        return None

    def _shared(self, decisions: int) -> float:
        """Return the confidence of each of several decisions that share the error."""
        return 1 - (1 - self.confidence) / decisions

    def _extended(self, seconds: float, rate: float, confidence: float | None = None) -> float:
        """Return the duration after which enough requests are answered to bound the percentiles."""
        tail = (1 - (confidence or self.confidence)) / 2
        needed = [quantile.queries_needed(p, 1 - tail) for p in self.percentiles]
        return max(seconds, min(self.budget_s, _ROOM * max(needed, default=0) / rate))

    def _result(
        self,
        load: Load,
        run: LoadRun,
        sustained: SustainedRate | None = None,
        doubt: str = "",
        *,
        confidence: float | None = None,
    ) -> LoadResult:
        confidence = confidence or self.confidence
        died = self.driver.died_workers
        doubt = doubt or run.doubt or (f"{died} of the server's workers died" if died else "")
        means_s: list[float] = []
        if isinstance(load, Stream) and load.requests and load.repeats > 1:
            means_s = run.means_of(load.requests)
        of_tokens = Measured()
        if run.generates:
            of_tokens = summary.token_measures(run, self.token_percentiles, confidence)
        measures = {
            **dict(summary.measures(run, confidence, self.usd_per_hour, sustained, means_s)),
            **of_tokens.measures,
        }
        measured = Measured(
            {at(name, load.name): measure for name, measure in measures.items()},
            missing={at(name, load.name): reason for name, reason in of_tokens.missing.items()},
            token_times_s=of_tokens.token_times_s,
            times_s=[reply.latency_s for reply in run.steady_replies],
            confidence=confidence,
            seconds=run.seconds,
            doubt=doubt,
        )
        evidence = summary.evidence(run, sustained, doubt, died)
        evidence = replace(evidence, repetition_means_s=means_s)
        return LoadResult(measured, evidence, self.driver.refusal(run))
