"""BLEU [1]_ as sacrebleu computes it [2]_, in points from 0 to 100.

References
----------
.. [1] Papineni, K., Roukos, S., Ward, T. and Zhu, W. (2002). BLEU: a Method for Automatic
   Evaluation of Machine Translation. ACL.
.. [2] Post, M. (2018). A Call for Clarity in Reporting BLEU Scores. WMT.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

from pytest_infperf.errors import UserError
from pytest_infperf.metrics.sacrebleu_metric import SacrebleuMetric
from pytest_infperf.metrics.script import script_of
from pytest_infperf.suite.labels import listed, nearest_label

_DEFAULT = "13a"
_BY_SCRIPT = {"Chinese": "zh", "Japanese": "ja-mecab", "Korean": "ko-mecab", "unspaced": "char"}
"""sacrebleu's tokenizers for scripts without spaces, which 13a cannot split."""


class Bleu(SacrebleuMetric):
    """Corpus BLEU with sacrebleu's default settings, from 0 to 100 points.

    A sentence can have several references, as a list.

    Parameters
    ----------
    tokenize : str, optional
        A sacrebleu tokenizer, such as "13a", "intl", "zh", "ja-mecab", "ko-mecab" or "char". None
        chooses one by the script of the references: "zh" for Chinese, "ja-mecab" and "ko-mecab"
        for Japanese and Korean ("char" if they are not installed), "char" for other scripts
        without spaces, and "13a" otherwise. The signature names the tokenizer.

    Raises
    ------
    UserError
        If sacrebleu has no such tokenizer, or the tokenizer requires a missing package.

    Examples
    --------
    >>> from pytest_infperf import Bleu
    >>> Bleu(tokenize="zh").signature().split("|")[3]
    'tok:zh'
    """

    def __init__(self, tokenize: str | None = None) -> None:
        super().__init__("bleu", _sacrebleu(tokenize or _DEFAULT))
        self._chosen = tokenize is not None
        self._reason = ""

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return sacrebleu's statistics of each sentence, shape [samples, k]."""
        if not self._chosen:
            self._metric, self._reason = _fitting(script_of(references))
        return super().statistics(outputs, references)

    def signature(self) -> str:
        """Return sacrebleu's signature, and why its tokenizer was chosen if it is not 13a."""
        return " ".join(filter(None, (super().signature(), self._reason)))


def _fitting(script: str) -> tuple[Any, str]:
    """Return BLEU with the tokenizer for a script, and the reason if it is not the default."""
    tokenize = _BY_SCRIPT.get(script)
    if tokenize is None:
        return _sacrebleu(_DEFAULT), ""
    try:
        return _sacrebleu(tokenize), f"({script} references)"
    except UserError:
        extra = tokenize.removesuffix("-mecab")
        return _sacrebleu("char"), (
            f'({script} references; {tokenize} needs: pip install "sacrebleu[{extra}]")'
        )


def _sacrebleu(tokenize: str) -> Any:
    if tokenize not in BLEU.TOKENIZERS:
        near = nearest_label(tokenize, BLEU.TOKENIZERS)
        hint = f"did you mean {near!r}?" if near else f"choose from {listed(BLEU.TOKENIZERS)}"
        raise UserError(f"Bleu(tokenize={tokenize!r}): sacrebleu has no such tokenizer; {hint}")
    try:
        return BLEU(tokenize=tokenize)
    except (RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"Bleu(tokenize={tokenize!r}): {reason}") from error
