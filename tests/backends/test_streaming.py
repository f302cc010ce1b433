"""Translation models deliver each token of an output while they generate it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_infperf import CTranslate2, Onnx, Torch, Translation
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.runner import can_stream

MODELS = Path(__file__).parents[2] / "suites" / "translation" / "models"
SENTENCE = "我仔细地考虑了这个问题。"

pytestmark = pytest.mark.filterwarnings("ignore")


def built(backend: Backend, model: Path, folder: Path, task: Translation) -> Material:
    source = None
    if start := backend.built_from():
        source = folder / "source"
        source.mkdir()
        start.build(Material(model=model, task=task, data=model), source)
    material = Material(model=model, task=task, data=model, source=source)
    (folder / "artifact").mkdir()
    backend.build(material, folder / "artifact")
    return material


@pytest.mark.parametrize(
    ("backend", "model"),
    [
        (Torch(), "marian-zh-en-distilled"),
        (CTranslate2(), "marian-zh-en-distilled"),
        (CTranslate2(int8=True), "marian-zh-en-distilled"),
        (Torch(), "rnn-zh-en"),
    ],
    ids=["torch", "ctranslate2", "ctranslate2-int8", "rnn"],
)
def test_a_stream_ends_with_the_results_of_infer(
    backend: Backend, model: str, tmp_path: Path
) -> None:
    task = Translation(source="none", reference="none")
    material = built(backend, MODELS / model, tmp_path, task)
    runner, codec = backend.load(tmp_path / "artifact", task, 1), task.codec(material.model)
    features = codec.encode([SENTENCE])
    received: list[int] = []
    assert can_stream(runner)
    results = runner.stream(features, received.extend)
    assert results == runner.infer(features)
    assert codec.decode([received], features) == codec.decode(results, features)
    prompt, output = codec.token_counts(results, features)
    assert prompt == len(features[0])
    assert len(received) in (output, output - 1), "with or without the end token"


def test_beam_search_and_whole_graphs_do_not_stream(tmp_path: Path) -> None:
    task = Translation(source="none", reference="none", beams=2)
    model = MODELS / "marian-zh-en-distilled"
    built(Torch(), model, tmp_path, task)
    assert not can_stream(Torch().load(tmp_path / "artifact", task, 1))
    (tmp_path / "onnx").mkdir()
    task = Translation(source="none", reference="none")
    built(Onnx(), model, tmp_path / "onnx", task)
    assert not can_stream(Onnx().load(tmp_path / "onnx" / "artifact", task, 1))
