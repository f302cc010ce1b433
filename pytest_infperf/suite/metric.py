"""The protocols of metrics, which score the outputs of a variant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Metric(Protocol):
    """A quality score that is a function of per-sample statistics, summed over the samples.

    BLEU, chrF, WER, accuracy and F1 are such functions, which makes a bootstrap over samples a
    matrix product.

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
            The score; NaN where it is not defined.
        """

    def signature(self) -> str:
        """Return the versions and settings that make two scores comparable."""


class CorpusMetric(Protocol):
    """A quality score that is not a function of sums over the samples, such as a rank correlation.

    Its interval is a bootstrap that computes the score of 2,000 resamples one by one, in which a
    sample can be many times, so a score has to take less than about a millisecond. A metric may
    have a method `reduced(outputs, references)` that returns what `score` needs of each; it is
    called once, before. A metric with `of_baseline = True`, of either kind, gets the outputs of the
    baseline as references.

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
        """Return the score of a corpus, NaN where it is not defined.

        A score that is not defined for all samples passes no limit. Resamples without a score
        count below the lower and above the upper bound of the interval.

        Parameters
        ----------
        outputs : sequence, length n
            The outputs of the model, one per sample; see `pytest_infperf.suite.outputs.is_absent`
            for what stands for an output that is not finite.
        references : sequence, length n
            The references of the same samples.
        """

    def signature(self) -> str:
        """Return the versions and settings that make two scores comparable."""


AnyMetric: TypeAlias = Metric | CorpusMetric
"""A metric of either kind."""
