"""Protocols of metrics, which score the outputs of a variant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Metric(Protocol):
    """A quality score that is a function of per-sample statistics, summed over the samples.

    Examples are BLEU, chrF, WER, accuracy and F1. Their bootstrap over samples is a matrix product.

    Attributes
    ----------
    name : str
        The name of the measure in thresholds.toml and in reports, such as `bleu`.
    unit : str
        The unit of the score, such as `points`.
    higher_is_better : bool
        Whether a higher score means a better model.
    """

    name: str
    unit: str
    higher_is_better: bool

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return the statistics of each sample.

        Parameters
        ----------
        outputs : sequence, length n
            The outputs of the model, one per sample.
        references : sequence, length n
            The references of the same samples.

        Returns
        -------
        ndarray of float, shape (n, k)
            The k statistics of each sample.
        """

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the score of a corpus.

        Parameters
        ----------
        totals : ndarray of float, shape (k,)
            The statistics, summed over the samples of the corpus.

        Returns
        -------
        float
            The score; NaN if it is not defined.
        """

    def signature(self) -> str:
        """Return the versions and settings that make two scores comparable."""


class CorpusMetric(Protocol):
    """A quality score that is not a function of sums over the samples, such as a rank correlation.

    The bootstrap interval requires the score of 2,000 resamples, in which samples can occur many
    times, so `score` should take less than about a millisecond. A metric can have a method
    `reduced(outputs, references)`, which is called once before the resampling and returns two
    sequences that replace the arguments of `score`. A metric of either kind with
    `of_baseline = True` gets the outputs of the baseline as references.

    Attributes
    ----------
    name : str
        The name of the measure in thresholds.toml and in reports, such as `spearman`.
    unit : str
        The unit of the score, such as `points`; empty for a plain number.
    higher_is_better : bool
        Whether a higher score means a better model.
    """

    name: str
    unit: str
    higher_is_better: bool

    def score(self, outputs: Sequence[Any], references: Sequence[Any]) -> float:
        """Return the score of a corpus; NaN if it is not defined.

        If the score of all samples is not defined, no limit passes. Resamples without a score
        count as below the lower and above the upper bound of the interval.

        Parameters
        ----------
        outputs : sequence, length n
            The outputs of the model, one per sample; `pytest_infperf.suite.outputs.is_absent`
            detects the placeholder of an output that is not finite.
        references : sequence, length n
            The references of the same samples.
        """

    def signature(self) -> str:
        """Return the versions and settings that make two scores comparable."""


AnyMetric: TypeAlias = Metric | CorpusMetric
"""A metric of either kind."""
