"""chrF (Popović 2015) as sacrebleu computes it, in points from 0 to 100."""

from __future__ import annotations

from sacrebleu.metrics.chrf import CHRF

from pytest_infperf.metrics.sacrebleu_metric import SacrebleuMetric


class ChrF(SacrebleuMetric):
    def __init__(self) -> None:
        super().__init__("chrf", CHRF())
