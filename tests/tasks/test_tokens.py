"""Tags of words: those of transformers' examples, and data that is compared with the model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_infperf import HubDataset, Samples, TokenClassification, Torch, UserError
from pytest_infperf.suite.backend import Material
from pytest_infperf.tasks.tokens import TagCodec
from tests.tasks.test_embedding import BERT

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
SENTENCES = [
    ["Call", "Johannesburg", "tonight", "!"],
    ["meet", "me", "at", "noon,", "as", "we", "said"],
    ["win"],
]
TASK = TokenClassification(data="rows.jsonl", words="w", tags="t", max_tokens=64)

pytestmark = pytest.mark.filterwarnings("ignore")


def tagger(folder: Path) -> Path:
    """Write a tiny classifier of tokens with a shipped tokenizer."""
    import torch
    from transformers import BertConfig, BertForTokenClassification

    folder.mkdir()
    shutil.copy(BERT / "tokenizer.json", folder)
    size = json.loads((BERT / "config.json").read_text())["vocab_size"]
    torch.manual_seed(3)
    BertForTokenClassification(
        BertConfig(
            vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=64, id2label=dict(enumerate(LABELS)),
            label2id={name: number for number, name in enumerate(LABELS)}, initializer_range=0.5,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tagger(tmp_path_factory.mktemp("models") / "tagger")


def tags_of(model: Path, folder: Path, sentences: list[list[str]]) -> list[Any]:
    folder.mkdir()
    Torch().build(Material(model, TASK, model), folder)
    codec = TASK.codec(model)
    features = codec.encode(sentences)
    return codec.decode(Torch().load(folder, TASK, 1).infer(features), features)


def test_a_word_has_the_tag_of_its_first_token_as_in_transformers(
    model: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import BertForTokenClassification, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(model / "tokenizer.json"))
    network: Any = BertForTokenClassification.from_pretrained(model).eval()
    expected = []
    for words in SENTENCES:
        encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        with torch.inference_mode():
            best = network(**encoded).logits[0].argmax(-1).tolist()
        word_ids = encoded.word_ids()
        expected.append([LABELS[best[word_ids.index(i)]] for i in range(len(words))])
    assert max(len(TASK.codec(model).encode([[word]])["input_ids"][0]) for word in SENTENCES[0]) > 3
    assert tags_of(model, tmp_path / "artifact", SENTENCES) == expected
    assert len({tag for tags in expected for tag in tags}) > 1


def test_words_without_a_token_are_outside(model: Path) -> None:
    codec = TagCodec(model, 6)
    features = codec.encode([["we", "\u200b", "meet", "at", "noon", "today"], ["we"]])
    assert features["input_ids"].shape == (2, 6)
    assert features["first_tokens"] == [[1, None, 2, 3, 4, None], [1]]
    logits = np.zeros((2, 6, 5))
    logits[:, :, 1] = 1
    assert codec.decode(logits, features) == [["B-PER", "O", *["B-PER"] * 3, "O"], ["B-PER"]]
    assert {*codec.axes} == {*features} - {"first_tokens"}


def test_a_sentence_with_a_logit_that_is_not_finite_has_no_tags(model: Path) -> None:
    codec = TagCodec(model, 64)
    features = codec.encode([["we", "meet"], ["we"]])
    logits = np.zeros((2, 4, 5))
    logits[0, 2, 3] = np.nan
    logits[1, 2, 3] = np.nan  # of a special token
    assert codec.decode(logits, features) == [None, ["O"]]
    with pytest.raises(UserError, match=r"3 values for each token, but .*config\.json has 5 lab"):
        codec.decode(np.zeros((2, 4, 3)), features)


def test_words_of_a_byte_level_vocabulary_begin_with_a_space(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces = [*marks, "Ġ", "w", "e", "m", "Ġw", "Ġm"]
    tokenizer = Tokenizer(
        models.BPE({p: i for i, p in enumerate(pieces)}, [("Ġ", "w"), ("Ġ", "m")], unk_token=None)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text('{"pad_token_id": 1}')
    features = TagCodec(tmp_path, 8).encode([["we", "me"]])
    assert features["input_ids"].tolist() == [[9, 7, 10, 7]]
    assert features["first_tokens"] == [[0, 2]]
    # The examples of transformers open such tokenizers with add_prefix_space=True.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert tokenizer.encode(["we", "me"], is_pretokenized=True).ids == [9, 7, 10, 7]


def test_a_chosen_length_is_exact(model: Path) -> None:
    codec = TASK.codec(model)
    words = TASK.sized(SENTENCES, 2, 20)
    assert words[:3] == ["win", "Call", "Johannesburg"]
    encode: Any = codec.encode
    assert encode([words], 16)["input_ids"].shape == (1, 16)
    assert encode([words])["input_ids"].shape[1] > 16
    assert TagCodec(model, 8).cut([["win"] * 6, ["win"] * 7]) == [False, True]


def test_sentences_come_from_tables_and_from_conll_files(tmp_path: Path) -> None:
    expected = Samples([["Ann", "sang"], ["go"]], [["B-PER", "O"], ["O"]])
    rows: list[dict[str, Any]] = [
        {"w": ["Ann", "sang"], "t": ["B-PER", "O"]},
        {"w": ["go"], "t": ["O"]},
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert TASK.samples(tmp_path) == expected
    (tmp_path / "test.conll").write_text("Ann B-PER\nsang O\n\ngo O\n")
    assert TokenClassification(data="test.conll", words=0, tags=-1).samples(tmp_path) == expected
    numbered = [{"tokens": np.array(["Ann", "sang"]), "ner_tags": np.array([1, 0])}]
    task = TokenClassification(data=numbered, words="tokens", tags="ner_tags", names=LABELS)
    assert task.samples(tmp_path) == Samples([["Ann", "sang"]], [["B-PER", "O"]])


def test_a_dataset_of_the_hub_has_the_names_of_tags(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        tokens=datasets.Sequence(datasets.Value("string")),
        ner_tags=datasets.Sequence(datasets.ClassLabel(names=list(LABELS))),
    )
    rows = {"tokens": [["Ann", "sang"]], "ner_tags": [[1, 0]]}
    (tmp_path / "set").mkdir()
    datasets.Dataset.from_dict(rows, features).to_parquet(str(tmp_path / "set/test.parquet"))
    task = TokenClassification(data=HubDataset("set"), words="tokens", tags="ner_tags")
    assert task.samples(tmp_path) == Samples([["Ann", "sang"]], [["B-PER", "O"]])


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"w": ["a"], "t": ["O", "O"]}, r"rows\.jsonl:2: 1 words and 2 tags"),
        ({"w": [], "t": []}, r"rows\.jsonl:2: 0 words and 0 tags: a sentence has at least one"),
        ({"w": "a b", "t": ["O", "O"]}, r"rows\.jsonl:2: 'w' must be a list, .* not str 'a b'"),
        ({"w": [["a"]], "t": ["O"]}, r"rows\.jsonl:2: 'w' must be a text, not list"),
        ({"w": ["a"]}, r"rows\.jsonl:2: 't' is missing"),
    ],
)
def test_a_sentence_that_cannot_be_used_is_named(
    tmp_path: Path, row: dict[str, Any], complaint: str
) -> None:
    (tmp_path / "rows.jsonl").write_text(f'{{"w": ["a"], "t": ["O"]}}\n{json.dumps(row)}\n')
    with pytest.raises(UserError, match=complaint):
        TASK.samples(tmp_path)


def test_numbers_need_names(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"w": ["a", "b"], "t": [0, 1]}')
    with pytest.raises(UserError, match=r"rows\.jsonl are numbers: .* such as names=\(\"O\", "):
        TASK.samples(tmp_path)


@pytest.mark.parametrize(
    "columns", [{"words": 0}, {"tags": -1}, {"words": 0, "tags": 1, "data": [{"tokens": []}]}]
)
def test_columns_are_both_numbers_or_both_names(columns: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="give the numbers of both columns of a CoNLL file"):
        TokenClassification(**{"data": "a.conll", **columns})


def test_a_conll_file_with_names_of_columns_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("a O\n")
    with pytest.raises(UserError, match=r"a\.conll is unknown: .* words=0, tags=-1"):
        TokenClassification(data="a.conll").samples(tmp_path)


def test_tags_are_compared_with_the_models_labels(model: Path) -> None:
    codec = TASK.codec(model)
    TASK.check(Samples(SENTENCES[2:], [["B-LOC"]]), codec)
    with pytest.raises(
        UserError, match=r"labels of rows\.jsonl do not match .*'B-ORG'.*id2label in"
    ):
        TASK.check(Samples(SENTENCES[2:], [["B-ORG"]]), codec)
    with pytest.raises(UserError, match="'b-per' is probably 'B-PER'"):
        TASK.check(Samples(SENTENCES[2:], [["b-per", "O"]]), codec)


def test_a_model_without_a_fast_tokenizer_is_named(tmp_path: Path) -> None:
    from transformers import BertTokenizer

    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nwin")
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").unlink(missing_ok=True)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match=r"has no tokenizer\.json, which maps tokens to words"):
        TagCodec(tmp_path, 8)
