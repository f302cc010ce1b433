"""Mean, extremes and percentiles of the times of single queries, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_infperf.records.catalogue import percentile_of, percentiles_of
from pytest_infperf.records.measure import Measure
from pytest_infperf.stats import means, quantile


def time_measures(
    times_s: Sequence[float], percentiles: Iterable[str], confidence: float
) -> dict[str, Measure]:
    """Return the measures of the times of single queries.

    Parameters
    ----------
    times_s : sequence of float
        The times, in seconds.
    percentiles : iterable of str
        Measures such as `latency_p75`, in addition to the percentiles that are always reported.
    confidence : float
        The confidence of intervals.
    """
    n = len(times_s)
    return {
        **mean_and_percentiles("latency", times_s, percentiles, confidence),
        "latency_min": Measure(min(times_s), "s", n=n),
        "latency_max": Measure(max(times_s), "s", n=n),
    }


def mean_and_percentiles(
    kind: str, times_s: Sequence[float], percentiles: Iterable[str], confidence: float
) -> dict[str, Measure]:
    """Return the mean and the percentiles of times of a kind, such as `ttft`.

    The other parameters are those of `time_measures`.
    """
    n = len(times_s)
    bounds = means.mean(times_s, confidence)
    measures = {f"{kind}_mean": Measure(sum(times_s) / n, "s", *bounds, n)}
    for name in {*percentiles_of(kind), *percentiles}:
        p = percentile_of(name)
        bounds = quantile.order_statistic_interval(times_s, p, confidence)
        measures[name] = Measure(quantile.percentile(times_s, p), "s", *bounds, n)
    return measures
