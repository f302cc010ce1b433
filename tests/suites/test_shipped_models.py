"""The shipped models in every runtime, built and run as in a run, give the outputs of torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psutil import Process
from sacrebleu import corpus_chrf

from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.settings import Settings
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.thresholds import Policy

ROOT = Path(__file__).parents[2]
SAMPLES = {"vision": 200, "speech": 12, "classification": 24, "translation": 24}
SAME = {
    "vision": ["onnx-fused", "openvino", "softmax-onnx"],
    "speech": ["onnx", "openvino"],
    "classification": ["bert-onnx-fused", "bert-openvino", "distilbert-onnx-fused"],
    "translation": ["rnn-onnx"],
}
"""Variants in float32 of each suite: each model, and each way to build it, once."""
ROUNDED = {
    "vision": ["torch-int8", "onnx-int8", "openvino-int8"],
    "speech": ["torch-int8", "onnx-int8"],
    "classification": ["bert-int8", "bert-onnx-fused-int8"],
    "translation": ["rnn-int8", "rnn-onnx-int8", "distilled-vmap"],
}
TORCH = {
    "softmax": "softmax-torch", "distilbert": "distilbert", "distilled": "distilled", "rnn": "rnn",
}  # fmt: skip
"""The reference variant by the start of an id; the default is the suite's baseline."""


@pytest.fixture(scope="module")
def runs(built_before: Path) -> Iterator[dict[str, SuiteRun]]:
    cache = ArtifactCache(built_before, notice=print)
    runs_by_suite = {}
    for name, samples in SAMPLES.items():
        address = SuiteAddress(str(ROOT), f"suites.{name}.suite")
        suite = address.load()
        suite = replace(suite, task=replace(suite.task, sample_size=samples))
        runs_by_suite[name] = SuiteRun(
            ConfiguredSuite(suite, address, suite.baseline),
            Settings(ROOT, threads=1),
            Policy(),
            cache,
            selected=[*SAME[name], *ROUNDED[name], *({*TORCH.values()} & {*suite.variant_ids})],
            report_progress=lambda variant, what: None,
        )
    yield runs_by_suite
    for run in runs_by_suite.values():
        run.close()


def outputs(run: SuiteRun, variant_id: str, batch: int) -> list[object]:
    return list(run.set_run(variant_id, batch).outputs)


def exact(run: SuiteRun, variant_id: str) -> list[object]:
    """Return the outputs of a variant's model in torch with one sample per query."""
    return outputs(run, TORCH.get(variant_id.partition("-")[0], run.baseline_id or ""), 1)


def agreement(run: SuiteRun, variant_id: str, batch: int) -> float:
    """Return the fraction of outputs that equal those of torch with one sample per query."""
    pairs = zip(outputs(run, variant_id, batch), exact(run, variant_id), strict=True)
    same = [a == b for a, b in pairs]
    return sum(same) / len(same)


def pairs_of(by_suite: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(suite, variant_id) for suite, ids in by_suite.items() for variant_id in ids]


@pytest.mark.parametrize(("suite", "variant_id"), pairs_of(SAME))
def test_float32_outputs_equal_those_of_torch(
    runs: dict[str, SuiteRun], suite: str, variant_id: str
) -> None:
    assert agreement(runs[suite], variant_id, 1) == 1


@pytest.mark.parametrize("suite", ["vision", "classification", "translation"])
def test_outputs_do_not_depend_on_the_batch(runs: dict[str, SuiteRun], suite: str) -> None:
    assert agreement(runs[suite], SAME[suite][0], 4) == 1


LEAST_ALIKE = {"vision": 198, "speech": 11, "classification": 23, "translation": 17}
"""Limits by suite: outputs that equal those of float32. Other CPUs round otherwise.

With VNNI all do, except for 2 and 4 of 24 translations. With weights of 6 bits, or weights that are
5 % too large, 14 translations do.
"""
LEAST_CHRF = 87
"""Limit of the chrF of translations against those of float32, which is 97 and 93 with VNNI, and 79
and 84 with those weights."""


@pytest.mark.parametrize(("suite", "variant_id"), pairs_of(ROUNDED))
def test_outputs_with_fewer_bits_are_close_to_those_of_torch(
    runs: dict[str, SuiteRun], suite: str, variant_id: str
) -> None:
    run = runs[suite]
    assert agreement(run, variant_id, 1) * SAMPLES[suite] >= LEAST_ALIKE[suite] - 0.5
    if suite == "translation":
        rounded = outputs(run, variant_id, 1)
        assert corpus_chrf(rounded, [exact(run, variant_id)]).score >= LEAST_CHRF
    assert run.worker(variant_id).artifact.evidence["quantization"]


@pytest.mark.parametrize(
    ("variant_id", "attentions"), [("bert-onnx-fused", 6), ("distilbert-onnx-fused", 3)]
)
def test_attention_is_fused_in_each_layer(
    runs: dict[str, SuiteRun], variant_id: str, attentions: int
) -> None:
    evidence = runs["classification"].worker(variant_id).artifact.evidence
    assert evidence["fused_operators"]["Attention"] == attentions


def test_a_restarted_process_gives_the_same_outputs(runs: dict[str, SuiteRun]) -> None:
    worker = runs["vision"].worker("softmax-onnx")
    queries = [[number] for number in range(8)]

    def observe() -> tuple[set[int], object, float, int]:
        processes = {child.pid for child in Process().children()}
        outputs = worker.run(queries, outputs=True).outputs
        return processes, outputs, worker.load_s, worker.loaded.threads

    before = observe()
    worker.restart()
    worker.finish_restart()
    after = observe()
    assert before[1:] == after[1:]
    assert len(before[0] - after[0]) == len(after[0] - before[0]) == 1
