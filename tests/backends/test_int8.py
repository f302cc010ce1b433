"""Reasons why int8 variants may be no faster than float32."""

from __future__ import annotations

import pytest

from pytest_infperf import CTranslate2, Onnx, Torch
from pytest_infperf.backends import int8
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


def test_a_graph_that_is_not_fused_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "amx_int8")
    assert Onnx(int8="dynamic").doubts({}) == ["the graph is not fused: set fused=True"]
    assert Onnx(fused=True, int8="dynamic").doubts({}) == []


@pytest.mark.parametrize("variant", [Torch(), Onnx(), CTranslate2()])
def test_float32_has_no_reasons(variant: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch)
    assert variant.doubts({}) == []
