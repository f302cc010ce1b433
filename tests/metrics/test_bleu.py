"""BLEU chooses a tokenizer by the script of the texts, and its signature names it."""

from __future__ import annotations

import random

import pytest
from sacrebleu.metrics.bleu import BLEU

from pytest_infperf import Bleu, ChrF, UserError
from pytest_infperf.metrics.script import script_of

CHINESE = [
    "今天的天气很好，我们去公园散步吧。",
    "他昨天在图书馆里看了三个小时的书。",
    "这家公司成立于1998年，总部在北京。",
]
JAPANESE = [
    "今日は天気がいいので、公園を散歩しましょう。",
    "彼は昨日図書館で三時間本を読みました。",
]
KOREAN = ["오늘은 날씨가 좋으니 공원에 산책하러 갑시다.", "그는 어제 도서관에서 책을 읽었습니다."]
THAI = ["วันนี้อากาศดีเราไปเดินเล่นที่สวนกันเถอะ"]
ENGLISH = ["The weather is fine today, so let us take a walk.", "He read a book for three hours."]


def score(metric: Bleu | ChrF, outputs: list[str], references: list[object]) -> float:
    return metric.score(metric.statistics(outputs, references).sum(axis=0))


def damaged(texts: list[str], share: float = 0.2) -> list[str]:
    """Replace a share of the characters, at different positions in each text."""
    draw = random.Random(1)
    return ["".join("々" if draw.random() < share else c for c in text) for text in texts]


@pytest.mark.parametrize(
    ("texts", "script"),
    [
        (CHINESE, "Chinese"),
        (JAPANESE, "Japanese"),
        (KOREAN, "Korean"),
        (THAI, "unspaced"),
        (ENGLISH, "spaced"),
        (["Москва — столица России.", "Ελλάδα"], "spaced"),
        (["use the button 确定 to go on, then wait"], "spaced"),
        (["", "12 + 3"], "spaced"),
        ([[CHINESE[0], CHINESE[1]], [CHINESE[2]]], "Chinese"),
    ],
)
def test_the_script_of_texts(texts: list[object], script: str) -> None:
    assert script_of(texts) == script


@pytest.mark.parametrize("texts", [CHINESE, JAPANESE, KOREAN, THAI])
def test_damaged_texts_of_any_script_have_a_score_between(texts: list[str]) -> None:
    """For 13a, a Chinese clause is one word, and a single wrong character makes it wrong."""
    assert 30 < score(Bleu(), damaged(texts), [*texts]) < 85
    assert score(Bleu(), texts, [*texts]) == pytest.approx(100)


def test_a_sentence_that_differs_by_a_character_scores() -> None:
    assert score(Bleu(), [CHINESE[0].replace("很", "真")], [CHINESE[0]]) > 50
    assert score(Bleu(tokenize="13a"), [CHINESE[0].replace("很", "真")], [CHINESE[0]]) < 50


@pytest.mark.parametrize("references", [CHINESE, ENGLISH])
def test_scores_are_those_of_sacrebleu(references: list[str]) -> None:
    outputs = [text[:-3] for text in references]
    tokenize = "zh" if references is CHINESE else "13a"
    expected = BLEU(tokenize=tokenize).corpus_score(outputs, [references]).score
    assert score(Bleu(), outputs, [*references]) == pytest.approx(expected)
    assert score(Bleu(tokenize=tokenize), outputs, [*references]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("references", "words"),
    [
        (CHINESE, "tok:zh|smooth:exp|version:2"),
        (ENGLISH, "tok:13a|smooth:exp|version:2"),
        (THAI, "tok:char|smooth:exp|version:2"),
    ],
)
def test_the_signature_names_the_tokenizer(references: list[str], words: str) -> None:
    metric = Bleu()
    metric.statistics(references, references)
    assert words in metric.signature()
    assert ("(" in metric.signature()) == (references is not ENGLISH)


@pytest.mark.parametrize(("references", "extra"), [(JAPANESE, "ja"), (KOREAN, "ko")])
def test_characters_replace_words_where_mecab_is_missing(
    references: list[str], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"sacrebleu.tokenizers.tokenizer_{extra}_mecab.MeCab", None)
    metric = Bleu()
    metric.statistics(references, references)
    assert "tok:char" in metric.signature()
    assert f'{extra}-mecab needs: pip install "sacrebleu[{extra}]"' in metric.signature()
    with pytest.raises(UserError, match=rf"Bleu\(tokenize='{extra}-mecab'\).*pip install"):
        Bleu(tokenize=f"{extra}-mecab")


def test_an_unknown_tokenizer_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match="no such tokenizer; did you mean 'ja-mecab'"):
        Bleu(tokenize="ja_mecab")


@pytest.mark.parametrize("metric", [Bleu(), ChrF()])
def test_a_sentence_may_have_several_references(metric: Bleu | ChrF) -> None:
    outputs = ["the cat sat on the mat today", "it rains a lot in here now"]
    references = [["a cat was on a mat", outputs[0]], [outputs[1]]]
    assert score(metric, outputs, [*references]) == pytest.approx(100)
    assert score(metric, outputs, [texts[0] for texts in references]) < 90
    assert "nrefs:" in metric.signature()
