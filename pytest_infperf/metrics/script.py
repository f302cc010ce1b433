"""Detection of the script of texts, which determines how they are split into words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_HAN = re.compile(r"[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc\u31f0-\u31ff\uff66-\uff9d]")
_HANGUL = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff]")
"""Thai, Lao, Tibetan, Burmese and Khmer."""
_LETTER = re.compile(r"[^\W\d_]")
_LEAST_KANA = 0.05
"""Minimum fraction of kana in Japanese text of Han and kana, far below the usual fraction."""


def script_of(texts: Iterable[Any]) -> str:
    """Return the script of most letters.

    It is "Chinese", "Japanese", "Korean", "unspaced" for another script without spaces between
    words, or "spaced". An element can also be a list of texts.
    """
    joined = "".join(text if isinstance(text, str) else "".join(text) for text in texts)
    letters = len(_LETTER.findall(joined))
    han, kana = len(_HAN.findall(joined)), len(_KANA.findall(joined))
    if 2 * (han + kana) > letters:
        return "Japanese" if kana > _LEAST_KANA * (han + kana) else "Chinese"
    if 2 * len(_HANGUL.findall(joined)) > letters:
        return "Korean"
    return "unspaced" if 2 * len(_UNSPACED.findall(joined)) > letters else "spaced"
