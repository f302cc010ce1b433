"""Text generation: prompts, chats, stop texts and sampling, on a tiny model of random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import TextGeneration, Torch, UserError
from pytest_infperf.serving.server.generation import GeneratedAnswer, Generation
from pytest_infperf.serving.server.inference import Inference
from pytest_infperf.suite.backend import Material
from pytest_infperf.suite.codec import WritingCodec
from pytest_infperf.suite.runner import can_stream
from pytest_infperf.tasks.generation_codec import GenerationCodec, prompt_of
from tests.tasks.tiny_generator import save_tiny_generator

PROMPTS = ["a b c", "d", "e f g h a b"]
ROWS = [{"prompt": prompt, "reference": "a"} for prompt in PROMPTS]

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_generator(tmp_path_factory.mktemp("generator"))


def built(task: TextGeneration, model: Path, folder: Path) -> Any:
    Torch().build(Material(model=model, task=task, data=model), folder)
    return Torch().load(folder, task, 1)


def texts(runner: Any, codec: GenerationCodec, prompts: list[Any]) -> list[str]:
    features = codec.encode(prompts)
    return codec.decode(runner.infer(features), features)


def test_a_batch_writes_the_same_as_each_prompt_alone(model: Path, tmp_path: Path) -> None:
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    runner, codec = built(task, model, tmp_path), task.codec(model)
    together = texts(runner, codec, PROMPTS)
    assert together == [texts(runner, codec, [prompt])[0] for prompt in PROMPTS]
    features = codec.encode(PROMPTS)
    assert codec.token_counts(runner.infer(features), features) == (3 + 1 + 6, 3 * 8)


def test_a_stream_delivers_each_token_of_the_output(model: Path, tmp_path: Path) -> None:
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    runner, codec = built(task, model, tmp_path), task.codec(model)
    features = codec.encode(PROMPTS[:1])
    received: list[int] = []
    assert can_stream(runner)
    results = runner.stream(features, received.extend)
    assert results == runner.infer(features)
    assert received == results[0][len(features[0]) :]
    assert codec.token_counts(results, features) == (3, 8)


def test_an_output_ends_before_a_stop_text(model: Path, tmp_path: Path) -> None:
    whole_task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    (tmp_path / "whole").mkdir()
    runner, codec = built(whole_task, model, tmp_path / "whole"), whole_task.codec(model)
    whole = texts(runner, codec, PROMPTS[:1])[0].split()
    stop = next(word for word in whole[1:] if word != whole[0])
    task = TextGeneration(data=ROWS, max_new_tokens=8, stop=[stop])
    (tmp_path / "stopped").mkdir()
    runner, codec = built(task, model, tmp_path / "stopped"), task.codec(model)
    features = codec.encode(PROMPTS[:1])
    results = runner.infer(features)
    assert codec.decode(results, features)[0].split() == whole[: whole.index(stop)]
    assert len(results[0]) - len(features[0]) == whole.index(stop) + 1, "it generates no further"
    assert json.loads(str(runner.decoding["stop_strings"].replace("'", '"'))) == [stop]


def test_sampling_is_repeated_with_a_seed_and_changes_with_another(
    model: Path, tmp_path: Path
) -> None:
    outputs = []
    for seed in (1, 1, 2):
        task = TextGeneration(data=ROWS, max_new_tokens=16, temperature=3.0, seed=seed)
        folder = tmp_path / str(len(outputs))
        folder.mkdir()
        runner = built(task, model, folder)
        assert runner.decoding["temperature"] == 3.0
        assert runner.decoding["seed"] == seed
        outputs.append(texts(runner, task.codec(model), PROMPTS[:1]))
    assert outputs[0] == outputs[1] != outputs[2]


def test_messages_go_through_the_chat_template(model: Path) -> None:
    codec = GenerationCodec(model)
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert codec.encode([chat]) == codec.encode(["user a assistant b assistant"])


def test_a_chat_without_a_template_is_an_error(tmp_path: Path) -> None:
    codec = GenerationCodec(save_tiny_generator(tmp_path, template=None))
    with pytest.raises(UserError, match="chat template of the tokenizer"):
        codec.encode([[{"role": "user", "content": "a"}]])


def test_long_prompts_lose_their_beginning(model: Path) -> None:
    codec = GenerationCodec(model, max_prompt_tokens=2)
    assert codec.encode(["a b c"]) == codec.encode(["b c"])
    assert codec.cut(["a b c", "b c"]) == [True, False]


def test_a_cell_that_is_no_prompt_is_an_error() -> None:
    with pytest.raises(UserError, match="row 3 must be a text, or the messages of a chat"):
        prompt_of([{"role": "user"}], "row 3")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1"),
        ({"min_new_tokens": 9, "max_new_tokens": 8}, "min_new_tokens from 0"),
        ({"top_p": 0.9}, "set temperature too"),
        ({"temperature": 0.0}, "must be above 0"),
        ({"stop": "x"}, "must be a list"),
        ({"stop": [""]}, "not empty"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        TextGeneration(data=ROWS, **settings)


def served(
    task: TextGeneration, model: Path, folder: Path, prompt: Any, limit: int | None = None
) -> tuple[GeneratedAnswer, list[str]]:
    """Return the answer of a server to a prompt, and the pieces of its text."""
    codec = task.codec(model)
    assert isinstance(codec, WritingCodec)
    pieces: list[str] = []
    generation = Generation(codec.writer(), limit, lambda: True, pieces.append)
    folder.mkdir()
    [answer] = Inference(codec, built(task, model, folder)).generate(prompt, generation)
    assert isinstance(answer, GeneratedAnswer)
    return answer, pieces


def test_the_pieces_of_a_served_output(model: Path, tmp_path: Path) -> None:
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    answer, pieces = served(task, model, tmp_path / "whole", "a b c")
    assert "".join(pieces) == answer.output
    assert len(pieces) == 8
    counts = answer.prompt_tokens, answer.output_tokens, answer.finish_reason
    assert counts == (3, 8, "length")
    shorter, _ = served(task, model, tmp_path / "shorter", "a b c", 3)
    assert shorter.output == "".join(pieces[:3])
    assert (shorter.output_tokens, shorter.finish_reason) == (3, "length")


def test_the_stop_text_of_a_served_output(model: Path, tmp_path: Path) -> None:
    task = TextGeneration(data=ROWS, max_new_tokens=8, min_new_tokens=8)
    words = served(task, model, tmp_path / "whole", "a b c")[0].output.split()
    stop = next(word for word in words[1:] if word != words[0])
    task = TextGeneration(data=ROWS, max_new_tokens=8, stop=[stop])
    answer, pieces = served(task, model, tmp_path / "stopped", "a b c")
    assert "".join(pieces).split() == words[: words.index(stop)]
    assert (answer.output_tokens, answer.finish_reason) == (words.index(stop) + 1, "stop")


def test_outputs_that_have_ended(model: Path) -> None:
    codec = GenerationCodec(model, ["b"])
    [prompt, a, b], end = codec.encode(["c a b"])[0], 0
    results = [[prompt, a, end], [prompt, a, b], [prompt, a, a], [prompt]]
    assert codec.have_ended(results, [[prompt]] * 4) == [True, True, False, False]
    assert codec.prompt_tokens([[prompt], [prompt, a]]) == 3
