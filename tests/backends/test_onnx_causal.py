"""Onnx of causal language models: int8, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import BuildError, Onnx, TextGeneration, UserError
from pytest_infperf.backends.onnx import OnnxExport
from pytest_infperf.suite.backend import Material
from tests.tasks.tiny_generator import save_tiny_generator

TASK = TextGeneration(data=[{"prompt": "a", "reference": "a"}], max_new_tokens=8)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    pytest.importorskip("optimum.exporters.onnx")
    top = tmp_path_factory.mktemp("onnx")
    model, source = top / "model", top / "export"
    save_tiny_generator(model)
    source.mkdir()
    OnnxExport().build(Material(model, TASK, model), source)
    return Material(model, TASK, model, source)


def test_int8_quantises_the_matrices_and_changes_the_logits(
    material: Material, tmp_path: Path
) -> None:
    rows: dict[str, Any] = {}
    for backend in (Onnx(), Onnx(int8="dynamic")):
        folder = tmp_path / backend.variant_id
        folder.mkdir()
        evidence = backend.build(material, folder)
        [rows[backend.variant_id]] = backend.load(folder, TASK, 1).log_probabilities([[4, 5, 6]])
    quantization = evidence["quantization"]
    assert quantization["weights"] == "int8"
    assert quantization["operators"]["MatMulInteger"] == 9, (
        "four in each of two layers, and the output"
    )
    error = abs(rows["onnx-int8"] - rows["onnx"]).max()
    assert 0 < error < abs(rows["onnx"]).max() / 4


@pytest.mark.parametrize("backend", [Onnx(fused=True), Onnx(int8="static")])
def test_fusion_and_calibration_are_refused(
    material: Material, tmp_path: Path, backend: Onnx
) -> None:
    with pytest.raises(BuildError, match='only in float32 or with int8="dynamic"'):
        backend.build(material, tmp_path)


def test_an_architecture_that_optimum_does_not_know_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("optimum.exporters.onnx")
    import transformers

    config = transformers.AutoConfig.for_model(
        "xlnet", vocab_size=9, d_model=8, n_layer=1, n_head=1, d_inner=8
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(BuildError, match=f"optimum-onnx cannot export {tmp_path.name}: .*xlnet"):
        OnnxExport().build(Material(tmp_path, TASK, tmp_path), tmp_path / "export")


def test_without_optimum_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optimum.exporters.onnx", None)
    model = save_tiny_generator(tmp_path)
    with pytest.raises(UserError, match=r'pip install "pytest-infperf\[optimum\]"'):
        OnnxExport().build(Material(model, TASK, model), tmp_path / "export")


def test_a_model_with_its_own_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "modeling.py").write_text("")
    with pytest.raises(BuildError, match=r"its code is in modeling\.py: use Torch"):
        OnnxExport().build(Material(tmp_path, TASK, tmp_path), tmp_path / "export")
