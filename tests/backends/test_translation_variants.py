"""Variants of a shipped model, built and run as in a run, translate as the model does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.measure.paired import WorkerPairs, measure_speedup
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.settings import Settings
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.thresholds import Policy

SUITE = """
from pytest_infperf import CTranslate2, Onnx, Suite, Torch, Translation

suite = Suite(
    "student",
    task=Translation(
        source={source!r}, reference={reference!r}, max_new_tokens=24, sample_size=48
    ),
    model={model!r},
    threads=1,
    variants=[
        Torch(), Torch(int8="dynamic"), Torch(dtype="bfloat16"),
        Onnx(), Onnx(fused=True), Onnx(int8="dynamic"), Onnx(fused=True, int8="dynamic"),
        CTranslate2(), CTranslate2(int8=True),
    ],
)
"""
SHIPPED = Path(__file__).parents[2] / "suites" / "translation"
EXACT = ["onnx", "onnx-fused", "ctranslate2"]
ROUNDED = ["torch-int8", "torch-bf16", "onnx-int8", "onnx-fused-int8", "ctranslate2-int8"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuiteRun]:
    root = tmp_path_factory.mktemp("student")
    (root / "student_suite.py").write_text(
        SUITE.format(
            source=str(SHIPPED / "data" / "test.zho"),
            reference=str(SHIPPED / "data" / "test.eng"),
            model=str(SHIPPED / "models" / "marian-zh-en-distilled"),
        )
    )
    address = SuiteAddress(str(root), "student_suite")
    suite_run = SuiteRun(
        ConfiguredSuite(address.load(), address, "torch"),
        Settings(root),
        Policy(),
        ArtifactCache(root / "cache", notice=print),
        selected=["torch", *EXACT, *ROUNDED],
        report_progress=lambda variant, what: None,
    )
    yield suite_run
    suite_run.close()


def agreement(run: SuiteRun, variant_id: str, batch: int) -> float:
    run.beside_baseline(variant_id)
    variant, baseline = run.set_run(variant_id, batch), run.set_run("torch", 1)
    same = [a == b for a, b in zip(variant.outputs, baseline.outputs, strict=True)]
    return sum(same) / len(same)


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("variant_id", EXACT)
def test_float32_outputs_equal_those_of_torch(run: SuiteRun, variant_id: str, batch: int) -> None:
    assert agreement(run, variant_id, batch) >= 47 / 48


@pytest.mark.parametrize("variant_id", ROUNDED)
def test_outputs_with_fewer_bits_are_close_to_those_of_torch(
    run: SuiteRun, variant_id: str
) -> None:
    baseline = run.scoring.quality(run.set_run("torch", 16), None).measures["bleu"].value
    quality = run.scoring.quality(run.set_run(variant_id, 16), run.set_run("torch", 16))
    assert agreement(run, variant_id, 16) > 0.5
    assert abs(quality.measures["bleu"].value - baseline) < 5


@pytest.mark.parametrize("variant_id", ["onnx-fused", "onnx-fused-int8"])
def test_fused_operators_are_counted_in_the_graph(run: SuiteRun, variant_id: str) -> None:
    evidence = run.worker(variant_id).artifact.evidence["fused_operators"]
    assert evidence["encoder.Attention"] == 3  # of 3 encoder layers
    assert evidence["decoder.MultiHeadAttention"] == 1  # of 1 decoder layer


def test_int8_artifacts_are_smaller(run: SuiteRun) -> None:
    for float32, quantized in [
        ("torch", "torch-int8"), ("onnx", "onnx-int8"), ("ctranslate2", "ctranslate2-int8"),
    ]:  # fmt: skip
        sizes = [run.worker(i).artifact.size_bytes for i in (float32, quantized)]
        assert sizes[1] < 0.75 * sizes[0]


def test_a_much_faster_variant_has_a_speedup(run: SuiteRun) -> None:
    baseline, variant = run.beside_baseline("onnx-fused-int8")
    pairs = WorkerPairs(baseline, variant, endless_order(run.numbers, 0), random.Random(0))
    measured = measure_speedup(pairs, budget_s=5, confidence=0.99, decided=lambda m: True)
    assert measured.measures["speedup"].low is not None
    assert measured.measures["speedup"].low > 1.5
