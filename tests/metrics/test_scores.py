"""Scores agree with hand-computed values and with other implementations."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.metrics.error_rate import Cer, Wer
from pytest_infperf.metrics.f1 import F1

OUTPUTS = ["spam", "spam", "ham", "ham", "spam"]
REFERENCES = ["spam", "ham", "ham", "spam", "spam"]


def score(metric: object, outputs: list[str], references: list[str]) -> float:
    return metric.score(metric.statistics(outputs, references).sum(axis=0))  # type: ignore[attr-defined]


def test_f1_of_a_class() -> None:
    # Precision 2/3, recall 2/3.
    assert score(F1(positive="spam"), OUTPUTS, REFERENCES) == pytest.approx(100 * 2 / 3)


def test_macro_f1_is_the_mean_over_classes() -> None:
    # The class ham has precision 1/2 and recall 1/2.
    assert score(F1(), OUTPUTS, REFERENCES) == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)


@pytest.mark.parametrize(
    ("positive", "hint"),
    [("eggs", "only 'ham', 'spam'."), ("Spam", "did you mean 'spam'"), (1, "only 'ham'")],
)
def test_a_class_that_no_sample_has_is_an_error(positive: object, hint: str) -> None:
    with pytest.raises(UserError, match=rf"F1\(positive={positive!r}\): none of the 5 .*{hint}"):
        F1(positive=positive).statistics(OUTPUTS, REFERENCES)


def test_a_class_of_another_type_is_named() -> None:
    with pytest.raises(UserError, match="has this label, only '0', '1'; did you mean '1'"):
        F1(positive=1).statistics(["0", "1"], ["0", "1"])


def test_an_error_rate_of_empty_references_is_an_error() -> None:
    with pytest.raises(UserError, match=r"wer is not defined: .* all 2 references are empty"):
        Wer().statistics(["one", ""], ["", ""])


def test_an_empty_reference_among_others_counts_what_was_inserted() -> None:
    outputs, references = ["one two", "three", ""], ["", "three four five", ""]
    statistics = Wer().statistics(outputs, references)
    assert statistics.tolist() == [[2, 0], [2, 3], [0, 0]]
    assert Wer().score(statistics.sum(axis=0)) == pytest.approx(100 * 4 / 3)
    assert Wer().score(statistics[0]) == 200  # a resample without words of references
    assert Wer().score(statistics[2]) == 0


def test_word_error_rate_is_edits_over_reference_words() -> None:
    outputs, references = ["one two", "three", "four five six"], ["one too", "three", "four six"]
    assert score(Wer(), outputs, references) == pytest.approx(100 * 2 / 5)


def test_error_rates_equal_those_of_jiwer() -> None:
    import jiwer

    outputs, references = ["one tow", "", "nine nine"], ["one two", "zero", "nine"]
    assert score(Wer(), outputs, references) == pytest.approx(100 * jiwer.wer(references, outputs))
    assert score(Cer(), outputs, references) == pytest.approx(100 * jiwer.cer(references, outputs))


@pytest.mark.parametrize("metric", [Wer(), Cer()])
def test_a_perfect_hypothesis_has_no_errors(metric: Wer | Cer) -> None:
    assert score(metric, REFERENCES, REFERENCES) == 0
    assert not metric.higher_is_better


def test_statistics_have_one_row_for_each_sample() -> None:
    assert Wer().statistics(OUTPUTS, REFERENCES).shape == (5, 2)
    assert F1().statistics(OUTPUTS, REFERENCES).shape == (5, 6)
    assert F1().statistics(OUTPUTS, REFERENCES).dtype == np.float64
