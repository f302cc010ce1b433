"""Perplexity, bits per byte and divergence of scored windows, computed by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pytest_infperf import Perplexity, UserError
from pytest_infperf.measure.perplexity import TextRun, measured_text
from pytest_infperf.worker.messages import Text, WindowScored

TEXT = Text(8, "letters")


def scored(
    nats: list[float], text: Text = TEXT, tokens: int = 10, divergence: float = 0.0
) -> TextRun:
    """Return windows of 10 tokens and 40 bytes."""
    return TextRun(
        text,
        [WindowScored(tokens, 40, value, positions=5, divergence=divergence) for value in nats],
    )


def test_a_model_that_gives_every_token_the_same_probability() -> None:
    (measured,) = measured_text(scored([10 * math.log(4)] * 8), None, 0.99)
    perplexity, bits = measured.measures["perplexity"], measured.measures["bits_per_byte"]
    assert perplexity.value == pytest.approx(4)
    assert (perplexity.low, perplexity.high) == pytest.approx((4, 4))
    assert (perplexity.unit, perplexity.n) == ("", 8)
    assert bits.value == pytest.approx(2 * 10 / 40)
    assert bits.unit == "bits"
    assert measured.whole_set
    assert not measured.ratios


def test_the_ratio_to_the_baseline_is_paired() -> None:
    """Windows differ by far more than the two variants do in each of them."""
    theirs = scored([10.0, 30.0, 12.0, 33.0, 9.0, 28.0, 11.0, 31.0])
    ours = scored([value + 0.5 for value in [10.0, 30.0, 12.0, 33.0, 9.0, 28.0, 11.0, 31.0]])
    likelihood, divergence = measured_text(ours, theirs, 0.99)
    ratio = likelihood.ratios["perplexity"]
    assert ratio.value == pytest.approx(math.exp(0.05))
    assert (ratio.low, ratio.high) == pytest.approx((math.exp(0.05), math.exp(0.05)))
    assert likelihood.measures["perplexity"].high is not None
    assert likelihood.measures["perplexity"].high > 2 * likelihood.measures["perplexity"].value
    bits = likelihood.ratios["bits_per_byte"]
    assert bits.value == pytest.approx((164 + 4) / 164)
    assert bits.low is not None
    assert 1 < bits.low < bits.value
    assert divergence.measures["kl_divergence"].value == 0


def test_divergence_is_a_mean_over_the_compared_tokens() -> None:
    run = scored([10.0] * 8, divergence=0.6)
    _, measured = measured_text(run, run, 0.99)
    divergence = measured.measures["kl_divergence"]
    assert divergence.value == pytest.approx(0.12)
    assert divergence.unit == "nats"
    assert not measured.whole_set, "only 5 of 10 tokens of each window were compared"


def test_distributions_that_are_unlike_have_no_divergence() -> None:
    run = scored([10.0] * 8)
    unlike = replace(run, windows=[replace(each, unlike="5 and 4") for each in run.windows])
    likelihood, divergence = measured_text(unlike, run, 0.99)
    assert divergence.missing == {"kl_divergence": "5 and 4"}
    assert likelihood.ratios["perplexity"].value == 1


def test_few_windows_have_no_interval() -> None:
    (measured,) = measured_text(scored([10.0, 12.0, 9.0]), None, 0.99)
    perplexity = measured.measures["perplexity"]
    assert perplexity.low is perplexity.high is None
    assert not measured.whole_set, "3 of 8 windows were scored"


def test_an_absurd_perplexity_stays_finite() -> None:
    (measured,) = measured_text(scored([1e6] * 8), None, 0.99)
    assert measured.measures["perplexity"].value == pytest.approx(math.exp(50))


def test_other_vocabularies_compare_bits_per_byte_only() -> None:
    ours = scored([10.0] * 8, Text(8, "words"))
    likelihood, divergence = measured_text(ours, scored([5.0] * 8), 0.99)
    assert "vocabularies of the variant and the baseline differ" in likelihood.missing["perplexity"]
    assert not likelihood.ratios
    assert likelihood.baseline["bits_per_byte"].value == pytest.approx(5 / math.log(2) / 40)
    assert "vocabularies" in divergence.missing["kl_divergence"]
    assert not divergence.measures


def test_probabilities_that_are_not_finite_are_no_perplexity() -> None:
    fine = scored([10.0] * 8)
    nan = replace(fine.windows[0], is_finite=False)
    broken = replace(fine, windows=[*fine.windows[:6], nan, nan])
    (measured,) = measured_text(broken, fine, 0.99)
    assert not measured.measures
    assert measured.not_finite.startswith("the probabilities of 2 of 8 windows are not finite")
    assert set(measured.missing) == {"perplexity", "bits_per_byte", "kl_divergence"}
    assert measured.undefined["perplexity"].startswith("perplexity is not defined")
    likelihood, divergence = measured_text(fine, broken, 0.99)
    assert likelihood.measures["perplexity"].value == pytest.approx(math.e)
    assert likelihood.missing["perplexity"].startswith("the baseline: the probabilities of 2 of 8")
    assert divergence.missing["kl_divergence"].startswith("the baseline: ")


def test_a_variant_that_cannot_score_has_a_reason() -> None:
    unable = TextRun(Text(0, ""), unable="no probabilities")
    (measured,) = measured_text(unable, scored([10.0] * 8), 0.99)
    assert set(measured.missing.values()) == {"no probabilities"}
    likelihood, _ = measured_text(scored([10.0] * 8), unable, 0.99)
    assert likelihood.missing["perplexity"] == "the baseline: no probabilities"
    assert "perplexity" in likelihood.measures


@pytest.mark.parametrize(
    ("window", "stride", "expected"),
    [
        (4, 2, [("abcd", "bcd"), ("cdef", "ef"), ("efgh", "gh")]),
        (4, 4, [("abcd", "bcd"), ("efgh", "fgh")]),
        (5, 3, [("abcde", "bcde"), ("defgh", "fgh")]),
        (7, 7, [("abcdefg", "bcdefg")]),
        (20, 1, [("abcdefgh", "bcdefgh")]),
    ],
)
def test_windows_score_each_token_once(
    window: int, stride: int, expected: list[tuple[str, str]]
) -> None:
    ids = [ord(letter) for letter in "abcdefgh"]
    windows = Perplexity("text.txt", window=window, stride=stride).windows(ids, range(2, 18, 2))
    found = [
        ("".join(map(chr, part.tokens)), "".join(map(chr, part.tokens[-part.scored :])))
        for part in windows
    ]
    assert found == expected
    assert [part.size for part in windows] == [2 * len(letters) for _, letters in expected]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"window": 1, "stride": 1}, "window must be at least 2"),
        ({"window": 4, "stride": 5}, "stride from 1 to window"),
        ({"stride": 0}, "stride from 1 to window"),
        ({"sample_size": 0}, "must be at least 1"),
        ({"kl_positions": 0}, "must be at least 1"),
    ],
)
def test_settings_of_windows_that_are_wrong(settings: dict[str, int], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        Perplexity("text.txt", **settings)


def test_a_text_of_one_token_is_an_error() -> None:
    with pytest.raises(UserError, match=r"the text text\.txt has 1 tokens, but .* at least 2"):
        Perplexity("text.txt").windows([1], [1])
