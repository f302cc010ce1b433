"""Torch traces one-pass models, and the graphs give the same results."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_infperf import BuildError, Onnx, UserError
from pytest_infperf.backends.onnx import OnnxExport
from pytest_infperf.suite.backend import Material
from tests.backends.test_onnx_file import EXPECTED, ROWS, Sums
from tests.versions import BEFORE_TRANSFORMERS_5, TRANSFORMERS

pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

MODELING = """
import torch


class Sum(torch.nn.Module):
    def forward(self, attention_mask, input_ids):
        sums = (input_ids * attention_mask).sum(1, keepdim=True).float()
        {line}
        return torch.cat([sums, 2 * sums], 1)


def load(folder):
    return Sum()
"""


def export(folder: Path, line: str = "") -> Material:
    model, source = folder / "model", folder / "export"
    model.mkdir()
    source.mkdir()
    (model / "modeling.py").write_text(MODELING.format(line=line))
    OnnxExport().build(Material(model, Sums(types=True), folder), source)
    return Material(model, Sums(types=True), folder, source)


def test_a_module_takes_the_features_that_it_names(tmp_path: Path) -> None:
    material = export(tmp_path)
    Onnx().build(material, tmp_path)
    features = material.codec().encode(ROWS)
    assert Onnx().load(tmp_path, Sums(), 1).infer(features).tolist() == EXPECTED


@pytest.mark.parametrize(
    "line",
    [
        "sums = sums if input_ids[0, 0] == 1 else -sums",
        "sums = sums * torch.tensor([[1.0]] * len(input_ids))",
    ],
    ids=["value", "constant"],
)
def test_a_graph_that_answers_otherwise_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(BuildError, match="returns other results than the model, because the code"):
        export(tmp_path, line)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
def test_a_classifier_is_exported_without_optimum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    transformers = pytest.importorskip("transformers")
    monkeypatch.setitem(sys.modules, "optimum.exporters.onnx", None)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    if kind == "distilbert":
        sizes = {"dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}
    config = transformers.AutoConfig.for_model(
        kind, vocab_size=30, max_position_embeddings=20, pad_token_id=9, **sizes
    )
    model, source, folder = (tmp_path / name for name in ("model", "export", "built"))
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(model)
    source.mkdir()
    folder.mkdir()
    OnnxExport().build(Material(model, Classified(), tmp_path), source)
    evidence = Onnx(fused=True).build(Material(model, Classified(), tmp_path, source), folder)
    assert evidence["fused_operators"]["Attention"] == 1


def export_classifier_without_an_encoder(folder: Path) -> Path:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=30, n_positions=20, n_embd=8, n_layer=1, n_head=2, pad_token_id=9
    )
    model, source = folder / "model", folder / "export"
    transformers.GPT2ForSequenceClassification(config).save_pretrained(model)
    source.mkdir()
    OnnxExport().build(Material(model, Classified(), folder), source)
    return source / "model.onnx"


def test_a_classifier_without_an_encoder_is_exported(tmp_path: Path) -> None:
    if TRANSFORMERS < 5:
        pytest.importorskip("optimum.exporters.onnx")
    assert export_classifier_without_an_encoder(tmp_path).is_file()


@BEFORE_TRANSFORMERS_5
def test_optimum_is_named_if_only_it_can_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optimum.exporters.onnx", None)
    with pytest.raises(
        UserError, match=r"model is exported by optimum-onnx, .* .pytest-infperf\[optimum\]"
    ):
        export_classifier_without_an_encoder(tmp_path)


class Classified(Sums):
    auto_class = "AutoModelForSequenceClassification"
