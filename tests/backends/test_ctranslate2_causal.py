"""Causal language models in CTranslate2: the same continuations as with torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_infperf import BuildError, CTranslate2, TextGeneration, Torch
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.runner import can_stream
from tests.tasks.tiny_generator import save_tiny_generator, save_tiny_llama

PROMPTS = ["a b c", "d", "e f g h a b"]
ROWS = [{"prompt": prompt, "reference": "a"} for prompt in PROMPTS]
MODELS = {"gpt2": save_tiny_generator, "llama": save_tiny_llama}

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MODELS[request.param](tmp_path_factory.mktemp("model"))


def loaded(backend: Backend, task: TextGeneration, model: Path, folder: Path) -> Any:
    folder.mkdir()
    backend.build(Material(model=model, task=task, data=model), folder)
    return backend.load(folder, task, 1)


def generated(runner: Any, prompts: list[list[int]]) -> list[list[int]]:
    results = runner.infer(prompts)
    assert [row[: len(p)] for row, p in zip(results, prompts, strict=True)] == prompts
    return [row[len(p) :] for row, p in zip(results, prompts, strict=True)]


@pytest.mark.parametrize("shortest", [0, 12])
def test_greedy_outputs_are_those_of_torch(model: Path, tmp_path: Path, shortest: int) -> None:
    task = TextGeneration(data=ROWS, max_new_tokens=12, min_new_tokens=shortest)
    prompts = task.codec(model).encode(PROMPTS)
    runners = [
        loaded(backend, task, model, tmp_path / backend.default_id)
        for backend in (Torch(), CTranslate2())
    ]
    ours, theirs = (
        [generated(runner, [prompt])[0] for prompt in prompts] for runner in reversed(runners)
    )
    assert ours == theirs
    assert generated(runners[1], prompts) == ours, "also in a batch"
    assert min(map(len, ours)) >= max(1, shortest)
    assert runners[0].decoding == runners[1].decoding


def test_a_stream_delivers_each_token_of_the_output(model: Path, tmp_path: Path) -> None:
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    runner, codec = loaded(CTranslate2(), task, model, tmp_path / "artifact"), task.codec(model)
    features = codec.encode(PROMPTS[:1])
    received: list[int] = []
    assert can_stream(runner)
    results = runner.stream(features, received.extend)
    assert results == runner.infer(features)
    assert received == results[0][len(features[0]) :]
    assert codec.token_counts(results, features) == (3, 8)


def test_an_output_ends_with_a_stop_text(model: Path, tmp_path: Path) -> None:
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    codec, features = task.codec(model), task.codec(model).encode(PROMPTS)
    results = loaded(CTranslate2(), task, model, tmp_path / "whole").infer(features)
    whole = [text.split() for text in codec.decode(results, features)]
    stop = next(word for word in whole[0][1:] if word != whole[0][0])
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8, stop=[stop])
    runner = loaded(CTranslate2(), task, model, tmp_path / "stopped")
    results = runner.infer(features)
    for row, prompt, words in zip(results, features, whole, strict=True):
        expected = words.index(stop) + 1 if stop in words else 8
        assert len(row) - len(prompt) == expected
    assert runner.decoding["stop_strings"] == json.dumps([stop])


def test_sampling_follows_the_seed(model: Path, tmp_path: Path) -> None:
    outputs = []
    for number, seed in enumerate((1, 1, 2)):
        task = TextGeneration(
            data=ROWS, max_new_tokens=24, min_new_tokens=24, temperature=3.0, seed=seed
        )
        runner = loaded(CTranslate2(), task, model, tmp_path / str(number))
        assert runner.decoding["temperature"] == 3.0
        assert runner.decoding["top_k"] == 0
        outputs.append(generated(runner, task.codec(model).encode(PROMPTS)))
    assert outputs[0] == outputs[1] != outputs[2]


def test_sampling_from_one_token_is_greedy(model: Path, tmp_path: Path) -> None:
    greedy = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    sampled = TextGeneration(
        data=ROWS, max_new_tokens=8, min_new_tokens=8, temperature=0.7, top_k=1
    )
    prompts = greedy.codec(model).encode(PROMPTS)
    expected = generated(loaded(CTranslate2(), greedy, model, tmp_path / "greedy"), prompts)
    assert generated(loaded(CTranslate2(), sampled, model, tmp_path / "one"), prompts) == expected


def test_log_probabilities_are_those_of_torch(model: Path, tmp_path: Path) -> None:
    import torch
    import transformers

    sequences = [[4, 5, 6, 7], [8, 9]]
    task = TextGeneration(data=ROWS)
    runner = loaded(CTranslate2(), task, model, tmp_path / "artifact")
    module = transformers.AutoModelForCausalLM.from_pretrained(model).eval()
    for ours, sequence in zip(runner.log_probabilities(sequences), sequences, strict=True):
        with torch.inference_mode():
            logits = module(input_ids=torch.tensor([sequence])).logits[0]
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, torch.log_softmax(logits, -1).numpy(), atol=1e-3)


def test_int8_and_a_folder_that_was_converted_elsewhere(model: Path, tmp_path: Path) -> None:
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    material = Material(model=model, task=task, data=tmp_path, folder=tmp_path)
    (tmp_path / "ct2").mkdir()
    assert CTranslate2(int8=True).build(material, tmp_path / "ct2") == {"quantization": "int8"}
    (tmp_path / "artifact").mkdir()
    evidence = CTranslate2(folder="ct2").build(material, tmp_path / "artifact")
    assert evidence == {"quantization": "int8_float32"}
    here, copied = (
        CTranslate2(int8=True).load(tmp_path / "ct2", task, 1),
        CTranslate2(folder="ct2").load(tmp_path / "artifact", task, 1),
    )
    prompts = task.codec(model).encode(PROMPTS)
    assert copied.infer(prompts) == here.infer(prompts)


def test_a_model_that_the_converter_does_not_know_is_refused(tmp_path: Path) -> None:
    import transformers

    transformers.OpenAIGPTConfig().save_pretrained(tmp_path / "model")
    material = Material(tmp_path / "model", TextGeneration(data=ROWS), tmp_path)
    with pytest.raises(BuildError, match=r"CTranslate2 cannot convert model: .*OpenAIGPTConfig"):
        CTranslate2().build(material, tmp_path)


def test_a_vocabulary_map_is_refused(model: Path, tmp_path: Path) -> None:
    material = Material(model=model, task=TextGeneration(data=ROWS), data=tmp_path)
    with pytest.raises(BuildError, match="continues texts: remove vmap"):
        CTranslate2(vmap="vmap.txt").build(material, tmp_path)
