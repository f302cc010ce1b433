"""Endpoints that generate text: streams, numbers of tokens, settings, and broken streams."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import (
    Endpoint,
    OpenAIChat,
    OpenAICompletions,
    Slowed,
    TextClassification,
    TextGeneration,
    UserError,
)
from pytest_infperf.backends.endpoint_generation import CountedTexts
from pytest_infperf.suite import naming
from pytest_infperf.suite.runner import can_stream
from tests.openai_server import DONE, OpenAIServer, event, of_piece, openai_server

TASK = TextGeneration(data=[{"prompt": "Say hello", "reference": "Hello there"}])
CHATS = OpenAIChat("tiny")
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
USAGE = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 4}})


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with openai_server() as running:
        yield running


@pytest.fixture
def load(server: OpenAIServer) -> Iterator[Callable[..., Any]]:
    """Return a function that loads an endpoint at the server, by default a chat."""
    loaded = []

    def make(
        payload: OpenAIChat | OpenAICompletions = CHATS,
        task: TextGeneration = TASK,
        timeout_s: float = 20,
        **settings: Any,
    ) -> Any:
        path = "chat/completions" if isinstance(payload, OpenAIChat) else "completions"
        endpoint = Endpoint(f"{server.url}/{path}", payload=payload, **settings)
        loaded.append(endpoint.within(timeout_s).load(Path(), task, None))
        return loaded[-1]

    yield make
    for runner in loaded:
        runner.close()


def streamed(runner: Any, prompt: Any = "Say hello") -> tuple[list[str], CountedTexts]:
    pieces: list[str] = []
    outputs = runner.stream([prompt], pieces.extend)
    return pieces, outputs


@pytest.mark.parametrize("payload", [OpenAIChat("tiny"), OpenAICompletions("tiny")])
def test_a_stream_ends_with_the_output_and_the_usage_of_the_server(
    load: Callable[..., Any], server: OpenAIServer, payload: Any
) -> None:
    runner = load(payload)
    assert can_stream(runner)
    pieces, outputs = streamed(runner)
    assert pieces == ["Hel", "lo ", "there"], "the event with only the role is no piece"
    assert outputs == ["Hello there"]
    assert runner.token_counts(outputs, ["Say hello"]) == (7, 4)
    [request] = server.requests
    assert request["stream"] is True
    assert request["stream_options"] == {"include_usage": True}


def test_a_batch_is_sent_as_requests_without_a_stream(
    load: Callable[..., Any], server: OpenAIServer
) -> None:
    runner = load()
    outputs = runner.infer(["Say hello", "again"])
    assert outputs == ["Hello there", "Hello there"]
    assert runner.token_counts(outputs, []) == (14, 8)
    assert [request["messages"] for request in server.requests] == [
        [{"role": "user", "content": "Say hello"}],
        [{"role": "user", "content": "again"}],
    ]
    assert not any("stream" in request for request in server.requests)


def test_pieces_of_any_size_are_read(load: Callable[..., Any], server: OpenAIServer) -> None:
    whole = b"".join(
        [b": ping\r\n\r\n", of_piece("größer "), of_piece("世界"), USAGE, DONE]
    ).replace(b"\n\n", b"\r\n\r\n")
    server.stream = [whole[i : i + 1] for i in range(len(whole))]
    pieces, outputs = streamed(load())
    assert (pieces, outputs) == (["größer ", "世界"], ["größer 世界"])
    assert (outputs.prompt, outputs.output) == (7, 4)


def test_pieces_that_arrive_together_are_passed_on_together(
    load: Callable[..., Any], server: OpenAIServer
) -> None:
    server.stream = [of_piece("a") + of_piece("b"), of_piece("c"), USAGE + DONE]
    calls: list[Any] = []
    load().stream(["Say hello"], calls.append)
    assert calls == [["a", "b"], ["c"]]


def test_reasoning_is_generated_but_no_part_of_the_output(
    load: Callable[..., Any], server: OpenAIServer
) -> None:
    thought = {"choices": [{"delta": {"reasoning_content": "Hm", "content": None}}]}
    server.stream = [event(thought), of_piece("Hello"), USAGE, DONE]
    assert streamed(load()) == (["Hm", "Hello"], ["Hello"])


def test_an_output_without_text_has_its_end_as_its_only_piece(
    load: Callable[..., Any], server: OpenAIServer
) -> None:
    server.texts = ()
    assert streamed(load()) == ([""], [""])


def test_a_usage_that_is_not_reported_is_not_guessed(
    load: Callable[..., Any], server: OpenAIServer
) -> None:
    server.usage = None
    runner = load()
    pieces, outputs = streamed(runner)
    assert len(pieces) == 3
    assert runner.token_counts(outputs, []) == (0, 0)
    server.usage = {"prompt_tokens": 7, "completion_tokens": 4}
    with pytest.raises(UserError, match="a usage in some responses only"):
        streamed(runner)


@pytest.mark.parametrize("stream", [True, False])
def test_a_server_that_does_not_stream_answers_as_a_whole(
    load: Callable[..., Any], server: OpenAIServer, stream: bool
) -> None:
    server.ignores_stream = stream
    runner = load(OpenAIChat("tiny", stream=stream))
    pieces, outputs = streamed(runner)
    assert (pieces, outputs) == ([], ["Hello there"])
    assert runner.token_counts(outputs, []) == (7, 4)
    assert server.requests[0].get("stream", False) is stream


ERROR = event({"error": {"message": "the key tok-3f9a is out of memory", "code": 500}})


@pytest.mark.parametrize(
    ("pieces", "problem"),
    [
        ([of_piece("a"), ERROR], r"an error in its stream: .*the key \*\*\* is out of memory"),
        (
            [of_piece("a"), b"data: nothing\n\n"],
            r"another form than OpenAIChat .*: nothing",
        ),
        ([b"data: [1]\n\n"], r"another form than OpenAIChat expects \(.*\): \[1\]"),
        ([event({"choices": [{"delta": {"content": 7}}]})], "another form than OpenAIChat"),
        ([of_piece("a")], r"ended its stream without \[DONE\]"),
        ([of_piece("a"), b"data: [DONE]\n"], r"ended its stream without \[DONE\]"),
        ([USAGE, DONE], "streamed no choice"),
    ],
)
def test_a_broken_stream_is_an_error(
    load: Callable[..., Any],
    server: OpenAIServer,
    monkeypatch: pytest.MonkeyPatch,
    pieces: list[bytes],
    problem: str,
) -> None:
    monkeypatch.setenv("TOKEN", "tok-3f9a")
    server.stream = pieces
    runner = load(headers={"Authorization": "Bearer ${TOKEN}"})
    with pytest.raises(UserError, match=problem) as error:
        streamed(runner)
    assert str(error.value).startswith(f"{server.url}/chat/completions ")


def test_a_connection_that_ends_in_the_middle_of_a_stream_is_an_error(
    load: Callable[..., Any], server: OpenAIServer
) -> None:
    server.stream, server.is_cut = [of_piece("a")], True
    with pytest.raises(UserError, match="broke off its stream: RemoteProtocolError"):
        streamed(load())
    server.stream, server.is_cut = None, False
    assert streamed(load())[1] == ["Hello there"]


def test_a_stream_has_a_time_limit_as_a_whole(
    load: Callable[..., Any], server: OpenAIServer
) -> None:
    server.stream, server.pause_s = [b": ping\n\n"] * 50, 0.05
    with pytest.raises(UserError, match=r"did not answer within 0\.18 s"):
        streamed(load(timeout_s=0.2))


def test_a_status_of_an_error_is_not_read_as_a_stream(
    load: Callable[..., Any], server: OpenAIServer
) -> None:
    server.status, server.whole = 400, {"error": {"message": "unknown field stream_options"}}
    with pytest.raises(UserError, match=r"status 400.*unknown field stream_options"):
        streamed(load())


SAMPLED = TextGeneration(
    data=TASK.data,
    max_new_tokens=8,
    min_new_tokens=2,
    temperature=0.7,
    top_k=20,
    top_p=0.9,
    seed=3,
    stop=["\n"],
)


@pytest.mark.parametrize(
    ("task", "more", "sent", "decoding"),
    [
        (
            TASK,
            {},
            {"max_tokens": 64, "temperature": 0},
            {"beams": 1, "max_new_tokens": 64},
        ),
        (
            SAMPLED,
            {},
            {
                "max_tokens": 8,
                "min_tokens": 2,
                "temperature": 0.7,
                "top_p": 0.9,
                "seed": 3,
                "stop": ["\n"],
            },
            {
                "beams": 1,
                "max_new_tokens": 8,
                "min_new_tokens": "unknown",
                "stop_strings": '["\\n"]',
                "do_sample": True,
                "temperature": 0.7,
                "top_k": "unknown",
                "top_p": 0.9,
                "seed": 3,
            },
        ),
        (
            TASK,
            {"max_completion_tokens": 16, "temperature": 1, "presence_penalty": 0.5},
            {"max_completion_tokens": 16, "temperature": 1, "presence_penalty": 0.5},
            {
                "beams": 1,
                "max_new_tokens": 16,
                "do_sample": True,
                "temperature": 1,
                "top_k": "unknown",
                "top_p": "unknown",
                "seed": "unknown",
                "presence_penalty": 0.5,
            },
        ),
        (
            TASK,
            {"max_tokens": 8},
            {"max_tokens": 8, "temperature": 0},
            {"beams": 1, "max_new_tokens": 8},
        ),
    ],
)
def test_requests_have_the_settings_of_the_task(
    load: Callable[..., Any],
    server: OpenAIServer,
    task: TextGeneration,
    more: dict[str, Any],
    sent: dict[str, Any],
    decoding: dict[str, Any],
) -> None:
    runner = load(OpenAIChat("tiny", more=more), task)
    assert runner.decoding == decoding
    runner.infer(["Say hello"])
    [request] = server.requests
    del request["model"], request["messages"]
    assert request == sent


def test_a_user_can_state_what_requests_do_not_decide(load: Callable[..., Any]) -> None:
    runner = load(task=SAMPLED, decoding={"top_k": 20, "min_new_tokens": 2})
    assert (runner.decoding["top_k"], runner.decoding["min_new_tokens"]) == (20, 2)
    assert runner.decoding["temperature"] == 0.7


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"max_new_tokens": 3}, "generated 4 tokens, more than max_new_tokens=3"),
        ({"min_new_tokens": 5}, "generated 4 tokens, fewer than min_new_tokens=5"),
    ],
)
def test_a_server_that_ignores_the_length_of_the_task_is_an_error(
    load: Callable[..., Any], limits: dict[str, int], problem: str
) -> None:
    task = TextGeneration(data=TASK.data, **limits)
    with pytest.raises(UserError, match=problem):
        streamed(load(task=task))
    assert streamed(load(task=task, decoding=dict.fromkeys(limits, 4)))[1] == ["Hello there"]


def test_the_messages_of_a_chat_are_sent_unchanged() -> None:
    assert OpenAIChat("tiny").body([CHAT])["messages"] == CHAT
    system = {"role": "system", "content": "In French."}
    assert OpenAIChat("tiny", system="In French.").body([CHAT[1:]])["messages"] == [
        system,
        CHAT[1],
    ]


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (OpenAIChat("tiny", prompt="Answer: $input"), "an input is a chat.*remove prompt"),
        (
            OpenAICompletions("tiny"),
            r"an input is a chat: use OpenAIChat\('tiny'\)",
        ),
    ],
)
def test_a_chat_that_a_payload_cannot_send(payload: Any, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        payload.body([CHAT])


def test_a_task_without_generated_tokens_does_not_stream(server: OpenAIServer) -> None:
    task = TextClassification(data=[{"text": "a", "label": "b"}])
    endpoint = Endpoint(f"{server.url}/completions", payload=OpenAICompletions("tiny"))
    runner: Any = endpoint.load(Path(), task, None)
    assert not can_stream(runner)
    assert not hasattr(runner, "token_counts")
    assert runner.infer(["a"]) == ["Hello there"]
    assert server.requests == [{"model": "tiny", "prompt": "a"}]
    runner.close()


def test_a_slowed_endpoint_counts_tokens(server: OpenAIServer) -> None:
    endpoint = Endpoint(f"{server.url}/chat/completions", payload=OpenAIChat("tiny"))
    runner: Any = Slowed(endpoint, by=0.01).load(Path(), TASK, None)
    pieces, outputs = streamed(runner)
    assert len(pieces) == 3
    assert runner.token_counts(outputs, []) == (7, 4)
    runner._inner.close()


def test_the_body_of_a_request_has_the_settings_that_are_asked_for() -> None:
    endpoint = Endpoint("http://a/v1/completions", payload=OpenAICompletions("tiny"))
    sent = json.loads(endpoint.request(["hi"], TASK.decoding))
    assert sent == {"model": "tiny", "prompt": "hi", "max_tokens": 64, "temperature": 0}
    assert json.loads(endpoint.request(["hi"])) == {"model": "tiny", "prompt": "hi"}
    assert naming.restore(json.loads(json.dumps(naming.describe(endpoint)))) == endpoint
