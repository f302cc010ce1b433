"""Write dates as ISO 8601 does, with a T5 of transformers; either of two forms is right."""

from pytest_infperf import CTranslate2, Suite, TextToText, Torch

FORMS = ("extended", "basic")

suite = Suite(
    "dates",
    task=TextToText(data="dates.csv", reference=FORMS, metrics=("exact_match", "chrf")),
    model="t5",
    baseline="torch",
    threads=1,
    variants=[Torch(), Torch(int8="dynamic"), CTranslate2()],
)
