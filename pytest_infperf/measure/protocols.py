"""The protocols of published studies, for results that can be compared with theirs.

`measure.latency` ends when the gates are decided. A protocol repeats the procedure of a study, with
the same number of requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from pytest_infperf import errors
from pytest_infperf.measure.throughput import rate
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import at
from pytest_infperf.stats import means, quantile
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user

_PERCENTILES = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Protocol:
    """The procedure of a study."""

    name: str
    source: str
    """The study and a summary of its procedure."""
    requests: int
    """The number of requests of a run, in sequence and with one sample each."""
    runs: int
    """The number of runs; the mean of each statistic over the runs is reported."""
    batches: int = 0
    """The number of queries for the throughput; 0 computes it from the requests."""
    batch: int = 1
    """The number of samples of each of these queries."""
    warm_up: int = 1
    """The number of requests before the first run."""


_ALL = (
    Protocol(
        "jmeter-60x12",
        requests=60,
        runs=12,
        source="BERT to DistilBERT to ONNX: a JMeter thread group of 60 requests, 12 times",
    ),
    Protocol(
        "deepspeech2-300x100",
        requests=300,
        runs=1,
        batches=100,
        batch=8,
        warm_up=10,
        source="DeepSpeech2 with dynamic quantisation: 300 latency and 100 throughput trials",
    ),
)
PROTOCOLS = {protocol.name: protocol for protocol in _ALL}


def measure_protocol(
    protocol: Protocol,
    worker: VariantWorker,
    order: Iterator[int],
    *,
    confidence: float,
    report_progress: Callable[[float], None] = lambda share: None,
) -> Measured:
    """Measure according to a protocol.

    Parameters
    ----------
    protocol : Protocol
        The protocol.
    worker : VariantWorker
        The worker of the variant.
    order : iterator of int
        The numbers of the samples, in the order in which they are run.
    confidence : float
        The confidence of intervals, which are computed from the runs. A single run has an interval
        of its throughput only.
    report_progress : callable, optional
        Callback for the fraction of runs that is done.
    """
    worker.run([[next(order)] for _ in range(protocol.warm_up)])
    runs: list[list[float]] = []
    for done in range(protocol.runs):
        block = worker.run([[next(order)] for _ in range(protocol.requests)])
        runs.append([ns / 1e9 for ns in block.query_ns])
        report_progress((done + 1) / protocol.runs)
    measures = dict(_statistics(runs, confidence))
    if protocol.batches:
        queries = [[next(order) for _ in range(protocol.batch)] for _ in range(protocol.batches)]
        seconds = [ns / 1e9 for ns in worker.run(queries).query_ns]
        samples = [protocol.batch] * len(seconds)
        measures["throughput"] = rate(samples, seconds, confidence, len(seconds))
    return Measured(
        {at(name, protocol.name): measure for name, measure in measures.items()},
        times_s=[time for times in runs for time in times],
        confidence=confidence,
        seconds=sum(map(sum, runs)),
    )


def _statistics(
    runs: Sequence[Sequence[float]], confidence: float
) -> Iterator[tuple[str, Measure]]:
    yield "latency_mean", _mean_over(runs, fmean, confidence)
    yield "latency_min", _mean_over(runs, min, confidence)
    yield "latency_max", _mean_over(runs, max, confidence)
    for p in _PERCENTILES:

        def percentile(times: Sequence[float], p: float = p) -> float:
            return quantile.percentile(times, p)

        yield f"latency_p{100 * p:g}", _mean_over(runs, percentile, confidence)
    counts, sums = [len(times) for times in runs], [sum(times) for times in runs]
    yield "throughput", rate(counts, sums, confidence, sum(counts))


def _mean_over(
    runs: Sequence[Sequence[float]],
    statistic: Callable[[Sequence[float]], float],
    confidence: float,
) -> Measure:
    values = [statistic(times) for times in runs]
    low, high = means.mean(values, confidence)
    return Measure(fmean(values), "s", low, high, sum(map(len, runs)))
