"""The spoken digits of suites/speech, and the error rate of digits as Whisper writes them."""

import re
import sys
from pathlib import Path

from pytest_infperf import Wer

sys.path.append(str(Path(__file__).parents[2]))
from suites.speech.utterances import DIGITS, utterances

__all__ = ["DigitErrorRate", "utterances"]


class DigitErrorRate(Wer):
    """Word error rate in which "nine", "9" and the 9 of "95179." are one word."""

    def statistics(self, outputs, references):
        return super().statistics([*map(spelt, outputs)], [*map(spelt, references)])


def spelt(text):
    words = re.findall(r"\d|[a-z]+", text.lower())
    return " ".join(DIGITS[int(word)] if word.isdigit() else word for word in words)
