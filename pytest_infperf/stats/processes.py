"""Interval of paired log ratios that includes the variation between pairs and between processes.

Two processes of the same code differ in the layout of their memory as long as they run. Pairs
within one pair of processes cannot show this difference, so processes are the unit of the interval
[1]_. Each pair of processes gives one value, the Hodges-Lehmann centre of its pairs. The interval
is Student's t interval of a weighted mean of these values. Since they are few, their variance is
moderated by a prior [2]_: a variance with the weight of a number of processes.

References
----------
.. [1] Kalibera, T. and Jones, R. (2013). Rigorous Benchmarking in Reasonable Time. ISMM.
.. [2] Smyth, G. K. (2004). Linear Models and Empirical Bayes Methods for Assessing Differential
   Expression in Microarray Experiments. Statistical Applications in Genetics and Molecular Biology
   3(1).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pytest_infperf.stats.ratio import hodges_lehmann, signed_rank_interval

_SCALE_CONFIDENCE = 0.9
"""Confidence of the signed-rank interval from which the variance of a pair is estimated."""

_MOST_PROCESSES = 100_000
"""Maximum number of pairs of processes to predict."""
_MOST_RESIDUALS = 1000
"""Maximum number of residuals for this estimate, because their pairwise averages need memory."""


@dataclass(frozen=True)
class Prior:
    """Prior knowledge of the difference between two processes of the same code.

    Parameters
    ----------
    deviation : float
        Standard deviation of the log ratio of two processes of the same code.
    processes : float
        The weight of this knowledge as a number of pairs of processes, greater than 0.
    """

    deviation: float
    processes: float


CAUTIOUS = Prior(deviation=0.01, processes=3)
"""The prior for an unknown host. `python -m bench calibration` shows that wrong verdicts remain
below 1 % even if processes differ by twice as much."""


@dataclass(frozen=True)
class Centre:
    """The centre of log ratios of several pairs of processes."""

    estimate: float
    """The weighted mean over the pairs of processes."""
    error: float
    """The standard error of the estimate, moderated by the prior."""
    freedom: float
    """The degrees of freedom of the standard error."""
    pair_variance: float
    """The variance of the log ratio of one pair within a pair of processes."""
    process_variance: float
    """The variance between pairs of processes, moderated by the prior."""

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the bounds of the confidence interval of the estimate."""
        half_width = self.error * float(special.stdtrit(self.freedom, (1 + confidence) / 2))
        return self.estimate - half_width, self.estimate + half_width

    def pairs_a_process(self, start_s: float, pair_s: float) -> float:
        """Return the optimal number of pairs per pair of processes.

        It minimises the variance of the estimate for a given time: the square root of the ratio of
        the costs times the ratio of the variances (Kalibera and Jones 2013, section 6).

        Parameters
        ----------
        start_s : float
            Start time of a pair of processes, in seconds.
        pair_s : float
            Measuring time of a pair, in seconds.
        """
        return math.sqrt(start_s / pair_s * self.pair_variance / self.process_variance)


def centre(processes: Sequence[Sequence[float]], prior: Prior = CAUTIOUS) -> Centre:
    """Return the centre of paired log ratios, with its standard error.

    The prior predicts the variance of each pair of processes from `prior.deviation` and the
    variance of its pairs. If the values vary more or less than predicted, all variances are scaled
    by a common factor, which is moderated by the weight of the prior.

    Parameters
    ----------
    processes : sequence of sequence of float
        The log ratios of the pairs of each pair of processes, none empty.
    prior : Prior
        Prior knowledge of the difference between processes.

    References
    ----------
    Smyth (2004), section 3.
    """
    values, counts = _values(processes)
    pair_variance = _pair_variance(processes, values, counts)
    expected = prior.deviation**2 + pair_variance / counts
    weights = 1 / expected
    estimate = float(weights @ values / weights.sum())
    freedom = len(values) - 1
    scatter = float(weights @ (values - estimate) ** 2)
    scale = (scatter + prior.processes) / (freedom + prior.processes)
    observed = scatter / freedom * float(expected.mean()) if freedom else 0.0
    own_variance = max(0.0, observed - pair_variance * float((1 / counts).mean()))
    return Centre(
        estimate,
        math.sqrt(scale / float(weights.sum())),
        freedom + prior.processes,
        pair_variance,
        (freedom * own_variance + prior.processes * prior.deviation**2)
        / (freedom + prior.processes),
    )


