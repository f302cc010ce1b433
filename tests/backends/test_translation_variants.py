"""Variants of a shipped model, built and run in workers, translate like the model in torch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sacrebleu import corpus_chrf

from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.backends import ctranslate2_marian
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.measure.budget import Budget
from pytest_infperf.measure.paired import WorkerPairs, measure_ratio
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
    outputs, baseline = run.set_run(variant_id, batch).outputs, run.set_run("torch", 1).outputs
    equal = [output == other for output, other in zip(outputs, baseline, strict=True)]
    return sum(equal) / len(equal)


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("variant_id", EXACT)
def test_another_runtime_translates_alike_in_float32(
    run: SuiteRun, variant_id: str, batch: int
) -> None:
    assert agreement(run, variant_id, batch) >= 47 / 48


LEAST = {1: (34, 88), 16: (28, 84)}
"""Limits of int8 by batch size: outputs of 48 that equal those of float32, and chrF against them.

With VNNI they are 40 to 42 and 93.7 to 96.6 (38 and 90.0 with AVX2 alone). torch quantises the
activations of a batch with one scale, and has 34 and 89.5 in batches. One by one, weights of 6 bits
give 27 and 79, weights that are 5 % too large 26 and 83, missing biases 28 and 81.
"""
LEAST_OF_BF16 = (42, 96)
"""The same of bfloat16, which has 45 and 98.3 with AVX-512."""


@pytest.mark.parametrize("batch", LEAST)
@pytest.mark.parametrize("variant_id", ROUNDED)
def test_variants_with_fewer_bits_translate_similarly(
    run: SuiteRun, variant_id: str, batch: int
) -> None:
    alike = agreement(run, variant_id, batch)
    exact, rounded = run.set_run("torch", 1), run.set_run(variant_id, batch)
    least_alike, least_chrf = LEAST_OF_BF16 if variant_id == "torch-bf16" else LEAST[batch]
    assert alike * 48 >= least_alike - 0.5
    assert corpus_chrf(rounded.outputs, [exact.outputs]).score >= least_chrf
    quality = run.scoring.quality(rounded, exact).measures
    assert quality["agreement"].value == alike
    # The interval of BLEU on 48 sentences is 10 points to either side; here it differs by 1.4.
    baseline = run.scoring.quality(exact, None).measures["bleu"].value
    assert quality["bleu"].value == pytest.approx(baseline, abs=3)


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


def test_a_much_faster_variant_is_measured_as_faster(run: SuiteRun) -> None:
    baseline, variant = run.beside_baseline("onnx-fused-int8")
    pairs = WorkerPairs(baseline, variant, endless_order(run.numbers, 0), random.Random(0))
    measured = measure_ratio(
        "speedup", pairs, budget=Budget(5), confidence=0.99, remaining=lambda measured: 0.0
    )
    assert measured.measures["speedup"].low is not None
    assert measured.measures["speedup"].low > 1.5


def test_the_converter_is_left_as_it_was() -> None:
    """The process also builds other artifacts, such as models that start from zero."""
    from ctranslate2.converters import transformers

    usual = transformers._MODEL_LOADERS["MarianConfig"]
    with ctranslate2_marian.keeping_padding_token(first=False):
        assert transformers._MODEL_LOADERS["MarianConfig"] is not usual
    assert transformers._MODEL_LOADERS["MarianConfig"] is usual
