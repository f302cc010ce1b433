"""Cost of a million requests at a measured throughput, on the instance that was measured."""

from __future__ import annotations

from pytest_infperf.records.measure import Measure


def cost_per_million(throughput: Measure, usd_per_hour: float) -> Measure:
    """Return the cost of a million requests.

    It assumes that the instance is always busy. At lower utilisation, each request costs more.

    Parameters
    ----------
    throughput : Measure
        Samples per second, positive. Each sample is a request.
    usd_per_hour : float
        Price of the instance, in US dollars.

    Returns
    -------
    Measure
        Cost in US dollars. Its lower bound is the cost at the throughput's upper bound, and vice
        versa.
    """

    def cost(rate: float | None) -> float | None:
        return usd_per_hour / 3600 * 1e6 / rate if rate else None

    value = cost(throughput.value)
    assert value is not None, "a throughput is greater than 0"
    return Measure(value, "usd", cost(throughput.high), cost(throughput.low), throughput.n)
