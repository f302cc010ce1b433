"""Tiny models of several architectures decode in ONNX like in transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_infperf.backends import seq2seq
from tests.backends.test_seq2seq import decode

transformers = pytest.importorskip("transformers")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

VOCABULARY = 60
PAD, EOS, LANGUAGE = 1, 2, 55
MAX_NEW_TOKENS = 10
BART = {
    "d_model": 16, "encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
    "max_position_embeddings": 40,
}  # fmt: skip
T5 = {"d_model": 16, "d_kv": 6, "d_ff": 32, "num_layers": 2, "num_heads": 3}
SIZES = {"bart": BART, "pegasus": BART, "mbart": BART, "m2m_100": BART, "t5": T5}
ROWS = [[5, 11, 23, 8, EOS], [17, 4, EOS, PAD, PAD], [3, EOS, PAD, PAD, PAD]]


def make(kind: str, **settings: Any) -> Any:
    """Return a model with random weights, whose generation has these settings."""
    torch.manual_seed(3)
    special = {"pad_token_id": PAD, "eos_token_id": EOS, "decoder_start_token_id": EOS}
    config = transformers.AutoConfig.for_model(
        kind, vocab_size=VOCABULARY, **SIZES[kind], **special
    )
    model = transformers.AutoModelForSeq2SeqLM.from_config(config).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    own = {"bos_token_id": 0, "forced_eos_token_id": EOS, "forced_bos_token_id": None, **settings}
    model.generation_config = transformers.GenerationConfig(**special, **own)
    return model


def require_equal_tokens(model: Any, folder: Path) -> list[list[int]]:
    """Compare ONNX with transformers, greedy and with beams; return the greedy tokens."""
    source, exported = folder / "model", folder / "exported"
    model.save_pretrained(source)
    exported.mkdir()
    seq2seq.export(source, exported)
    for beams in (3, 1):
        decoding = {"beams": beams, "max_new_tokens": MAX_NEW_TOKENS}
        graph = seq2seq.compose(exported, seq2seq.Generation.from_config(source, decoding))
        tokens = generate(model, beams)
        assert decode(graph, ROWS, PAD) == tokens
    assert len({tuple(row) for row in tokens}) > 1
    return tokens


def generate(model: Any, beams: int) -> list[list[int]]:
    ids = torch.tensor(ROWS)
    tokens: list[list[int]] = model.generate(
        input_ids=ids,
        attention_mask=(ids != PAD).long(),
        num_beams=beams,
        max_new_tokens=MAX_NEW_TOKENS,
    ).tolist()
    return tokens


@pytest.mark.parametrize("kind", ["bart", "pegasus", "t5"])
def test_architecture_decodes_like_transformers(tmp_path: Path, kind: str) -> None:
    require_equal_tokens(make(kind), tmp_path)


@pytest.mark.parametrize("kind", ["mbart", "m2m_100"])
def test_forced_first_token_is_generated_first(tmp_path: Path, kind: str) -> None:
    model = make(kind, forced_bos_token_id=LANGUAGE)
    assert {row[1] for row in require_equal_tokens(model, tmp_path)} == {LANGUAGE}


def test_tokens_are_suppressed_in_logits_without_a_bias(tmp_path: Path) -> None:
    usual = generate(make("t5"), 1)[0]
    token = next(token for token in usual if token not in (EOS, PAD))
    tokens = require_equal_tokens(make("t5", suppress_tokens=[token]), tmp_path)
    assert all(token not in row for row in tokens)
