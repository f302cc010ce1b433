"""The codec of Marian models encodes and decodes like transformers' MarianTokenizer."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.tasks.marian import MarianCodec
from pytest_infperf.tasks.translation import Translation

SUITE = Path(__file__).parents[2] / "suites" / "translation"
MODEL = SUITE / "models" / "marian-zh-en-base"
TASK = Translation(source="data/test.zho", reference="data/test.eng")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import MarianTokenizer

        return MarianTokenizer.from_pretrained(MODEL)


@pytest.fixture(scope="module")
def codec() -> MarianCodec:
    return MarianCodec(MODEL)


def test_every_source_sentence_is_encoded_alike(tokenizer: Any, codec: MarianCodec) -> None:
    sources = list(TASK.samples(SUITE).inputs)
    assert codec.encode(sources) == tokenizer(sources)["input_ids"]


def test_every_reference_is_decoded_alike(tokenizer: Any, codec: MarianCodec) -> None:
    references = list(TASK.samples(SUITE).references)
    ids = tokenizer(text_target=references)["input_ids"]
    assert codec.decode(ids, ids) == tokenizer.batch_decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize(
    "text", ["", " ", "\t", ">>eng<< 你好", "no Chinese at all", "𠮷野家", "你好" * 400, "a\u0000b"]
)
def test_odd_text_is_encoded_alike_up_to_the_length_limit(
    tokenizer: Any, codec: MarianCodec, text: str
) -> None:
    (ids,) = codec.encode([text])
    assert ids == tokenizer([text], truncation=True)["input_ids"][0]


def test_texts_that_are_cut_are_known(codec: MarianCodec) -> None:
    [short] = codec.encode(["你好"])
    codec = MarianCodec(MODEL)
    codec._longest = len(short)
    assert codec.encode(["你好"]) == [short]
    assert codec.cut(["你好", "你好你好"]) == [False, True]


def test_special_tokens_and_unknown_ids_are_not_decoded(codec: MarianCodec) -> None:
    (ids,) = codec.encode(["你好"])
    assert codec.decode([[8000, *ids, 0, 8000, 999_999]], [ids]) == codec.decode([ids], [ids])


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    task = Translation(source="a", reference="b")
    with pytest.raises(UserError, match="has no tokenizer that transformers can read"):
        task.codec(tmp_path)
    (tmp_path / "source.spm").touch()
    with pytest.raises(
        UserError, match=r"has no target\.spm, vocab\.json, .*a Marian model needs it"
    ):
        task.codec(tmp_path)


def test_data_of_unequal_length_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\ntwo\n")
    (tmp_path / "b").write_text("eins\n")
    with pytest.raises(UserError, match=r"has 2 lines, but .* has 1: line i of one must translate"):
        Translation(source="a", reference="b").samples(tmp_path)


def test_missing_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the test data .*nowhere"):
        Translation(source="nowhere", reference="nowhere").samples(tmp_path)


def test_a_sentence_may_have_several_translations(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\ntwo\n")
    (tmp_path / "b").write_text("eins\nzwei\n\n")
    (tmp_path / "c").write_text("ein\nzwo\n")
    samples = Translation(source="a", reference=["b", "c"]).samples(tmp_path)
    assert samples.inputs == ["one", "two"]
    assert samples.references == [["eins", "ein"], ["zwei", "zwo"]]
    (tmp_path / "c").write_text("ein\n")
    with pytest.raises(UserError, match=r"has 2 lines, but .*c has 1: line i"):
        Translation(source="a", reference=["b", "c"]).samples(tmp_path)


def test_data_without_a_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(UserError, match=r"the test data .*a is empty"):
        Translation(source="a", reference="a").samples(tmp_path)
