"""llama.cpp: GGUF files that were made elsewhere, and models that are converted here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_infperf import (
    BuildError,
    Custom,
    LlamaCpp,
    Suite,
    TextGeneration,
    Torch,
    Translation,
    UserError,
)
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.runner import can_stream
from tests.backends.tiny_gguf import write_tiny_gguf
from tests.other_plugins import LEFT_OUT
from tests.tasks.tiny_generator import save_tiny_generator, save_tiny_llama

PROMPTS = ["a b c", "d", "e f g h a b"]
ROWS = [{"prompt": prompt, "reference": "a"} for prompt in PROMPTS]
EIGHT = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
EXAMPLE = Path(__file__).parents[2] / "docs" / "generation.md"

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("llama_cpp")
    return save_tiny_llama(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("llama_cpp")
    return write_tiny_gguf(tmp_path_factory.mktemp("export") / "tiny.gguf")


def loaded(backend: Backend, task: TextGeneration, model: Path, folder: Path) -> Any:
    folder.mkdir()
    backend.build(Material(model=model, task=task, data=model), folder)
    return backend.load(folder, task, 1)


def codec_of(file: Path, task: TextGeneration = EIGHT) -> Any:
    backend = LlamaCpp(file=file.name)
    return Suite("chat", task=task, variants=[backend], folder=file.parent).codec_of(backend, "")


def generated(runner: Any, prompts: list[list[int]]) -> list[list[int]]:
    results = runner.infer(prompts)
    assert [row[: len(p)] for row, p in zip(results, prompts, strict=True)] == prompts
    return [row[len(p) :] for row, p in zip(results, prompts, strict=True)]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "llama-cpp"),
        ({"quantization": "q4_k_m"}, "llama-cpp-q4_k_m"),
        ({"file": "chat.gguf"}, "llama-cpp-file"),
    ],
)
def test_ids_name_the_quantization(settings: dict[str, Any], name: str) -> None:
    assert LlamaCpp(**settings).variant_id == name


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"file": "x.gguf", "quantization": "q8_0"}, "remove quantization"),
        ({"quantization": "q4"}, "choose one of f16, bf16, q8_0"),
        ({"context": 0}, "at least 1 token"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        LlamaCpp(**settings)


def test_only_a_file_needs_no_model() -> None:
    suite = Suite("chat", task=EIGHT, variants=[LlamaCpp(file="chat.gguf")])
    assert suite.variants[0].model_files == ("chat.gguf",)
    with pytest.raises(UserError, match="llama-cpp-q8_0 has no model"):
        Suite("chat", task=EIGHT, variants=[LlamaCpp(quantization="q8_0")])


def test_other_tasks_are_refused(tmp_path: Path) -> None:
    task = Translation(source="source", reference="reference")
    with pytest.raises(BuildError, match="which is the task TextGeneration, not Translation"):
        LlamaCpp().build(Material(tmp_path, task, tmp_path), tmp_path)
    with pytest.raises(UserError, match="Custom cannot use a model whose file contains its token"):
        Custom(data=[("a", "b")], metrics=["accuracy"]).codec_with(object())


def test_a_converted_model_writes_the_same_as_with_torch(model: Path, tmp_path: Path) -> None:
    task = TextGeneration(data=ROWS, max_new_tokens=12)
    prompts = task.codec(model).encode(PROMPTS)
    torch = loaded(Torch(), task, model, tmp_path / "torch")
    runner = loaded(LlamaCpp(), task, model, tmp_path / "llama")
    expected = [generated(torch, [prompt])[0] for prompt in prompts]
    assert generated(runner, prompts) == expected
    assert runner.decoding == torch.decoding
    assert runner.threads == 1


def test_models_of_the_qwen_family_are_converted(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp")
    import transformers

    model = save_tiny_llama(tmp_path / "model")
    config = transformers.Qwen2Config(
        vocab_size=13, hidden_size=64, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
        initializer_range=0.3, tie_word_embeddings=True, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    transformers.Qwen2ForCausalLM(config).save_pretrained(model)
    prompts = EIGHT.codec(model).encode(PROMPTS)
    torch = loaded(Torch(), EIGHT, model, tmp_path / "torch")
    runner = loaded(LlamaCpp(), EIGHT, model, tmp_path / "llama")
    assert generated(runner, prompts) == [generated(torch, [prompt])[0] for prompt in prompts]


def test_log_probabilities_are_those_of_torch(model: Path, tmp_path: Path) -> None:
    import torch
    import transformers

    sequences = [[4, 5, 6, 7], [8, 9]]
    runner = loaded(LlamaCpp(context=64), EIGHT, model, tmp_path / "artifact")
    module = transformers.AutoModelForCausalLM.from_pretrained(model).eval()
    before = runner.infer(sequences)
    for ours, sequence in zip(runner.log_probabilities(sequences), sequences, strict=True):
        with torch.inference_mode():
            logits = module(input_ids=torch.tensor([sequence])).logits[0]
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, torch.log_softmax(logits, -1).numpy(), atol=0.02)
    assert runner.infer(sequences) == before
    with pytest.raises(UserError, match=r"65 tokens and 0 new ones do not fit into the context of"):
        runner.log_probabilities([[4] * 65])


@pytest.mark.parametrize("quantization", ["f16", "q8_0", "q4_k_m"])
def test_a_quantised_model_is_smaller(model: Path, tmp_path: Path, quantization: Any) -> None:
    sizes = []
    for backend in (LlamaCpp(), LlamaCpp(quantization=quantization)):
        folder = tmp_path / backend.default_id
        folder.mkdir()
        evidence = backend.build(Material(model, EIGHT, model), folder)
        assert evidence == {"quantization": backend.quantization or "f32", "context": 128}
        sizes.append((folder / "model.gguf").stat().st_size)
        outputs = generated(backend.load(folder, EIGHT, 1), EIGHT.codec(model).encode(PROMPTS))
        assert [len(output) for output in outputs] == [8, 8, 8]
    assert sizes[1] < sizes[0]


def test_models_that_are_not_converted_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp")
    gpt2 = save_tiny_generator(tmp_path / "gpt2")
    with pytest.raises(BuildError, match=r"llama, mistral, qwen2, qwen3, not gpt2\. Convert it"):
        LlamaCpp().build(Material(gpt2, EIGHT, gpt2), tmp_path)
    scaled = save_tiny_llama(
        tmp_path / "scaled", rope_scaling={"rope_type": "linear", "factor": 2.0}
    )
    with pytest.raises(BuildError, match=r"scaled rotary embeddings \(linear\)"):
        LlamaCpp().build(Material(scaled, EIGHT, scaled), tmp_path)


def test_a_stream_delivers_each_token_of_the_output(file: Path, tmp_path: Path) -> None:
    runner = loaded(LlamaCpp(file=file.name), EIGHT, file.parent, tmp_path / "artifact")
    codec = codec_of(file)
    features = codec.encode(PROMPTS[:1])
    received: list[int] = []
    assert can_stream(runner)
    results = runner.stream(features, received.extend)
    assert results == runner.infer(features)
    assert received == results[0][len(features[0]) :]
    assert codec.token_counts(results, features) == (4, 8)


def test_a_repeated_prompt_is_computed_again(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import llama_cpp

    computed: list[int] = []
    evaluate = llama_cpp.Llama.eval

    def counting(llama: Any, tokens: list[int]) -> None:
        computed.append(len(tokens))
        evaluate(llama, tokens)

    monkeypatch.setattr(llama_cpp.Llama, "eval", counting)
    runner = loaded(LlamaCpp(file=file.name), EIGHT, file.parent, tmp_path / "artifact")
    features = codec_of(file).encode(PROMPTS[2:])
    assert runner.infer(features) == runner.infer(features)
    assert computed == [7, *[1] * 7] * 2


def test_a_file_is_run_with_its_own_tokenizer(file: Path, tmp_path: Path) -> None:
    codec = codec_of(file)
    [ids] = codec.encode(["a b c"])
    assert ids[0] == 1, "the start token"
    assert codec.decode([ids], [ids[:1]]) == ["a b c"]
    [chat] = codec.encode([[{"role": "user", "content": "a b"}]])
    assert codec.decode([chat], [[]]) == ["a b h"]
    (tmp_path / "artifact").mkdir()
    backend = LlamaCpp(file=file.name, context=64)
    evidence = backend.build(Material(file.parent, EIGHT, file.parent), tmp_path / "artifact")
    assert evidence == {"quantization": "f32", "context": 64}


def test_an_output_ends_with_a_stop_text(file: Path, tmp_path: Path) -> None:
    backend, codec = LlamaCpp(file=file.name), codec_of(file)
    features = codec.encode(PROMPTS[:1])
    whole = loaded(backend, EIGHT, file.parent, tmp_path / "whole").infer(features)
    [text] = codec.decode(whole, features)
    stop = next(letter for letter in text if letter not in (text[0], " "))
    task = TextGeneration(data=ROWS, max_new_tokens=8, stop=[stop])
    results = loaded(backend, task, file.parent, tmp_path / "stopped").infer(features)
    assert codec_of(file, task).decode(results, features) == [text.partition(stop)[0]]
    assert stop in codec.decode(results, features)[0]
    assert results[0] == whole[0][: len(results[0])]
    assert len(results[0]) <= len(whole[0])


def test_stop_texts_of_a_converted_model(model: Path, tmp_path: Path) -> None:
    codec, features = EIGHT.codec(model), EIGHT.codec(model).encode(PROMPTS[:1])
    results = loaded(LlamaCpp(), EIGHT, model, tmp_path / "whole").infer(features)
    words = codec.decode(results, features)[0].split()
    stop = next(word for word in words if word != words[0])
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8, stop=[stop])
    results = loaded(LlamaCpp(), task, model, tmp_path / "stopped").infer(features)
    assert len(results[0]) - len(features[0]) == words.index(stop) + 1


def test_the_end_token_comes_after_the_minimum_length(file: Path, tmp_path: Path) -> None:
    """With the end as the most probable token, outputs have the minimum length and the end."""
    settings: dict[str, Any] = {"data": ROWS, "max_new_tokens": 8}
    backend, features = LlamaCpp(file=file.name), codec_of(file).encode(PROMPTS)
    free = loaded(backend, TextGeneration(**settings), file.parent, tmp_path / "free")
    first = {output[0] for output in generated(free, features)}
    (tmp_path / "ends").mkdir()
    task = TextGeneration(**settings, min_new_tokens=3)
    backend.build(Material(file.parent, task, file.parent), tmp_path / "ends")
    path = tmp_path / "ends" / "llama_cpp.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "ends": sorted(first)}))
    for output in generated(backend.load(tmp_path / "ends", task, 1), features):
        assert not first & {*output[:3]}
        assert not first & {*output[3:-1]}


def test_sampling_is_repeated_with_a_seed_and_changes_with_another(
    file: Path, tmp_path: Path
) -> None:
    outputs = []
    for seed in (1, 1, 2):
        task = TextGeneration(
            data=ROWS, max_new_tokens=16, min_new_tokens=16, temperature=3.0, seed=seed
        )
        folder = tmp_path / str(len(outputs))
        runner = loaded(LlamaCpp(file=file.name), task, file.parent, folder)
        features = codec_of(file).encode(PROMPTS)
        outputs.append(generated(runner, features))
        assert generated(runner, features) == outputs[-1], "the seed is set before each query"
        assert runner.decoding["seed"] == seed
    assert outputs[0] == outputs[1] != outputs[2]


def test_sampling_from_one_token_is_greedy(file: Path, tmp_path: Path) -> None:
    backend, features = LlamaCpp(file=file.name), codec_of(file).encode(PROMPTS)
    expected = generated(loaded(backend, EIGHT, file.parent, tmp_path / "greedy"), features)
    for limits in ({"top_k": 1}, {"top_p": 1e-6}):
        task = TextGeneration(
            data=ROWS, max_new_tokens=8, min_new_tokens=8, temperature=0.7, **limits
        )
        runner = loaded(backend, task, file.parent, tmp_path / next(iter(limits)))
        assert generated(runner, features) == expected


def test_a_prompt_that_is_longer_than_the_context_is_an_error(file: Path, tmp_path: Path) -> None:
    backend = LlamaCpp(file=file.name, context=10)
    runner = loaded(backend, EIGHT, file.parent, tmp_path / "artifact")
    with pytest.raises(UserError, match=r"7 tokens and 8 new ones do not fit .* set LlamaCpp\(con"):
        runner.infer(codec_of(file).encode(PROMPTS[2:]))


def test_files_that_cannot_be_run(file: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"cannot open .*bad\.gguf \(1,000 bytes\)"):
        codec_of(tmp_path / "bad.gguf")
    with pytest.raises(UserError, match=r"none\.gguf is not in the suite's folder"):
        codec_of(tmp_path / "none.gguf")
    write_tiny_gguf(tmp_path / "plain.gguf", template=None)
    with pytest.raises(UserError, match=r"plain\.gguf cannot be applied .*no tokenizer\.chat_temp"):
        codec_of(tmp_path / "plain.gguf").encode([[{"role": "user", "content": "a"}]])


def test_a_file_without_a_tokenizer_is_refused(model: Path, tmp_path: Path) -> None:
    LlamaCpp().build(Material(model, EIGHT, model), tmp_path)
    with pytest.raises(UserError, match=r"model\.gguf has no tokenizer"):
        codec_of(tmp_path / "model.gguf")


def example() -> dict[str, str]:
    """Return the files of the example in the documentation, by their names."""
    section = EXAMPLE.read_text("utf-8").partition("## llama.cpp")[2]
    found = re.findall(r"^```\w+\n# (?:perf/)?(\S+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return dict(found[:3])


def test_the_example_of_the_docs_is_short() -> None:
    files = example()
    assert list(files) == ["suite.py", "test_chat.py", "thresholds.toml"]
    lines = [line for text in files.values() for line in text.splitlines() if line.strip()]
    assert len(lines) < 15


def test_the_example_of_the_docs_runs(pytester: pytest.Pytester, file: Path) -> None:
    runner = loaded(LlamaCpp(file=file.name), EIGHT, file.parent, pytester.path / "artifact")
    codec = codec_of(file)
    features = codec.encode(PROMPTS)
    folder = pytester.mkdir("perf")
    for name, text in example().items():
        for shown, here in {"=64": "=8", "tpot_p90": "tpot_p50", '"80 ms"': '"10 s"'}.items():
            text = text.replace(shown, here)
        (folder / name).write_text(text)
    (folder / "thresholds.toml").rename(pytester.path / "thresholds.toml")
    (folder / "chat-q4_k_m.gguf").symlink_to(file)
    outputs = codec.decode(runner.infer(features), features)
    rows = zip(PROMPTS, outputs, strict=True)
    lines = [json.dumps({"prompt": prompt, "reference": output}) for prompt, output in rows]
    (folder / "prompts.jsonl").write_text("\n".join(lines))
    pytester.makeini("[pytest]")
    done = pytester.runpytest_subprocess(
        *LEFT_OUT, "--infperf", "--infperf-json=record.json", "--infperf-budget=3", "perf"
    )
    done.assert_outcomes(passed=2)
    [record] = json.loads((pytester.path / "record.json").read_text())["records"]
    assert record["measures"]["chrf"]["value"] == pytest.approx(100)
    assert record["measures"]["tpot_p50"]["value"] > 0
