"""OnnxGenAI converts models to quantised weights, and says how many operators have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_infperf import BuildError, OnnxGenAI, TextGeneration
from pytest_infperf.suite.backend import Material
from tests.tasks.tiny_generator import save_tiny_generator, save_tiny_llama

pytest.importorskip("onnxruntime_genai")
pytest.importorskip("onnx_ir")

TASK = TextGeneration(data=[{"prompt": "a", "reference": "a"}], max_new_tokens=8)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("bits", [8, 4])
def test_weights_are_quantised_to_the_precision(tmp_path: Path, bits: int) -> None:
    model = save_tiny_llama(tmp_path / "model")
    rows, evidence = [], {}
    for backend in (OnnxGenAI(), OnnxGenAI(precision=f"int{bits}")):  # type: ignore[arg-type]
        folder = tmp_path / backend.variant_id
        folder.mkdir()
        evidence = backend.build(Material(model, TASK, model), folder)
        rows += backend.load(folder, TASK, 1).log_probabilities([[4, 5, 6]])  # type: ignore[attr-defined]
        assert evidence["fused_operators"]["GroupQueryAttention"] == 2, "one for each layer"
        assert ("quantization" in evidence) == (backend.precision != "fp32")
    assert evidence["quantization"]["bits"] == [bits]
    assert evidence["quantization"]["operators"]["MatMulNBits"] > 8
    assert 0 < abs(rows[1] - rows[0]).max() < abs(rows[0]).max()


def test_an_architecture_that_the_builder_does_not_know_is_refused(tmp_path: Path) -> None:
    model = save_tiny_generator(tmp_path / "model")
    (tmp_path / "built").mkdir()
    with pytest.raises(BuildError, match=r"cannot convert model to fp32: .* not currently"):
        OnnxGenAI().build(Material(model, TASK, model), tmp_path / "built")
