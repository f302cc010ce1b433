"""Causal language models generate the same tokens on every backend, also in batches and streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import Onnx, OnnxGenAI, OpenVinoGenAI, TextGeneration, Torch
from pytest_infperf.backends.onnx import OnnxExport
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.runner import can_stream
from tests.tasks.tiny_generator import save_tiny_llama
from tests.versions import TRANSFORMERS

PROMPTS = ["a b c", "d", "e f g h a b"]
ROWS = [{"prompt": prompt, "reference": "a"} for prompt in PROMPTS]
END = 0

pytestmark = pytest.mark.filterwarnings("ignore")

Load = Callable[[TextGeneration], Any]
"""Builds the variant of a backend for a task, and loads it."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("generator"))


def built(backend: Backend, material: Material, folder: Path) -> Any:
    folder.mkdir(parents=True)
    return backend.build(material, folder)


def material_of(model: Path, task: TextGeneration, folder: Path) -> Material:
    """Return the inputs of a build from the ONNX export, which is written once."""
    if not folder.exists():
        built(OnnxExport(), Material(model, task, model), folder)
    return Material(model, task, model, folder)


@pytest.fixture(scope="module", params=["onnx", "onnx-genai", "openvino-genai"])
def load(
    request: pytest.FixtureRequest, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Load:
    top = tmp_path_factory.mktemp(request.param)
    plain = TextGeneration(data=ROWS)
    backend: Backend
    if request.param == "onnx":
        pytest.importorskip("optimum.exporters.onnx")
        backend = Onnx()
    elif request.param == "onnx-genai":
        pytest.importorskip("onnxruntime_genai")
        pytest.importorskip("onnx_ir")
        if TRANSFORMERS < 5:
            pytest.skip("the model builder imports transformers 5")
        built(OnnxGenAI(), Material(model, plain, model), top / "converted")
        backend = OnnxGenAI(folder=str(top / "converted"))
    else:
        pytest.importorskip("openvino_genai")
        pytest.importorskip("optimum.exporters.openvino")
        built(OpenVinoGenAI(), Material(model, plain, model), top / "converted")
        backend = OpenVinoGenAI(folder=str(top / "converted"))

    def load_for(task: TextGeneration) -> Any:
        folder = top / f"built-{len([*top.iterdir()])}"
        material = Material(model, task, model)
        if request.param == "onnx":
            material = material_of(model, task, top / "export")
        built(backend, material, folder)
        return backend.load(folder, task, 1)

    return load_for


@pytest.fixture
def load_torch(model: Path, tmp_path: Path) -> Load:
    def load_for(task: TextGeneration) -> Any:
        built(Torch(), Material(model, task, model), tmp_path / "torch")
        return Torch().load(tmp_path / "torch", task, 1)

    return load_for


def outputs(runner: Any, prompts: list[list[int]]) -> list[list[int]]:
    """Return the generated tokens up to the end token."""
    rows = [row[len(prompt) :] for row, prompt in zip(runner.infer(prompts), prompts, strict=True)]
    return [row[: row.index(END)] if END in row else row for row in rows]


@pytest.mark.parametrize("shortest", [0, 8])
def test_the_tokens_are_those_of_torch_also_in_a_batch(
    load: Load, load_torch: Load, model: Path, shortest: int
) -> None:
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=shortest)
    prompts = task.codec(model).encode(PROMPTS)
    runner, reference = load(task), load_torch(task)
    expected = outputs(reference, prompts)
    assert len({*map(tuple, expected)}) == len(prompts), "the prompts have different outputs"
    assert outputs(runner, prompts) == expected
    assert [outputs(runner, [prompt])[0] for prompt in prompts] == expected
    assert runner.decoding == reference.decoding
    assert runner.threads == 1


def test_a_prompt_may_contain_the_end_token(load: Load, load_torch: Load) -> None:
    """Chats have it between messages; as padding, it would be ignored."""
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    prompts = [[4, END, 5, 6], [7, END]]
    expected = outputs(load_torch(task), prompts)
    runner = load(task)
    assert outputs(runner, prompts) == expected
    assert [outputs(runner, [prompt])[0] for prompt in prompts] == expected


def test_a_stream_delivers_each_token_of_the_output(load: Load, model: Path) -> None:
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    runner, codec = load(task), task.codec(model)
    prompts = codec.encode(PROMPTS[:1])
    received: list[int] = []
    assert can_stream(runner)
    results = runner.stream(prompts, received.extend)
    assert results == runner.infer(prompts)
    assert received == results[0][len(prompts[0]) :]
    assert codec.token_counts(results, prompts) == (3, 8)


def test_an_output_ends_at_a_stop_text(load: Load, load_torch: Load, model: Path) -> None:
    whole = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    codec = whole.codec(model)
    prompts = codec.encode(PROMPTS)
    text = codec.decode(load(whole).infer(prompts), prompts)[0].split()
    stop = next(word for word in text[1:] if word != text[0])
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8, stop=[stop])
    runner, codec = load(task), task.codec(model)
    results = runner.infer(prompts)
    assert codec.decode(results, prompts)[0].split() == text[: text.index(stop)]
    assert len(runner.infer(prompts[:1])[0]) - len(prompts[0]) == text.index(stop) + 1
    reference = load_torch(task)
    assert codec.decode(results, prompts) == codec.decode(reference.infer(prompts), prompts)
    assert runner.decoding == reference.decoding


def test_sampling_is_repeated_with_a_seed_and_changes_with_another(load: Load, model: Path) -> None:
    found = []
    for seed in (1, 1, 2):
        task = TextGeneration(data=ROWS, max_new_tokens=16, temperature=3.0, seed=seed)
        runner = load(task)
        assert runner.decoding["seed"] == seed
        prompts = task.codec(model).encode(PROMPTS[:1])
        found.append(runner.infer(prompts))
        assert runner.infer(prompts) == found[-1]
    assert found[0] == found[1] != found[2]


def test_log_probabilities_are_those_of_the_model(load: Load, model: Path) -> None:
    import torch
    import transformers

    runner = load(TextGeneration(data=ROWS))
    if not hasattr(runner, "log_probabilities"):
        pytest.skip("the runtime does not return logits")
    sequences = [[4, 5, END, 6, 7], [8]]
    reference = transformers.AutoModelForCausalLM.from_pretrained(model).eval()
    for sequence, found in zip(sequences, runner.log_probabilities(sequences), strict=True):
        with torch.inference_mode():
            logits = reference(torch.tensor([sequence])).logits[0]
        expected = torch.log_softmax(logits, -1).numpy()
        assert found.dtype.name == "float32"
        assert found == pytest.approx(expected, abs=1e-3)
