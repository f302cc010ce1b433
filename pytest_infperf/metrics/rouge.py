"""ROUGE F1 [1]_ as rouge-score computes it, in points from 0 to 100.

ROUGE-1 compares words, ROUGE-2 pairs of words, and ROUGE-L the longest common subsequence of
words. A score is the mean over the samples.

References
----------
.. [1] Lin, C.-Y. (2004). ROUGE: A Package for Automatic Evaluation of Summaries. ACL Workshop on
   Text Summarization Branches Out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from numpy.typing import ArrayLike

from pytest_infperf.errors import UserError
from pytest_infperf.metrics import values
from pytest_infperf.metrics.sums import SampleMean
from pytest_infperf.suite.outputs import UnusableSample


class Rouge(SampleMean):
    """Mean F1 of ROUGE over the samples, from 0 to 100 points.

    A sample can have several references, as a list; the best one counts.

    Parameters
    ----------
    of : {"rouge1", "rouge2", "rougeL"}
        The score, by its name in rouge-score; also the name of the measure.
    stemmer : bool, default False
        Whether suffixes of English words are removed before words are compared.
    """

    unit = "points"
    higher_is_better = True

    def __init__(self, of: Literal["rouge1", "rouge2", "rougeL"], *, stemmer: bool = False) -> None:
        self.name = of
        self._stemmer = stemmer

    def of_samples(self, outputs: Sequence[Any], references: Sequence[Any]) -> ArrayLike:
        """Return F1 of each sample, shape [samples].

        Raises
        ------
        UserError
            If rouge-score is not installed.
        UnusableSample
            If an output or a reference is not a text, or a reference has no word for rouge-score,
            whose words consist of the letters a to z and digits.
        """
        scorer = _import_scorer().RougeScorer([self.name], use_stemmer=self._stemmer)
        scores = []
        for position, (output, reference) in enumerate(zip(outputs, references, strict=True)):
            text = values.text(position, output, "output")
            alternatives = values.texts(position, reference)
            _check_script(position, alternatives)
            scores.append(scorer.score_multi(alternatives, text)[self.name].fmeasure)
        return scores

    def signature(self) -> str:
        """Return the version of rouge-score, and its settings."""
        from importlib.metadata import version

        stemmer = "stemmer" if self._stemmer else "no stemmer"
        return f"rouge-score {version('rouge-score')}, mean F1, {stemmer}"


class Rouge1(Rouge):
    """ROUGE-1: shared words."""

    def __init__(self, *, stemmer: bool = False) -> None:
        super().__init__("rouge1", stemmer=stemmer)


class Rouge2(Rouge):
    """ROUGE-2: shared pairs of words."""

    def __init__(self, *, stemmer: bool = False) -> None:
        super().__init__("rouge2", stemmer=stemmer)


class RougeL(Rouge):
    """ROUGE-L: the longest common subsequence of words."""

    def __init__(self, *, stemmer: bool = False) -> None:
        super().__init__("rougeL", stemmer=stemmer)


def _check_script(position: int, texts: Sequence[str]) -> None:
    for text in texts:
        if any(map(str.isalnum, text)) and not any(c.isascii() and c.isalnum() for c in text):
            raise UnusableSample(
                position,
                "its reference has no letter from a to z and no digit, and rouge-score ignores "
                "other characters: use chrf for other scripts",
            )


def _import_scorer() -> Any:
    try:
        from rouge_score import rouge_scorer
    except ImportError:
        raise UserError('ROUGE needs rouge-score: pip install "pytest-infperf[text]"') from None
    return rouge_scorer
