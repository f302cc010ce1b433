"""Streamed responses: their reading, and their records by both generators."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.serving.load.driver import LoadDriver
from pytest_infperf.serving.load.generators import Target, closed_loop, open_loop, streams
from pytest_infperf.serving.load.streamed import StreamReader, is_stream, streamed_body
from pytest_infperf.serving.load.traffic import NO_ANSWER, Reply
from pytest_infperf.suite.loads import ClosedLoop
from tests.token_server import PROMPT_TOKENS, TokenServer, token_server

__all__ = ["token_server"]

PROMPTS = [b'{"model": "tiny", "prompt": "once"}', b'{"model": "tiny", "prompt": "twice"}']


def target(server: TokenServer, path: str = "/v1/completions", timeout_s: float = 10.0) -> Target:
    return Target(server.url, path, PROMPTS, 1, timeout_s, None).streamed()


def by_streams(target: Target, requests: int) -> Sequence[Reply]:
    return streams(target, 60.0, requests=requests).replies


def by_locust(target: Target, requests: int) -> Sequence[Reply]:
    return closed_loop(target, ClosedLoop(1, requests=requests), 60.0).replies


both = pytest.mark.parametrize("send", [by_streams, by_locust])
Send = Callable[[Target, int], Sequence[Reply]]


def event(content: object) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()


def read(*received: tuple[float, bytes]) -> StreamReader:
    reader = StreamReader()
    for at_s, piece in received:
        reader.feed(piece, at_s)
    return reader


DONE = b"data: [DONE]\n\n"
WORD = event({"choices": [{"text": "word"}]})
USAGE = event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}})


def test_pieces_of_output_have_their_times_and_tokens_that_come_together_one() -> None:
    reader = read((1.0, WORD[:9]), (2.0, WORD[9:]), (3.0, WORD + WORD), (4.0, USAGE + DONE))
    assert reader.arrivals_s == [2.0, 3.0]
    assert (reader.prompt_tokens, reader.output_tokens) == (3, 5)
    assert reader.problem == ""


@pytest.mark.parametrize(
    ("delta", "is_output"),
    [
        ({"role": "assistant"}, False),
        ({"role": "assistant", "content": ""}, False),
        ({"content": None}, False),
        ({"content": "a"}, True),
        ({"reasoning_content": "a"}, True),
        ({"tool_calls": [{"index": 0}]}, True),
    ],
)
def test_the_role_of_a_chat_is_no_output(delta: dict[str, object], is_output: bool) -> None:
    reader = read((1.0, event({"choices": [{"delta": delta}]}) + DONE))
    assert reader.arrivals_s == ([1.0] if is_output else [])


def test_a_stream_without_usage_has_no_numbers_of_tokens() -> None:
    reader = read((1.0, event({"choices": [{"text": "a"}], "usage": None}) + DONE))
    assert (reader.prompt_tokens, reader.output_tokens) == (None, None)


@pytest.mark.parametrize(
    ("received", "problem", "refused"),
    [
        (WORD, "stream ended early", ""),
        (WORD + b"data: [DONE]\n", "stream ended early", ""),
        (WORD + event({"error": {"code": 1}}) + DONE, "error in the stream", '{"error": {"code"'),
        (b"data: {\n\n" + DONE, "stream of another form", "{"),
        (event([1]) + DONE, "stream of another form", "[1]"),
        (event({"choices": [1]}) + DONE, "stream of another form", '{"choices"'),
        (event({"choices": [], "usage": 3}) + DONE, "stream of another form", '{"choices"'),
    ],
)
def test_streams_that_are_errors(received: bytes, problem: str, refused: str) -> None:
    reader = read((1.0, received))
    assert reader.problem == problem
    assert reader.refused.startswith(refused)
    assert bool(reader.refused) == bool(refused)
    reply = reader.completed(Reply(0.0, 0.0, 2.0, 200))
    assert not reply.ok
    assert reply.error == problem


def test_an_answer_is_a_stream_by_its_type_and_status() -> None:
    assert is_stream(200, "text/event-stream; charset=utf-8")
    assert not is_stream(200, "application/json")
    assert not is_stream(503, "text/event-stream")


def test_a_request_for_a_stream() -> None:
    asked = json.loads(streamed_body('{"prompt": "wörd", "stream_options": {"a": 1}}'.encode()))
    options = {"a": 1, "include_usage": True}
    assert asked == {"prompt": "wörd", "stream": True, "stream_options": options}
    with pytest.raises(UserError, match=r"the request \[1\] cannot be streamed"):
        streamed_body(b"[1]")


@both
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions"])
def test_times_and_numbers_of_tokens(send: Send, path: str, token_server: TokenServer) -> None:
    token_server.first_s = token_server.gap_s = 0.05
    is_chat = "chat" in path
    bodies = [b'{"messages": []}'] if is_chat else PROMPTS
    asked = Target(token_server.url, path, bodies, 1, 10.0, None).streamed()
    replies = send(asked, 3)
    assert [reply.ok for reply in replies] == [True] * 3
    for reply in replies:
        assert (reply.prompt_tokens, reply.output_tokens) == (PROMPT_TOKENS, 4)
        assert reply.arrivals_s
        assert 2 <= len(reply.arrivals_s) <= 4  # a busy host may read several at once
        assert reply.first_token_s == reply.arrivals_s[0] - reply.sent_s >= 0.049
        assert sorted(reply.arrivals_s) == reply.arrivals_s
        assert reply.arrivals_s[-1] - reply.sent_s >= 4 * 0.049
        assert reply.done_s >= reply.arrivals_s[-1]
    assert {got for got, _ in token_server.requests} == {path}
    for _, body in token_server.requests:
        assert body["stream"] is True
        assert body["stream_options"] == {"include_usage": True}


def test_the_first_token_of_an_open_loop_counts_from_the_intended_time(
    token_server: TokenServer,
) -> None:
    traffic = open_loop(target(token_server), rate=20.0, seconds=1.0, seed=1)
    for reply in traffic.replies:
        assert reply.arrivals_s
        assert reply.first_token_s == reply.arrivals_s[0] - reply.intended_s
        assert reply.lag_s >= 0


@both
def test_a_server_that_does_not_stream(send: Send, token_server: TokenServer) -> None:
    token_server.streams = False
    [reply] = send(target(token_server), 1)
    assert reply.ok
    assert reply.arrivals_s is reply.first_token_s is reply.output_tokens is None


@both
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("ends", "stream ended early"),
        ("breaks", "stream ended early ("),
        ("closes", "stream ended early ("),
        ("error", "error in the stream"),
        ("other form", "stream of another form"),
    ],
)
def test_a_stream_that_ends_early_or_has_an_error_is_an_error(
    send: Send, fault: str, error: str, token_server: TokenServer
) -> None:
    token_server.fault = fault
    replies = send(target(token_server), 2)
    assert len(replies) == 2
    for reply in replies:
        assert not reply.ok
        assert reply.error.startswith(error)


@both
def test_a_stream_over_the_time_limit_is_an_error(send: Send, token_server: TokenServer) -> None:
    """The limit is on the whole response, not on the time between two pieces."""
    token_server.gap_s, token_server.tokens = 0.2, 20
    [reply] = send(target(token_server, timeout_s=0.7), 1)
    assert (reply.status, reply.ok) == (NO_ANSWER, False)
    assert reply.error == "stream ended early (TimeoutError)"


@both
def test_a_refusal_and_a_closed_port(send: Send, token_server: TokenServer) -> None:
    closed_port = Target("http://127.0.0.1:9", "/v1/completions", PROMPTS, 1, 2.0, None).streamed()
    [reply] = send(closed_port, 1)
    assert reply.status == NO_ANSWER
    assert reply.error in ("ClientConnectorError", "ConnectionRefusedError")


def test_the_error_in_a_stream_is_shown(token_server: TokenServer) -> None:
    token_server.fault = "error"
    driver = LoadDriver(target(token_server), None, 0, lambda text: None)
    with pytest.raises(WorkerError, match=r"3 x error in the stream\..*out of memory"):
        driver.one_by_one(3)
