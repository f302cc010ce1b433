"""The shipped models in every runtime, built and served as in a run: they say what torch says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psutil import Process

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
"""Variants in float32 by suite: each model and each way to build it once."""
ROUNDED = {
    "vision": ["torch-int8", "onnx-int8", "openvino-int8"],
    "speech": ["torch-int8", "onnx-int8"],
    "classification": ["bert-int8", "bert-onnx-fused-int8"],
    "translation": ["rnn-int8", "rnn-onnx-int8"],
}
TORCH = {"softmax": "softmax-torch", "distilbert": "distilbert", "rnn": "rnn"}
"""By how an id begins, who says what the model says; all others follow the suite's baseline."""


@pytest.fixture(scope="module")
def runs(built_before: Path) -> Iterator[dict[str, SuiteRun]]:
    cache = ArtifactCache(built_before, notice=print)
    made = {}
    for name, samples in SAMPLES.items():
        address = SuiteAddress(str(ROOT), f"suites.{name}.suite")
        suite = address.load()
        suite = replace(suite, task=replace(suite.task, sample_size=samples))
        made[name] = SuiteRun(
            ConfiguredSuite(suite, address, suite.baseline),
            Settings(ROOT, threads=1),
            Policy(),
            cache,
            selected=[*SAME[name], *ROUNDED[name], *({*TORCH.values()} & {*suite.variant_ids})],
            report_progress=lambda variant, what: None,
        )
    yield made
    for run in made.values():
        run.close()


def outputs(run: SuiteRun, variant_id: str, batch: int) -> list[object]:
    return list(run.set_run(variant_id, batch).outputs)


def agreement(run: SuiteRun, variant_id: str, batch: int) -> float:
    """With the same model in torch, one sample a query."""
    torch = TORCH.get(variant_id.partition("-")[0], run.baseline_id or "")
    pairs = zip(outputs(run, variant_id, batch), outputs(run, torch, 1), strict=True)
    same = [a == b for a, b in pairs]
    return sum(same) / len(same)


def every(by_suite: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(suite, variant_id) for suite, ids in by_suite.items() for variant_id in ids]


@pytest.mark.parametrize(("suite", "variant_id"), every(SAME))
def test_another_runtime_says_the_same_in_float32(
    runs: dict[str, SuiteRun], suite: str, variant_id: str
) -> None:
    assert agreement(runs[suite], variant_id, 1) == 1


@pytest.mark.parametrize("suite", ["vision", "classification", "translation"])
def test_a_batch_says_what_its_samples_say_alone(runs: dict[str, SuiteRun], suite: str) -> None:
    assert agreement(runs[suite], SAME[suite][0], 4) == 1


@pytest.mark.parametrize(("suite", "variant_id"), every(ROUNDED))
def test_fewer_bits_say_much_the_same(
    runs: dict[str, SuiteRun], suite: str, variant_id: str
) -> None:
    least = {"vision": 0.97, "speech": 0.8, "classification": 0.8, "translation": 0.3}
    assert agreement(runs[suite], variant_id, 1) >= least[suite]
    assert runs[suite].worker(variant_id).artifact.evidence["quantization"]


@pytest.mark.parametrize(
    ("variant_id", "attentions"), [("bert-onnx-fused", 6), ("distilbert-onnx-fused", 3)]
)
def test_attention_is_fused_in_each_layer(
    runs: dict[str, SuiteRun], variant_id: str, attentions: int
) -> None:
    evidence = runs["classification"].worker(variant_id).artifact.evidence
    assert evidence["fused_operators"]["Attention"] == attentions


def test_a_restarted_process_answers_as_the_first_did(runs: dict[str, SuiteRun]) -> None:
    worker = runs["vision"].worker("softmax-onnx")
    queries = [[number] for number in range(8)]

    def seen() -> tuple[set[int], object, float, int]:
        processes = {child.pid for child in Process().children()}
        outputs = worker.run(queries, outputs=True).outputs
        return processes, outputs, worker.load_s, worker.loaded.threads

    before = seen()
    worker.restart()
    worker.finish_restart()
    after = seen()
    assert before[1:] == after[1:]
    assert len(before[0] - after[0]) == len(after[0] - before[0]) == 1
