"""What a million requests cost at a measured throughput, on the instance that was measured."""

from __future__ import annotations

from pytest_infperf.records.measure import Measure


def cost_per_million(throughput: Measure, usd_per_hour: float) -> Measure:
    """In US dollars; the interval is the throughput's, turned round.

    `throughput` is in samples a second, each sample a request, with the whole instance at its
    service: whoever fills it less pays more.
    """

    def cost(rate: float | None) -> float | None:
        return usd_per_hour / 3600 * 1e6 / rate if rate else None

    value = cost(throughput.value)
    assert value is not None, "a throughput of nought is no throughput"
    return Measure(value, "usd", cost(throughput.high), cost(throughput.low), throughput.n)
