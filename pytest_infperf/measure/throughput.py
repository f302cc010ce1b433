"""Throughput: the quality set is run in batches in sequence, and its outputs are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_infperf import errors
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.stats import means
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user


@dataclass(frozen=True)
class SetRun:
    """The run of one variant over the quality set."""

    numbers: Sequence[int]
    """The numbers of the samples."""
    outputs: Sequence[Any]
    """The output of each sample, in the order of `numbers`."""
    batch_samples: Sequence[int]
    """The number of samples of each batch."""
    batch_s: Sequence[float]
    """The time of each batch, in seconds."""
    shares: Mapping[str, int] = field(default_factory=dict)
    """The number of parts of the set that each node type ran; empty if this host ran the set."""


def run_set(
    worker: VariantWorker,
    numbers: Sequence[int],
    batch: int,
    report_progress: Callable[[float], None] = lambda share: None,
) -> SetRun:
    """Run the quality set in batches.

    Parameters
    ----------
    worker : VariantWorker
        The worker of the variant.
    numbers : sequence of int
        The numbers of the samples, in the order in which they are run.
    batch : int
        The number of samples per query.
    report_progress : callable, optional
        Callback for the fraction of batches that is done.
    """
    batches = [numbers[i : i + batch] for i in range(0, len(numbers), batch)]
    outputs: list[Any] = []
    seconds = []
    for done, query in enumerate(batches):
        block = worker.run([query], outputs=True, warm_up=done == 0)
        assert block.outputs
        outputs += block.outputs[0]
        seconds.append(block.query_ns[0] / 1e9)
        report_progress((done + 1) / len(batches))
    return SetRun(numbers, outputs, [len(query) for query in batches], seconds)


def throughput(run: SetRun, confidence: float) -> Measured:
    """Return samples per second over the whole run, with an interval from its batches."""
    value = rate(run.batch_samples, run.batch_s, confidence, len(run.numbers))
    return Measured({"throughput": value}, confidence=confidence, seconds=sum(run.batch_s))


def rate(samples: Sequence[float], seconds: Sequence[float], confidence: float, n: int) -> Measure:
    """Return the samples per second of batches.

    Parameters
    ----------
    samples : sequence of float
        The number of samples of each batch.
    seconds : sequence of float
        The time of each batch, in seconds.
    confidence : float
        The confidence of the interval, which is computed from the seconds per sample.
    n : int
        The number of observations.
    """
    fast, slow = (
        1 / bound if bound is not None and bound > 0 else None
        for bound in means.ratio_of_sums(seconds, samples, confidence)
    )
    return Measure(sum(samples) / sum(seconds), "samples/s", slow, fast, n)
