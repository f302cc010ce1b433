"""chrF [1]_ as sacrebleu computes it, in points from 0 to 100.

References
----------
.. [1] Popović, M. (2015). chrF: Character n-gram F-score for Automatic MT Evaluation. WMT.
"""

from __future__ import annotations

from sacrebleu.metrics.chrf import CHRF

from pytest_infperf.metrics.sacrebleu_metric import SacrebleuMetric


class ChrF(SacrebleuMetric):
    """Corpus chrF with sacrebleu's default settings, from 0 to 100 points.

    A sentence can have several references, as a list.
    """

    def __init__(self) -> None:
        super().__init__("chrf", CHRF())
