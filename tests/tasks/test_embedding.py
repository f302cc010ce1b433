"""Embeddings equal those of sentence-transformers' recipe: pooling, normalisation, truncation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_infperf import Embedding, Torch, UserError
from pytest_infperf.suite.backend import Material
from pytest_infperf.tasks.embedding import EmbeddingCodec

BERT = Path(__file__).parents[2] / "suites/classification/models/bert-solicitation"
TEXTS = ["win a prize now", "meet me at noon, as we said", "win"]

pytestmark = pytest.mark.filterwarnings("ignore")


def encoder(folder: Path, pooling: str | None = None, *, normalizes: bool = False) -> Path:
    """Write a tiny encoder with a shipped tokenizer, and modules of sentence-transformers."""
    import torch
    from transformers import BertConfig, BertModel

    folder.mkdir()
    shutil.copy(BERT / "tokenizer.json", folder)
    size = json.loads((BERT / "config.json").read_text())["vocab_size"]
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=64,
        )
    ).save_pretrained(folder)  # fmt: skip
    if pooling:
        modules = [{"path": "", "type": "sentence_transformers.models.Transformer"}]
        modules.append({"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"})
        if normalizes:
            modules.append({"path": "2", "type": "sentence_transformers.models.Normalize"})
        (folder / "modules.json").write_text(json.dumps(modules))
        (folder / "1_Pooling").mkdir()
        modes = {f"pooling_mode_{mode}": mode == pooling for mode in ("cls_token", "mean_tokens")}
        (folder / "1_Pooling/config.json").write_text(
            json.dumps({"word_embedding_dimension": 16, **modes})
        )
    return folder


def hidden_states(model: Path, texts: list[str]) -> list[Any]:
    """Return the hidden states of each text alone, as transformers computes them."""
    import torch
    from transformers import BertModel, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(model / "tokenizer.json"))
    network: Any = BertModel.from_pretrained(model).eval()
    with torch.inference_mode():
        return [
            network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()
            for text in texts
        ]


def vectors(task: Embedding, model: Path, folder: Path, inputs: list[Any]) -> list[Any]:
    folder.mkdir()
    Torch().build(Material(model, task, model), folder)
    codec = task.codec(model)
    features = codec.encode(inputs)
    return codec.decode(Torch().load(folder, task, 1).infer(features), features)


@pytest.mark.parametrize(
    ("pooling", "pooled"),
    [
        ("mean_tokens", lambda states: states.mean(axis=0)),
        ("cls_token", lambda states: states[0]),
    ],
)
def test_a_folder_of_sentence_transformers_is_pooled_as_its_modules_say(
    tmp_path: Path, pooling: str, pooled: Any
) -> None:
    model = encoder(tmp_path / "model", pooling, normalizes=True)
    task = Embedding(data=[])
    found = vectors(task, model, tmp_path / "artifact", TEXTS)
    for vector, states in zip(found, hidden_states(model, TEXTS), strict=True):
        expected = pooled(states)
        assert np.allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)


def test_a_plain_encoder_is_pooled_as_the_task_says(tmp_path: Path) -> None:
    model = encoder(tmp_path / "model")
    states = hidden_states(model, TEXTS)
    mean = vectors(Embedding(data=[]), model, tmp_path / "mean", TEXTS)
    assert np.allclose(mean, [s.mean(axis=0) for s in states], atol=1e-5)
    highest = vectors(Embedding(data=[], pooling="max"), model, tmp_path / "max", TEXTS)
    assert np.allclose(highest, [s.max(axis=0) for s in states], atol=1e-5)
    unit = vectors(Embedding(data=[], normalize=True), model, tmp_path / "unit", TEXTS)
    assert np.allclose(np.linalg.norm(unit, axis=1), 1)


def test_pairs_have_two_vectors(tmp_path: Path) -> None:
    model = encoder(tmp_path / "model")
    rows = [{"a": TEXTS[0], "b": TEXTS[1], "s": 3}, {"a": TEXTS[1], "b": TEXTS[2], "s": "0.5"}]
    task = Embedding(data=rows, text="a", pair="b", score="s")
    samples = task.samples(tmp_path)
    assert samples.references == [3.0, 0.5]
    (first, second), (again, third) = vectors(task, model, tmp_path / "pairs", samples.inputs)
    alone = vectors(Embedding(data=[]), model, tmp_path / "alone", TEXTS)
    assert np.allclose([first, second, third], alone, atol=1e-5)
    assert np.allclose(again, second, atol=1e-5)
    with pytest.raises(UserError, match=r"requires pair=\.\.\., the column"):
        Embedding(data=rows, score="s")


def test_the_prefix_is_a_part_of_every_text(tmp_path: Path) -> None:
    model = encoder(tmp_path / "model")
    codec = EmbeddingCodec(model, Embedding(data=[], prefix="meet "))
    plain = EmbeddingCodec(model, Embedding(data=[]))
    ours, theirs = codec.encode(["me"]), plain.encode(["meet me"])
    assert ours["input_ids"].tolist() == theirs["input_ids"].tolist()


def test_texts_are_truncated_as_the_model_says(tmp_path: Path) -> None:
    model = encoder(tmp_path / "model", "mean_tokens")
    long = " ".join(TEXTS * 20)
    assert EmbeddingCodec(model, Embedding(data=[])).encode([long])["input_ids"].shape == (1, 64)
    (model / "sentence_bert_config.json").write_text('{"max_seq_length": 24}')
    assert EmbeddingCodec(model, Embedding(data=[])).encode([long])["input_ids"].shape == (1, 24)
    task = Embedding(data=[], max_tokens=12)
    assert EmbeddingCodec(model, task).encode([long])["input_ids"].shape == (1, 12)
    assert (
        EmbeddingCodec(model, task).encode([task.sized(TEXTS, 1, 9)], 9)["input_ids"].shape[1] == 9
    )


def test_a_limit_above_512_is_that_of_the_model(tmp_path: Path) -> None:
    model = encoder(tmp_path / "model", "mean_tokens")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 1024}))
    (model / "sentence_bert_config.json").write_text('{"max_seq_length": 600}')
    long = " ".join(TEXTS * 200)
    assert EmbeddingCodec(model, Embedding(data=[])).encode([long])["input_ids"].shape == (1, 600)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (
            "modules.json",
            '[{"path": "2_Dense", "type": "x.Dense"}]',
            "the unknown module Dense",
        ),
        (
            "modules.json",
            '[{"path": "0", "type": "x.Transformer"}]',
            "has its encoder in the subfolder 0",
        ),
        ("modules.json", "{", "is not a list of sentence-transformers modules"),
        ("1_Pooling/config.json", '{"pooling_mode_weightedmean_tokens": true}', "is supported"),
        ("sentence_bert_config.json", "{", "is not a JSON configuration"),
        ("config.json", "[", "is not a JSON configuration"),
        ("1_Pooling/config.json", "[]", "is not a pooling configuration"),
    ],
)
def test_modules_that_are_not_known_are_named(
    tmp_path: Path, file: str, content: str, words: str
) -> None:
    model = encoder(tmp_path / "model", "mean_tokens")
    (model / file).write_text(content)
    with pytest.raises(UserError, match=words):
        EmbeddingCodec(model, Embedding(data=[]))
