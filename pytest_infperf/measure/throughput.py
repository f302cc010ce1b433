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
    batch_tokens: Sequence[float] = ()
    """The number of output tokens of each batch; empty if the model does not generate tokens."""
    shares: Mapping[str, int] = field(default_factory=dict)
    """The number of parts of the set that each node type ran; empty if this host ran the set."""
    output_ids: Sequence[Sequence[int]] = ()
    """The token ids of each output; empty if the codec is no `TokenIdCodec`."""


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
    tokens: list[float] = []
    output_ids: list[Sequence[int]] = []
    for done, query in enumerate(batches):
        block = worker.run([query], outputs=True, warm_up=done == 0)
        assert block.outputs
        outputs += block.outputs[0]
        seconds.append(block.query_ns[0] / 1e9)
        tokens += [output for _, output in block.tokens or ()]
        output_ids += block.output_ids or ()
        report_progress((done + 1) / len(batches))
    sizes = [len(query) for query in batches]
    return SetRun(numbers, outputs, sizes, seconds, tokens, output_ids=output_ids)


def throughput(run: SetRun, confidence: float) -> Measured:
    """Return samples and output tokens per second over the whole run.

    Intervals are computed from the batches.
    """
    n = len(run.numbers)
    measures = {"throughput": rate(run.batch_samples, run.batch_s, confidence, n)}
    if any(run.batch_tokens):
        tokens = sum(run.batch_tokens)
        measures["token_throughput"] = rate(
            run.batch_tokens, run.batch_s, confidence, int(tokens), "tokens/s"
        )
    return Measured(measures, confidence=confidence, seconds=sum(run.batch_s))


def rate(
    counts: Sequence[float],
    seconds: Sequence[float],
    confidence: float,
    n: int,
    unit: str = "samples/s",
) -> Measure:
    """Return the samples or tokens per second of batches.

    Parameters
    ----------
    counts : sequence of float
        The number of samples, or of tokens, of each batch.
    seconds : sequence of float
        The time of each batch, in seconds.
    confidence : float
        The confidence of the interval, which is computed from the seconds per sample or token.
    n : int
        The number of observations.
    unit : {"samples/s", "tokens/s"}, default "samples/s"
        The unit of the rate.
    """
    fast, slow = (
        1 / bound if bound is not None and bound > 0 else None
        for bound in means.ratio_of_sums(seconds, counts, confidence)
    )
    return Measure(sum(counts) / sum(seconds), unit, slow, fast, n)
