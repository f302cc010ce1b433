"""ROUGE equals that of rouge-score, which supports only words of Latin letters and digits."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from pytest_infperf import Rouge1, Rouge2, RougeL
from pytest_infperf.errors import UserError
from pytest_infperf.suite.outputs import UnusableSample

OUTPUTS = ["a cat sat on mat", "police killed the gunman"]
REFERENCES: list[Any] = ["the cat sat on the mat", ["the gunman killed police", "nothing"]]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        # 4 of 5 and 6 words; all 4. 2 of 4 and 5 pairs; 1 of 3. The longest subsequence has 4
        # words; 2 of 4.
        (Rouge1(), (8 / 11 + 1) / 2),
        (Rouge2(), (4 / 9 + 1 / 3) / 2),
        (RougeL(), (8 / 11 + 2 / 4) / 2),
    ],
)
def test_known_values(metric: Any, expected: float) -> None:
    totals = metric.statistics(OUTPUTS, REFERENCES).sum(axis=0)
    assert metric.score(totals) == pytest.approx(100 * expected)
    assert metric.signature().endswith("mean F1, no stemmer")


def test_the_stemmer_is_a_choice() -> None:
    assert Rouge1(stemmer=True).statistics(["cats"], ["cat"])[0, 0] == 1
    assert Rouge1().statistics(["cats"], ["cat"])[0, 0] == 0


def test_texts_of_another_script_are_an_error() -> None:
    with pytest.raises(UnusableSample, match=r"no letter from a to z .* use chrf") as raised:
        Rouge1().statistics(["a", "猫"], ["a", "猫"])
    assert raised.value.position == 1


def test_a_value_that_is_not_a_text_is_an_error() -> None:
    with pytest.raises(UnusableSample, match="its output is 7, not a text"):
        Rouge1().statistics([7], ["seven"])


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rouge_score", None)
    with pytest.raises(UserError, match=r'pip install "pytest-infperf\[text\]"'):
        Rouge1().statistics(["a"], ["a"])
