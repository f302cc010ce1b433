"""sacrebleu's metrics as functions of summed per-sentence statistics.

sacrebleu's significance tests (`sacrebleu/significance.py`) resample the same statistics through
the same two methods, which each of its metrics defines.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray


class SacrebleuMetric:
    """Base class of metrics computed by sacrebleu.

    Parameters
    ----------
    name : str
        Name of the measure.
    metric : sacrebleu.metrics.base.Metric
        The sacrebleu metric with its settings.
    """

    unit = "points"
    higher_is_better = True

    def __init__(self, name: str, metric: Any) -> None:
        self.name = name
        self._metric = metric

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return sacrebleu's statistics of each sentence, shape [samples, k].

        A reference is a text, or a list of texts.
        """
        alternatives = [[texts] if isinstance(texts, str) else texts for texts in references]
        # sacrebleu requires one list per alternative, with None if a sentence has fewer.
        streams = [list(stream) for stream in zip_longest(*alternatives)]
        rows = self._metric._extract_corpus_statistics(list(outputs), streams)
        return np.asarray(rows, dtype=np.float64)

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the corpus score in points, from summed statistics of shape [k]."""
        return float(self._metric._compute_score_from_stats([round(t) for t in totals]).score)

    def signature(self) -> str:
        """Return sacrebleu's signature: version and settings."""
        return str(self._metric.get_signature())
