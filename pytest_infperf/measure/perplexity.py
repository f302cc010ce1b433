"""Perplexity, bits per byte and divergence of the distributions on a text.

A window of the text has a log-likelihood, a number of tokens and a size. Each measure is a function
of a ratio of sums over the windows. Neighbouring windows have the same topic and therefore depend
on each other, so the interval is that of batch means, see `stats.means`. The ratio of two variants
is computed from their differences in each window.

References
----------
Perplexity: https://huggingface.co/docs/transformers/perplexity. Bits per byte do not depend on the
tokenizer: Gao et al. 2020, "The Pile", https://arxiv.org/abs/2101.00027, section 3.1. Divergence:
`perplexity --kl-divergence` of llama.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_infperf import errors
from pytest_infperf.records.catalogue import TEXT_MEASURES
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.stats import means
from pytest_infperf.worker import messages
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user

_OTHER_TOKENS = (
    "the vocabularies of the variant and the baseline differ, so that the text has other tokens"
)
_LARGEST = 50.0
"""The largest exponent of a perplexity, far beyond that of a model that guesses; e to the power of
709 would not be finite."""


@dataclass(frozen=True)
class TextRun:
    """The probabilities of the windows of a text under one variant."""

    text: messages.Text
    """The text in tokens of the variant."""
    windows: Sequence[messages.WindowScored] = ()
    """The scored windows, in the order of the text."""
    unable: str = ""
    """The reason why the variant cannot score a text; empty if it can."""

    @property
    def problem(self) -> str:
        """The reason why the run has no perplexity; empty if it has."""
        if self.unable:
            return self.unable
        broken = sum(not window.is_finite for window in self.windows)
        if not broken:
            return ""
        return (
            f"the probabilities of {broken:,} of {len(self.windows):,} windows are not finite (NaN "
            "or infinite)"
        )

    @property
    def whole_text(self) -> bool:
        """Whether every window of the text was scored."""
        return len(self.windows) == self.text.windows


@dataclass(frozen=True)
class Distributions:
    """The files with the distributions of the baseline."""

    folder: Path
    positions: int
    """The maximum number of tokens of a window whose distributions are kept."""

    def file(self, number: int) -> str:
        """Return the file of a window."""
        return str(self.folder / f"{number}.npy")


def run_text(
    worker: VariantWorker,
    text: messages.Text,
    numbers: Sequence[int],
    distributions: Distributions,
    *,
    keep: bool,
    compare: bool,
    report_progress: Callable[[float], None],
) -> TextRun:
    """Score windows of the text.

    Parameters
    ----------
    worker : VariantWorker
        The worker of the variant.
    text : Text
        The text in tokens of the variant.
    numbers : sequence of int
        The numbers of the windows, in the order of the text.
    distributions : Distributions
        The files with the distributions of the baseline.
    keep : bool
        Whether to write these files.
    compare : bool
        Whether to compare the distributions with those in these files.
    report_progress : callable
        Callback for the fraction of windows that is done.
    """
    windows = []
    for done, number in enumerate(numbers, 1):
        file = distributions.file(number)
        request = messages.ScoreWindow(
            number,
            distributions.positions,
            keep_in=file if keep else None,
            compare_with=file if compare else None,
        )
        windows.append(worker.score_window(request))
        report_progress(done / len(numbers))
    return TextRun(text, windows)


def measured_text(ours: TextRun, theirs: TextRun | None, confidence: float) -> list[Measured]:
    """Return the measures of a text, and its ratios to the baseline.

    Parameters
    ----------
    ours : TextRun
        The run of the variant.
    theirs : TextRun or None
        The run of the baseline on the windows of the same numbers.
    confidence : float
        The confidence of the intervals.

    Returns
    -------
    list of Measured
        One with `perplexity` and `bits_per_byte`, and one with `kl_divergence` in nats if there is
        a baseline.
    """
    if ours.unable:
        return [Measured(missing=dict.fromkeys(TEXT_MEASURES, ours.unable))]
    if ours.problem:
        missing = dict.fromkeys(TEXT_MEASURES, ours.problem)
        undefined = {"perplexity": f"perplexity is not defined: {ours.problem}"}
        return [Measured(missing=missing, undefined=undefined, not_finite=ours.problem)]
    parts = [_likelihood(ours, theirs, confidence)]
    return [*parts, _divergence(ours, theirs, confidence)] if theirs else parts


def _likelihood(ours: TextRun, theirs: TextRun | None, confidence: float) -> Measured:
    nats = [window.nats for window in ours.windows]
    tokens = [window.tokens for window in ours.windows]
    measures = {"perplexity": _exponential(nats, tokens, "", confidence, least=0.0)}
    measures["bits_per_byte"] = _bits_per_byte(ours, confidence)
    ratios: dict[str, Measure] = {}
    baseline: dict[str, Measure] = {}
    missing: dict[str, str] = {}
    if theirs and theirs.problem:
        missing = dict.fromkeys(measures, f"the baseline: {theirs.problem}")
    elif theirs and theirs.text.digest != ours.text.digest:
        baseline = {"bits_per_byte": _bits_per_byte(theirs, confidence)}
        missing["perplexity"] = f"{_OTHER_TOKENS}: limit bits_per_byte instead"
    elif theirs:
        others = [window.nats for window in theirs.windows]
        gaps = [a - b for a, b in zip(nats, others, strict=True)]
        ratios["perplexity"] = _exponential(gaps, tokens, "ratio", confidence)
        if sum(others):
            ratios["bits_per_byte"] = _ratio(nats, others, "ratio", confidence)
    return Measured(
        measures,
        ratios=ratios,
        baseline=baseline,
        missing=missing,
        confidence=confidence,
        whole_set=ours.whole_text,
    )


def _divergence(ours: TextRun, theirs: TextRun, confidence: float) -> Measured:
    name = "kl_divergence"
    reasons = [window.unlike for window in ours.windows if window.unlike]
    if theirs.problem:
        reasons.append(f"the baseline: {theirs.problem}")
    elif theirs.text.digest != ours.text.digest:
        reasons.append(f"{_OTHER_TOKENS}: compare variants with the same tokenizer")
    if reasons:
        return Measured(missing={name: reasons[0]})
    sums = [window.divergence for window in ours.windows]
    positions = [window.positions for window in ours.windows]
    return Measured(
        {name: _ratio(sums, positions, "nats", confidence)},
        confidence=confidence,
        whole_set=ours.whole_text and positions == [window.tokens for window in ours.windows],
    )


def _bits_per_byte(run: TextRun, confidence: float) -> Measure:
    bits = [window.nats / math.log(2) for window in run.windows]
    return _ratio(bits, [window.size for window in run.windows], "bits", confidence)


def _ratio(
    numerators: Sequence[float], denominators: Sequence[float], unit: str, confidence: float
) -> Measure:
    """Return the ratio of two sums over windows, which is never negative."""
    low, high = means.ratio_of_sums(numerators, denominators, confidence)
    value = max(0.0, sum(numerators) / sum(denominators))
    return Measure(value, unit, None if low is None else max(0.0, low), high, len(numerators))


def _exponential(
    nats: Sequence[float],
    tokens: Sequence[int],
    unit: str,
    confidence: float,
    least: float = -_LARGEST,
) -> Measure:
    """Return the exponential of the mean of a quantity of tokens, which is at least `least`."""
    low, high = (
        None if bound is None else math.exp(min(max(bound, least), _LARGEST))
        for bound in means.ratio_of_sums(nats, tokens, confidence)
    )
    value = math.exp(min(max(sum(nats) / sum(tokens), least), _LARGEST))
    return Measure(value, unit, low, high, len(nats))
