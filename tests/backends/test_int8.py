"""Reasons why int8 variants may be no faster than float32."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_infperf import CTranslate2, Onnx, Torch
from pytest_infperf.backends import int8, onepass, seq2seq
from pytest_infperf.suite.backend import Backend


def on(monkeypatch: pytest.MonkeyPatch, *sets: str) -> None:
    monkeypatch.setattr(int8, "instruction_sets", lambda: sets)


@pytest.mark.parametrize("variant", [Torch(int8="dynamic"), CTranslate2(int8=True)])
def test_a_cpu_without_int8_dot_products_is_a_reason(
    variant: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, "avx2")
    assert "no int8 dot products" in variant.doubts({})[0]
    on(monkeypatch, "avx2", "avx512_vnni")
    assert variant.doubts({}) == []


def test_a_graph_that_is_not_fused_although_it_can_be_is_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on(monkeypatch, "amx_int8")
    variant = Onnx(int8="dynamic")
    assert variant.doubts({"can_be_fused": True}) == ["the graph is not fused: set fused=True"]
    assert variant.doubts({"can_be_fused": False}) == []
    assert variant.doubts({}) == []  # Whisper


@pytest.mark.parametrize(
    ("model_type", "operator", "can_be_fused"),
    [("distilbert", "MatMul", True), ("distilbert", "FusedGemm", False), ("vit", "MatMul", False)],
)
def test_a_graph_of_bert_without_fused_operators_can_be_fused(
    tmp_path: Path, model_type: str, operator: str, can_be_fused: bool
) -> None:
    from onnx import helper, save

    domain = "com.microsoft" if operator == "FusedGemm" else ""
    node = helper.make_node(operator, ["a", "b"], ["c"], domain=domain)
    graph = helper.make_graph([node], "graph", [], [])
    save(helper.make_model(graph), tmp_path / onepass.MODEL)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    assert onepass.can_be_fused(tmp_path) == can_be_fused


@pytest.mark.parametrize(
    ("model_type", "activation", "can_be_fused"),
    [("marian", "relu", True), ("marian", "tanh", False), ("t5", "relu", False)],
)
def test_a_marian_with_an_activation_that_is_known_can_be_fused(
    tmp_path: Path, model_type: str, activation: str, can_be_fused: bool
) -> None:
    config = {
        "model_type": model_type,
        "activation_function": activation,
        "d_model": 8,
        "encoder_layers": 1,
        "encoder_attention_heads": 1,
        "decoder_layers": 1,
        "decoder_attention_heads": 1,
        "scale_embedding": True,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert seq2seq.can_be_fused(tmp_path) == can_be_fused


@pytest.mark.parametrize("variant", [Torch(), Onnx(), CTranslate2()])
def test_float32_has_no_reasons(variant: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch)
    assert variant.doubts({}) == []
