"""Text classification: the tokenizer of the shipped models, and errors about wrong data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pytest_infperf import Samples, TextClassification, UserError
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


def codec_with(folder: Path, **settings: object) -> TextCodec:
    """Return the codec of a shipped model with other entries in its config.json."""
    shutil.copy(MODELS / "distilbert-solicitation" / "tokenizer.json", folder)
    config = json.loads((MODELS / "distilbert-solicitation" / "config.json").read_text())
    changed = {key: value for key, value in {**config, **settings}.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(changed))
    return TextCodec(folder, 64)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["Clean", "SOLICITATION"], "'Clean' is probably 'clean', 'SOLICITATION' is probably"),
        (["0", "1"], "'0' is probably 'clean', '1' is probably 'solicitation'"),
        (["clean", "solicitations"], "'solicitations' is probably 'solicitation'. Write"),
        (["clean", "spam"], "the data has 'clean', 'spam', and id2label in "),
        ([" clean"], "' clean' is probably 'clean'"),
    ],
)
def test_labels_of_the_data_are_held_against_the_models(
    tmp_path: Path, labels: list[str], words: str
) -> None:
    codec = codec_with(tmp_path)
    with pytest.raises(UserError) as raised:
        TASK.check(Samples(["text"] * len(labels), labels), codec)
    message = str(raised.value)
    assert words in message
    assert f"{tmp_path / 'config.json'} has 'clean', 'solicitation'" in message
    assert "the labels of data.jsonl are not those of the model" in message
    TASK.check(Samples(["a"], ["clean"]), codec)


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        ({}, {0: "LABEL_0", 1: "LABEL_1"}),
        ({"num_labels": 3}, {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}),
        ({"id2label": {"1": "b", "0": "a"}}, {0: "a", 1: "b"}),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_labels_are_read_as_transformers_reads_them(
    tmp_path: Path, settings: dict[str, object], labels: dict[int, str]
) -> None:
    from transformers import AutoConfig

    codec = codec_with(tmp_path, **{"id2label": None, "label2id": None, **settings})
    assert codec.labels == labels
    assert AutoConfig.from_pretrained(tmp_path).id2label == labels


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"id2label": {"0": "score"}}, "has 'score' at 0, and a classifier needs at least two"),
        ({"id2label": {"1": "a", "2": "b"}}, "numbered from 0"),
        ({"id2label": ["a", "b"]}, "write the configuration of transformers"),
        ({"id2label": {"first": "a"}}, "write the configuration of transformers"),
        ({"pad_token_id": 99_999}, "pad_token_id is 99999, and .*no such token"),
        ({"pad_token_id": -1}, "pad_token_id is -1, and .*no such token"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(
    tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=rf"config\.json.*{words}"):
        codec_with(tmp_path, **settings)


def test_a_head_of_another_size_is_named() -> None:
    codec = TextCodec(MODELS / "bert-solicitation", 64)
    with pytest.raises(UserError, match=r"answers with 3 values .*config\.json has 2 labels"):
        codec.decode(np.zeros((1, 3)), {})
    with pytest.raises(UserError, match="answers with 1 value for each sample, as for a regress"):
        codec.decode(np.zeros((1, 1)), {})


def test_logits_that_are_not_finite_have_no_label() -> None:
    nan, inf = np.nan, np.inf
    logits = np.array([[nan, nan], [0, nan], [nan, 0], [0, inf], [-inf, -inf], [-inf, 0], [1, 0]])
    codec = TextCodec(MODELS / "bert-solicitation", 64)
    assert codec.decode(logits, {}) == [None, None, None, None, None, "solicitation", "clean"]
    shown = codec.probabilities(logits)
    assert np.isnan([*shown[0].values(), *shown[4].values()]).all()
    assert shown[5] == {"clean": 0, "solicitation": 1}


@pytest.mark.parametrize("text", ["a\u2028b", "a\u2029b", "a\x85b", "a\ufeffb"])
def test_separators_of_unicode_belong_to_their_text(tmp_path: Path, text: str) -> None:
    lines = [
        json.dumps({"text": text, "label": "x"}, ensure_ascii=False),
        "",
        '{"text": "b", "label": 1}',
    ]
    content = "\ufeff" + "\r\n".join(lines) + "\n\n"
    (tmp_path / "data.jsonl").write_bytes(content.encode())
    assert TASK.samples(tmp_path) == Samples([text, "b"], ["x", "1"])


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("\n")
    with pytest.raises(UserError, match=r"the test data .*data\.jsonl is empty"):
        TASK.samples(tmp_path)
