"""Text classification: the tokenizer of the shipped models, and errors about wrong data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pytest_infperf import Samples, TextClassification, UserError
from pytest_infperf.tasks.classification import LabelCodec

MODELS = Path(__file__).parents[2] / "suites" / "classification" / "models"
TASK = TextClassification(data="data.jsonl")
TEXTS = ["Call me tonight", "WIN a £1000 prize now!!! " * 40, ""]


@pytest.mark.parametrize("name", ["bert-solicitation", "distilbert-solicitation"])
@pytest.mark.filterwarnings("ignore")
def test_features_equal_those_of_transformers(name: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODELS / name)
    expected = tokenizer(TEXTS, padding=True, truncation=True, max_length=64, return_tensors="np")
    codec = LabelCodec(MODELS / name, 64)
    features = codec.encode(TEXTS)
    for key in ("input_ids", "attention_mask"):
        assert np.array_equal(features[key], expected[key])
    assert ("token_type_ids" in features) == (name == "bert-solicitation")
    assert {*features} == {*codec.axes}


def test_a_chosen_length_is_exact_and_applies_to_one_call() -> None:
    codec = LabelCodec(MODELS / "bert-solicitation", 512)
    text = TASK.sized(["one two three", "four five"], 1, 48)
    assert codec.encode([text], 48)["input_ids"].shape == (1, 48)
    assert codec.encode([text])["input_ids"].shape[1] > 48


def test_texts_that_are_cut_are_known() -> None:
    codec = LabelCodec(MODELS / "bert-solicitation", 8)
    longest = "win " * 6  # and two special tokens
    assert codec.encode([longest])["input_ids"].shape == (1, 8)
    assert codec.cut([longest, longest + "win", "win"]) == [False, True, False]


def test_labels_come_from_the_model() -> None:
    codec = LabelCodec(MODELS / "bert-solicitation", 512)
    assert codec.decode(np.array([[2.0, 1.0], [0.0, 1.0]]), {}) == ["clean", "solicitation"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "write an object"),
        ('{"text": "a"}', "'label' is missing"),
        ("[]", "a row must be an object"),
        ('"text"', "a row must be an object"),
        ('{"text": ["a"], "label": "b"}', "'text' must be a text, not list"),
        ('{"text": "a", "label": {}}', "'label' must be a label"),
        ('{"text": "a", "label": " "}', "'label' is empty"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "a", "label": "b"}\n' + line + "\n")
    with pytest.raises(UserError, match=rf"data\.jsonl:2: {words}"):
        TASK.samples(tmp_path)


def test_a_model_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json does not exist"):
        LabelCodec(tmp_path, 512)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="has no tokenizer that transformers can read"):
        LabelCodec(tmp_path, 512)


def codec_with(folder: Path, **settings: object) -> LabelCodec:
    """Return the codec of a shipped model with other entries in its config.json."""
    shutil.copy(MODELS / "distilbert-solicitation" / "tokenizer.json", folder)
    config = json.loads((MODELS / "distilbert-solicitation" / "config.json").read_text())
    changed = {key: value for key, value in {**config, **settings}.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(changed))
    return LabelCodec(folder, 64)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["Clean", "SOLICITATION"], "'Clean' is probably 'clean', 'SOLICITATION' is probably"),
        (["1", "2"], "the data has '1', '2', and id2label in "),
        (["0", "clean"], "'0' is probably 'clean'"),
        (["clean", "solicitations"], "'solicitations' is probably 'solicitation'. Use"),
        (["clean", "spam"], "the data has 'clean', 'spam', and id2label in "),
        ([" clean"], "' clean' is probably 'clean'"),
    ],
)
def test_labels_of_the_data_are_compared_with_the_models(
    tmp_path: Path, labels: list[str], words: str
) -> None:
    codec = codec_with(tmp_path)
    with pytest.raises(UserError) as raised:
        TASK.check(Samples(["text"] * len(labels), labels), codec)
    message = str(raised.value)
    assert words in message
    assert f"{tmp_path / 'config.json'} has 'clean', 'solicitation'" in message
    assert "the labels of data.jsonl do not match those of the model" in message
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
        ({"id2label": {"0": "score"}}, "has only one label, 'score', .*: use TextRegression"),
        ({"id2label": {"1": "a", "2": "b"}}, "numbered from 0"),
        ({"id2label": ["a", "b"]}, "must be a transformers configuration"),
        ({"id2label": {"first": "a"}}, "must be a transformers configuration"),
        ({"pad_token_id": 99_999}, "pad_token_id is 99999, but .*no such token"),
        ({"pad_token_id": -1}, "pad_token_id is -1, but .*no such token"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(
    tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=rf"config\.json.*{words}"):
        codec_with(tmp_path, **settings)


def test_a_head_of_another_size_is_named() -> None:
    codec = LabelCodec(MODELS / "bert-solicitation", 64)
    with pytest.raises(UserError, match=r"returns 3 values .*config\.json has 2 labels"):
        codec.decode(np.zeros((1, 3)), {})
    with pytest.raises(UserError, match=r"returns 1 values .*config\.json has 2 labels"):
        codec.decode(np.zeros((1, 1)), {})


def test_logits_that_are_not_finite_have_no_label() -> None:
    nan, inf = np.nan, np.inf
    logits = np.array([[nan, nan], [0, nan], [nan, 0], [0, inf], [-inf, -inf], [-inf, 0], [1, 0]])
    codec = LabelCodec(MODELS / "bert-solicitation", 64)
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


def test_labels_may_be_the_numbers_of_classes(tmp_path: Path) -> None:
    codec = codec_with(tmp_path)
    task = TextClassification(data=[{"text": "a", "label": 1}, {"text": "b", "label": 0.0}])
    samples = task.samples(tmp_path)
    assert samples.references == ["1", "0"]
    task.check(samples, codec)
    logits = np.array([[2.0, 1.0], [0.0, 1.0]])
    assert codec.decode(logits, {}) == ["0", "1"]
    assert [*codec.probabilities(logits)[0]] == ["clean", "solicitation"]


def test_a_model_for_several_labels_answers_with_those_above_zero(tmp_path: Path) -> None:
    several = {"problem_type": "multi_label_classification"}
    codec = codec_with(tmp_path, id2label={"0": "rude", "1": "spam", "2": "fun"}, **several)
    (tmp_path / "data.csv").write_text("text,rude,spam\na,1,0\nb,true,True\nc,0,no\n")
    task = TextClassification(data="data.csv", label=("rude", "spam"))
    samples = task.samples(tmp_path)
    assert samples.references == [["rude"], ["rude", "spam"], []]
    task.check(samples, codec)
    logits = np.array([[1.0, -1.0, 0.1], [-1, 0, -1], [np.nan, 1, 1]])
    assert codec.decode(logits, {}) == [["rude", "fun"], [], None]
    assert codec.probabilities(np.zeros((1, 3)))[0] == {"rude": 0.5, "spam": 0.5, "fun": 0.5}
    with pytest.raises(UserError, match=r"returns several labels .*write lists"):
        TASK.check(Samples(["a"], ["rude"]), codec)
    with pytest.raises(UserError, match=r"has lists of labels, such as \['clean'\]"):
        TASK.check(Samples(["a"], [["clean"]]), codec_with(tmp_path))


@pytest.mark.filterwarnings("ignore")
def test_pairs_are_encoded_as_transformers_does(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    (tmp_path / "data.tsv").write_text(
        "question\tanswer\tlabel\nhow much is it\tten\tclean\n"
        "who\tsomebody with a long name\tclean\n"
    )
    task = TextClassification(data="data.tsv", text="question", pair="answer")
    inputs = task.samples(tmp_path).inputs
    assert inputs[0] == ("how much is it", "ten")
    codec = LabelCodec(MODELS / "bert-solicitation", 64)
    features = codec.encode(inputs)
    expected = AutoTokenizer.from_pretrained(MODELS / "bert-solicitation")(
        ["how much is it", "who"], ["ten", "somebody with a long name"], padding=True
    )
    assert {name: array.tolist() for name, array in features.items()} == dict(expected)
    text, second = task.sized(inputs, 0, 20)
    assert min(len(text.split()), len(second.split())) >= 20
    assert codec.encode([(text, second)], 12)["input_ids"].shape == (1, 12)


@pytest.mark.filterwarnings("ignore")
def test_a_tokenizer_without_a_fast_one_is_that_of_transformers(tmp_path: Path) -> None:
    from transformers import BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "win", "now"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").unlink(missing_ok=True)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    features = LabelCodec(tmp_path, 8).encode(["win now", "win"])
    assert features["input_ids"].tolist() == [[2, 5, 6, 3], [2, 5, 3, 0]]
    assert features["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert features["input_ids"].dtype == np.int64
    codec = LabelCodec(tmp_path, 8)
    assert codec.cut(["win " * 6, "win " * 7, ("win", "now"), ("win " * 5, "now")]) == [
        False, True, False, True,
    ]  # fmt: skip


def test_a_model_with_fewer_positions_than_the_task_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"reads at most 32 tokens .* set max_tokens=32"):
        codec_with(tmp_path, max_position_embeddings=32)
