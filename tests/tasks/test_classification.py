"""Text classification: the tokenizer of the shipped models, and errors about wrong data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_infperf import TextClassification, UserError
from pytest_infperf.tasks.classification import TextCodec

MODELS = Path(__file__).parents[2] / "suites" / "classification" / "models"
TASK = TextClassification(data="data.jsonl")
TEXTS = ["Call me tonight", "WIN a £1000 prize now!!! " * 40, ""]


@pytest.mark.parametrize("name", ["bert-solicitation", "distilbert-solicitation"])
@pytest.mark.filterwarnings("ignore")
def test_features_equal_those_of_transformers(name: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODELS / name)
    expected = tokenizer(TEXTS, padding=True, truncation=True, max_length=64, return_tensors="np")
    codec = TextCodec(MODELS / name, 64)
    features = codec.encode(TEXTS)
    for key in ("input_ids", "attention_mask"):
        assert np.array_equal(features[key], expected[key])
    assert ("token_type_ids" in features) == (name == "bert-solicitation")
    assert {*features} == {*codec.axes}


def test_a_chosen_length_is_exact_and_applies_to_one_call() -> None:
    codec = TextCodec(MODELS / "bert-solicitation", 512)
    text = TASK.sized(["one two three", "four five"], 1, 48)
    assert codec.encode([text], 48)["input_ids"].shape == (1, 48)
    assert codec.encode([text])["input_ids"].shape[1] > 48


def test_labels_come_from_the_model() -> None:
    codec = TextCodec(MODELS / "bert-solicitation", 512)
    assert codec.decode(np.array([[2.0, 1.0], [0.0, 1.0]]), {}) == ["clean", "solicitation"]


@pytest.mark.parametrize("line", ["{", '{"text": "a"}', "[]", '"text"'])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "a", "label": "b"}\n' + line + "\n")
    with pytest.raises(UserError, match=r"data\.jsonl:2: write"):
        TASK.samples(tmp_path)


def test_a_model_without_a_fast_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no tokenizer\.json and no config\.json"):
        TextCodec(tmp_path, 512)
