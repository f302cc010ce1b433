"""OnnxGenAI converts models to quantised weights, and counts the operators that have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import BuildError, OnnxGenAI, TextGeneration
from pytest_infperf.suite.backend import Material
from tests.tasks.tiny_generator import save_tiny_generator, save_tiny_llama
from tests.versions import SINCE_TRANSFORMERS_5

pytest.importorskip("onnxruntime_genai")
pytest.importorskip("onnx_ir")

TASK = TextGeneration(data=[{"prompt": "a", "reference": "a"}], max_new_tokens=8)

pytestmark = [pytest.mark.filterwarnings("ignore"), SINCE_TRANSFORMERS_5]


def test_weights_are_quantised_to_the_precision(tmp_path: Path) -> None:
    import torch
    import transformers

    model = save_tiny_llama(tmp_path)
    reference = transformers.AutoModelForCausalLM.from_pretrained(model).eval()
    with torch.inference_mode():
        logits = reference(torch.tensor([[4, 5, 6]])).logits[0]
    expected = torch.log_softmax(logits, -1).numpy()
    errors = {}
    for precision, bits in {"int8": 8, "int4": 4}.items():
        backend = OnnxGenAI(precision=precision)  # type: ignore[arg-type]
        folder = tmp_path / backend.variant_id
        folder.mkdir()
        evidence = backend.build(Material(model, TASK, model), folder)
        assert evidence["fused_operators"]["GroupQueryAttention"] == 2, "one for each layer"
        assert evidence["quantization"]["bits"] == [bits]
        assert evidence["quantization"]["operators"]["MatMulNBits"] > 8
        runner: Any = backend.load(folder, TASK, 1)
        [found] = runner.log_probabilities([[4, 5, 6]])
        errors[precision] = abs(found - expected).max()
    assert 0 < errors["int8"] < errors["int4"] < abs(expected).max()


def test_an_architecture_that_the_builder_does_not_know_is_refused(tmp_path: Path) -> None:
    model = save_tiny_generator(tmp_path / "model")
    (tmp_path / "built").mkdir()
    with pytest.raises(BuildError, match=r"cannot convert model to fp32: .* not currently"):
        OnnxGenAI().build(Material(model, TASK, model), tmp_path / "built")
