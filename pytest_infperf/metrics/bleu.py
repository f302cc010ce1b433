"""BLEU (Papineni et al. 2002) as sacrebleu computes it (Post 2018), in points from 0 to 100."""

from __future__ import annotations

from sacrebleu.metrics.bleu import BLEU

from pytest_infperf.metrics.sacrebleu_metric import SacrebleuMetric


class Bleu(SacrebleuMetric):
    def __init__(self) -> None:
        super().__init__("bleu", BLEU())
