"""Causal language models whose weights are quantised by torchao."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import BuildError, TextGeneration, Torch
from pytest_infperf.suite.backend import Material
from tests.tasks.tiny_generator import save_tiny_generator

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")

QUERIES = [[[5, 6, 7, 8, 9, 10, 11]], [[12, 13], [20, 21, 22]], [[7] * 20], [[3, 4]] * 4]
TASK = TextGeneration(data=[{"prompt": "a", "reference": "b"}], max_new_tokens=6)
LINEAR = 8
"""Linear layers of the model: seven of its layer, and the head."""


def save_llama(folder: Path, **changes: Any) -> Path:
    """Write a model of random weights, which are large so that outputs differ."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    sizes = {
        "vocab_size": 96, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1,
        "num_attention_heads": 2, "max_position_embeddings": 64, **changes,
    }  # fmt: skip
    config = LlamaConfig(
        **sizes, initializer_range=0.2, bos_token_id=1, eos_token_id=0, pad_token_id=0
    )
    LlamaForCausalLM(config).save_pretrained(save_tiny_generator(folder))
    return folder


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llama(tmp_path_factory.mktemp("llama"))


def built(backend: Torch, model: Path, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    return backend.build(Material(model, TASK, model), folder)


def loaded(backend: Torch, model: Path, folder: Path) -> Any:
    built(backend, model, folder)
    return backend.load(folder, TASK, 1)


def next_logits(runner: Any) -> Any:
    with torch.inference_mode():
        return runner._model(input_ids=torch.tensor(QUERIES[0])).logits.float()


@pytest.mark.parametrize(
    ("backend", "quantization", "closeness"),
    [
        (Torch(int8="weights"), {"bits": 8}, 0.999),
        (Torch(int4="weights"), {"bits": 4, "group_size": 32}, 0.9),
        (Torch(int4="weights", group_size=64), {"bits": 4, "group_size": 64}, 0.9),
        (Torch(int4="weights", dtype="bfloat16"), {"bits": 4, "group_size": 32}, 0.9),
    ],
)
def test_weights_are_quantised(
    tmp_path: Path, llama: Path, backend: Torch, quantization: dict[str, int], closeness: float
) -> None:
    pytest.importorskip("torchao")
    evidence = built(backend, llama, tmp_path / "quantised")
    assert evidence == {
        "quantization": {"method": "weights", "engine": "torchao", **quantization},
        "quantized_modules": {"Linear": LINEAR},
        "padding": "left",
    }
    assert backend.doubts(evidence) == []
    runner = backend.load(tmp_path / "quantised", TASK, 1)
    exact = loaded(Torch(), llama, tmp_path / "exact")
    assert runner.decoding == exact.decoding
    logits, expected = next_logits(runner).flatten(), next_logits(exact).flatten()
    assert (logits != expected).any()
    assert float(torch.corrcoef(torch.stack([logits, expected]))[0, 1]) > closeness
    tokens: list[int] = []
    output = runner.stream(QUERIES[0], tokens.extend)
    assert output == runner.infer(QUERIES[0])
    assert QUERIES[0][0] + tokens == output[0]


def test_a_layer_of_other_sizes_keeps_its_type(tmp_path: Path) -> None:
    pytest.importorskip("torchao")
    backend = Torch(int4="weights")
    evidence = built(backend, save_llama(tmp_path / "model", vocab_size=90), tmp_path / "int4")
    assert evidence["quantized_modules"] == {"Linear": LINEAR - 1}
    reason = "Linear with 90 outputs, not a multiple of 16"
    assert evidence["unquantized_modules"] == {reason: 1}
    assert backend.doubts(evidence) == [f"not quantised: 1 x {reason}"]


def test_a_model_without_a_layer_of_fitting_sizes_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torchao")
    save_tiny_generator(tmp_path / "model")
    with pytest.raises(BuildError) as raised:
        built(Torch(int4="weights"), tmp_path / "model", tmp_path / "int4")
    assert str(raised.value) == (
        'torchao finds no layer to quantise with int4="weights": 8 x Conv1D, which torchao does '
        "not quantise; 1 x Linear with 16 inputs, not a multiple of 32. Choose another group_size "
        '(32, 64 or 128), or int8="weights"'
    )
