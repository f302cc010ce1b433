"""Scores of ranked lists, such as search results: nDCG [1]_, recall, reciprocal rank [2]_.

An output is a list of ids, best first. A reference is a list of relevant ids, or a mapping of ids
to gains. Scores are means over the samples that have a relevant id, in points from 0 to 100.

References
----------
.. [1] Järvelin, K. and Kekäläinen, J. (2002). Cumulated Gain-Based Evaluation of IR Techniques. ACM
   Transactions on Information Systems 20.
.. [2] Voorhees, E. M. (1999). The TREC-8 Question Answering Track Report. TREC.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_infperf.errors import UserError
from pytest_infperf.metrics import values
from pytest_infperf.suite.outputs import UnusableSample


class RankingMetric(ABC):
    """Base class of metrics that are means over the samples with a relevant id.

    If an id occurs twice in a list, its first position counts.
    """

    name: str
    unit = "points"
    higher_is_better = True

    @abstractmethod
    def of_sample(self, gains: Sequence[float], ideal: Sequence[float]) -> float:
        """Return the score of a sample, from 0 to 1.

        Parameters
        ----------
        gains : sequence of float
            The gain of each id of the output, in its order; 0 for an id that is not relevant.
        ideal : sequence of float
            The gains of all relevant ids, largest first; at least one.
        """

    @abstractmethod
    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return the score and 1 of each sample with a relevant id, else 0, 0; shape [samples, 2].

        Raises
        ------
        UnusableSample
            If an output is not a list of ids, or a reference is neither a list of ids nor a
            mapping of ids to gains of at least 0.
        """
        rows = []
        for position, (output, reference) in enumerate(zip(outputs, references, strict=True)):
            ranking = dict.fromkeys(values.ranked(position, output))
            gain_of = _gains(position, reference)
            ideal = sorted(filter(None, gain_of.values()), reverse=True)
            gains = [gain_of.get(name, 0.0) for name in ranking]
            rows.append((self.of_sample(gains, ideal), 1.0) if ideal else (0.0, 0.0))
        return np.array(rows, dtype=np.float64)

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the mean in points, from summed statistics of shape [2].

        It is NaN if no sample has a relevant id.
        """
        return float(100 * totals[0] / totals[1]) if totals[1] else math.nan


class Ndcg(RankingMetric):
    """Normalised discounted cumulated gain of the first k ids, from 0 to 100 points.

    The gain at rank i is divided by log2(i + 1), and the sum is divided by that of the ideal order.

    Parameters
    ----------
    k : int, optional
        The number of ids that count; the name of the measure contains it, as in `ndcg_at_5`. By
        default, 10 ids count and the measure is named `ndcg`.

    Raises
    ------
    UserError
        If `k` is less than 1.

    Examples
    --------
    >>> from pytest_infperf import Ndcg
    >>> float(Ndcg().statistics([["b", "a"]], [{"a": 3, "b": 1}])[0, 0].round(3))
    0.797
    """

    def __init__(self, k: int | None = None) -> None:
        self._k = 10 if k is None else _at_least_one("Ndcg", k)
        self.name = "ndcg" if k is None else f"ndcg_at_{k}"

    def of_sample(self, gains: Sequence[float], ideal: Sequence[float]) -> float:
        return self._discounted(gains) / self._discounted(ideal)

    def _discounted(self, gains: Sequence[float]) -> float:
        return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains[: self._k], 1))

    def signature(self) -> str:
        return f"first {self._k}, linear gain, discount log2(rank + 1)"


class Recall(RankingMetric):
    """Fraction of the relevant ids that are among the first k of the output, in points.

    Parameters
    ----------
    k : int, default 10
        The number of ids that count; the name of the measure contains it, as in `recall_at_10`.

    Raises
    ------
    UserError
        If `k` is less than 1.

    Examples
    --------
    >>> from pytest_infperf import Recall
    >>> Recall(k=2).statistics([["a", "x", "b"]], [["a", "b"]])[0, 0].item()
    0.5
    """

    def __init__(self, k: int = 10) -> None:
        self._k = _at_least_one("Recall", k)
        self.name = f"recall_at_{k}"

    def of_sample(self, gains: Sequence[float], ideal: Sequence[float]) -> float:
        return sum(gain > 0 for gain in gains[: self._k]) / len(ideal)

    def signature(self) -> str:
        return f"of all relevant, in the first {self._k}"


class Mrr(RankingMetric):
    """Mean reciprocal rank of the first relevant id, from 0 to 100 points.

    An output without a relevant id counts as 0.

    Examples
    --------
    >>> from pytest_infperf import Mrr
    >>> Mrr().statistics([["x", "a"]], [["a"]])[0, 0].item()
    0.5
    """

    name = "mrr"

    def of_sample(self, gains: Sequence[float], ideal: Sequence[float]) -> float:
        return next((1 / rank for rank, gain in enumerate(gains, 1) if gain > 0), 0.0)

    def signature(self) -> str:
        return "first relevant of the whole list"


def _gains(position: int, reference: Any) -> Mapping[Any, float]:
    if isinstance(reference, list | tuple | set | frozenset):
        return dict.fromkeys(values.label_set(position, reference, "reference"), 1.0)
    if not isinstance(reference, Mapping):
        raise UnusableSample(
            position,
            f"its reference is {reference!r}, not a list of ids or a mapping of ids to gains",
        )
    for name, gain in reference.items():
        if not isinstance(gain, Real) or not 0 <= float(gain) < math.inf:
            raise UnusableSample(
                position, f"the gain of {name!r} is {gain!r}, not a number of at least 0"
            )
    return reference


def _at_least_one(metric: str, k: int) -> int:
    if k < 1:
        raise UserError(f"{metric}(k={k}): k must be at least 1")
    return k