def processes_to_decide(
    gap: float, processes: int, freedom: float, confidence: float
) -> int | None:
    """Estimate the number of pairs of processes after which the interval excludes a limit.

    Parameters
    ----------
    gap : float
        Distance of the estimate from the limit, in half-widths of the interval.
    processes : int
        Number of pairs of processes so far.
    freedom : float
        Degrees of freedom of the interval; each further pair of processes adds one.
    confidence : float
        Confidence of the interval.

    Returns
    -------
    int or None
        Number of pairs of processes, including those so far; None if it is impractical.
    """

    def half_width(count: int) -> float:
        quantile = float(special.stdtrit(freedom + count - processes, (1 + confidence) / 2))
        return quantile / math.sqrt(count)

    wanted = gap * half_width(processes)
    if half_width(_MOST_PROCESSES) > wanted:
        return None
    return bisect_left(
        range(_MOST_PROCESSES), -wanted, lo=processes, key=lambda count: -half_width(count)
    )


def variance_between(processes: Sequence[Sequence[float]]) -> float:
    """Return the variance between pairs of processes that their pairs do not explain.

    Parameters
    ----------
    processes : sequence of sequence of float
        The log ratios of the pairs of each of at least two pairs of processes.

    Returns
    -------
    float
        The variance of log ratios; an estimate from few processes may be negative.
    """
    values, counts = _values(processes)
    explained = _pair_variance(processes, values, counts) * float((1 / counts).mean())
    return float(values.var(ddof=1)) - explained


def typical_deviation(comparisons: Iterable[tuple[int, float]]) -> float:
    """Return the median standard deviation between processes.

    The median is robust against a variant whose processes differ much more than those of others.

    Parameters
    ----------
    comparisons : iterable of (int, float)
        The degrees of freedom and the variance of each comparison.

    Returns
    -------
    float
        The square root of the median of the variances, weighted with the degrees of freedom; 0 if
        the median is negative.
    """
    ordered = sorted(comparisons, key=itemgetter(1))
    half = sum(freedom for freedom, _ in ordered) / 2
    reached = accumulate(freedom for freedom, _ in ordered)
    variance = next(
        variance for (_, variance), sum_ in zip(ordered, reached, strict=True) if sum_ >= half
    )
    return math.sqrt(max(0.0, variance))


def _values(
    processes: Sequence[Sequence[float]],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the centre of each pair of processes, and its number of pairs."""
    return (
        np.array([hodges_lehmann(pairs) for pairs in processes]),
        np.array([len(pairs) for pairs in processes]),
    )


def _pair_variance(
    processes: Sequence[Sequence[float]], values: NDArray[np.float64], counts: NDArray[np.int64]
) -> float:
    """Return the variance of a pair: n times that of a Hodges-Lehmann centre of n pairs.

    It is estimated from the width of the signed-rank interval of the residuals, which is robust
    against heavy tails.
    """
    residuals = np.concatenate(
        [np.asarray(pairs) - value for pairs, value in zip(processes, values, strict=True)]
    )
    n, groups = residuals.size, len(counts)
    if n == groups:
        return 0.0
    some = residuals[:: -(-n // _MOST_RESIDUALS)]
    low, high = signed_rank_interval(some, _SCALE_CONFIDENCE)
    if not math.isfinite(high - low):
        return float(residuals @ residuals) / (n - groups)
    error = (high - low) / 2 / float(special.ndtri((1 + _SCALE_CONFIDENCE) / 2))
    return error**2 * some.size * n / (n - groups)
