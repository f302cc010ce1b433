"""Number of requests that may wait on an instance while a limit on latency is met.

AWS divides the acceptable latency by the average processing time. This gives the number of requests
that an instance can process within that latency. However, a target tracking policy controls the
*average* queue, and the queue varies around it: at that average, many requests would be late. The
target here is therefore the average queue at a rate that is certain to meet the limit.

Each server process has its own queue and processes requests one at a time, in their order. With
random (Poisson) arrivals, it is an M/G/1 queue. Lundberg's inequality bounds the fraction of
requests that wait too long, for any distribution of service times. The formula of Pollaczek and
Khinchine gives the average queue.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

METRIC = "infperf_waiting_requests"
"""The gauge of a server's /metrics that counts the waiting requests of all its processes."""
NAMESPACE = "infperf"
"""The namespace in CloudWatch under which each instance publishes the gauge."""
DIMENSION = "Deployment"
"""The dimension in CloudWatch that distinguishes deployments."""
_BISECTIONS = 60
_LARGEST_EXPONENT = 500.0


@dataclass(frozen=True)
class LatencyLimit:
    """A limit on a percentile of latency."""

    seconds: float
    percentile: float = 0.99
    """The percentile that must not exceed the limit, as a fraction."""


def sustained_rate(service_s: Sequence[float], limit: LatencyLimit) -> float:
    """Return a rate of Poisson arrivals at one process that is certain to meet the limit.

    Parameters
    ----------
    service_s : sequence of float
        Times of single requests without waiting, in seconds, all of the same weight.
    limit : LatencyLimit
        The limit on waiting and service together.

    Returns
    -------
    float
        Requests per second; 0 if the limit is broken, or almost broken, without waiting.
    """

    def late(decay: float) -> float:
        # P(waiting > x) <= exp(-decay * x), and service is independent of the waiting before it.
        return fmean(math.exp(min(0.0, -decay * (limit.seconds - time))) for time in service_s)

    largest = _LARGEST_EXPONENT / max(service_s)
    tolerated = 1 - limit.percentile
    if late(largest) > tolerated:
        return 0.0
    low, high = 0.0, largest
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if late(middle) > tolerated else (low, middle)
    return high / fmean(math.expm1(high * time) for time in service_s)


def mean_waiting(service_s: Sequence[float], rate: float) -> float:
    """Return the average number of requests that wait for one process at a sustained rate.

    Parameters
    ----------
    service_s : sequence of float
        Times of single requests without waiting, in seconds, all of the same weight.
    rate : float
        Requests per second, below one per mean service time.
    """
    busy = rate * fmean(service_s)
    return rate**2 * fmean(time**2 for time in service_s) / (2 * (1 - busy))
