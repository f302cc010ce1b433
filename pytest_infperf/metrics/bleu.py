"""BLEU [1]_ as sacrebleu computes it [2]_, in points from 0 to 100.

References
----------
.. [1] Papineni, K., Roukos, S., Ward, T. and Zhu, W. (2002). BLEU: a Method for Automatic
   Evaluation of Machine Translation. ACL.
.. [2] Post, M. (2018). A Call for Clarity in Reporting BLEU Scores. WMT.
"""

from __future__ import annotations

from sacrebleu.metrics.bleu import BLEU

from pytest_infperf.metrics.sacrebleu_metric import SacrebleuMetric


class Bleu(SacrebleuMetric):
    """Corpus BLEU with sacrebleu's default settings, from 0 to 100 points."""

    def __init__(self) -> None:
        super().__init__("bleu", BLEU())
