"""OpenAI's routes: outputs, streams, refusals, clients that leave, and metrics."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from urllib.parse import urlparse

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serving.server.conftest import written
from tests.serving.server.echo_server import Running, Serve
from tests.serving.server.test_load_on_a_server import wait_until
from tests.serving.server.words_server import (
    CHAT,
    COMPLETIONS,
    SUITE,
    Words,
    chat,
    completion,
    events_of,
)

PREDICT = "/v1/models/words:predict"


@pytest.fixture(scope="module")
def words_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("words"), SUITE)


@pytest.fixture(scope="module")
def server(serve: Serve, words_folder: Path) -> Running:
    """Return a server that many tests share; its model never waits."""
    return serve(folder=words_folder)


@pytest.fixture(scope="module")
def whole(serve: Serve, words_folder: Path) -> Running:
    """Return a server of a variant that does not stream."""
    return serve("--variant", "whole", folder=words_folder)


@pytest.fixture
def gated(serve: Serve, tmp_path: Path) -> Iterator[Callable[..., Words]]:
    """Start a server whose model stops after each token until it is opened."""
    started: list[Words] = []

    def start(*options: str) -> Words:
        folder = written(tmp_path, SUITE)
        started.append(words := Words(serve(*options, folder=folder), folder))
        words.close()
        return words

    yield start
    for words in started:
        words.open()


def sent(server: Running, path: str, body: dict[str, object]) -> socket.socket:
    """Send a request, and return its connection without waiting for the response."""
    address = urlparse(server.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=30)
    data = json.dumps(body).encode()
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"content-length: {len(data)}\r\n\r\n".encode()
        + data
    )
    return connection


def test_a_completion(server: Running) -> None:
    reply = server.post(completion("one two three"), COMPLETIONS, x_request_id="abc")
    assert reply.status == 200
    assert reply.body.pop("created") > 1_700_000_000
    assert reply.body.pop("system_fingerprint").startswith("streams-")
    assert reply.body == {
        "id": "cmpl-abc",
        "object": "text_completion",
        "model": "words",
        "choices": [
            {"index": 0, "text": "one two three", "finish_reason": "stop", "logprobs": None}
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6},
    }


def test_a_chat_completion(server: Running) -> None:
    reply = server.post(chat("one two", "three"), CHAT, x_request_id="abc")
    assert (reply.status, reply.body["id"]) == (200, "chatcmpl-abc")
    assert reply.body["object"] == "chat.completion"
    message = {"role": "assistant", "content": "one two three", "refusal": None}
    assert reply.body["choices"] == [
        {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    ]
    assert reply.body["usage"]["total_tokens"] == 6


def test_a_message_of_several_parts(server: Running) -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    body = {"model": "words", "messages": [{"role": "user", "content": parts}]}
    assert server.post(body, CHAT).body["choices"][0]["message"]["content"] == "one two"


def test_several_prompts_have_a_choice_each(server: Running) -> None:
    reply = server.post(completion(["a b", "c", "one two three four five six"]), COMPLETIONS)
    choices = [(each["index"], each["text"]) for each in reply.body["choices"]]
    assert choices == [(0, "a b"), (1, "c"), (2, "one two three four five six")]
    reasons = [each["finish_reason"] for each in reply.body["choices"]]
    assert reasons == ["stop", "stop", "length"]
    assert reply.body["usage"]["completion_tokens"] == 9


def test_the_events_of_a_completion(server: Running) -> None:
    body = completion("one two three", stream=True)
    reply = server.post(body, COMPLETIONS, x_request_id="abc")
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    *chunks, done = events_of(reply.body)
    assert done == "[DONE]"
    assert {(each["id"], each["object"], each["model"]) for each in chunks} == {
        ("cmpl-abc", "text_completion", "words")
    }
    assert [each["choices"][0]["text"] for each in chunks] == ["one", " two", " three", ""]
    reasons = [each["choices"][0]["finish_reason"] for each in chunks]
    assert reasons == [None, None, None, "stop"]
    assert not any("usage" in each for each in chunks)


def test_the_events_of_a_chat_with_the_usage(server: Running) -> None:
    body = chat("one two", stream=True, stream_options={"include_usage": True})
    *chunks, usage, done = events_of(server.post(body, CHAT).body)
    assert done == "[DONE]"
    assert {each["object"] for each in (*chunks, usage)} == {"chat.completion.chunk"}
    assert [each["choices"][0]["delta"] for each in chunks] == [
        {"role": "assistant", "content": ""}, {"content": "one"}, {"content": " two"}, {},
    ]  # fmt: skip
    assert [each["usage"] for each in chunks] == [None] * 4
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}


@pytest.mark.parametrize(
    ("prompt", "limit", "text", "reason", "tokens"),
    [
        ("one two three", 2, "one two", "length", 2),
        ("one two three", 3, "one two three", "length", 3),
        ("one two three", 4, "one two three", "stop", 3),
        ("one two three", 6, "one two three", "stop", 3),
        ("one halt two three", 5, "one ", "stop", 2),
        ("one ha", 2, "one ha", "length", 2),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_fewer_tokens(
    server: Running, prompt: str, limit: int, text: str, reason: str, tokens: int, stream: bool
) -> None:
    body = chat(prompt, max_tokens=limit, stream=stream)
    if not stream:
        reply = server.post(body, CHAT).body
        assert reply["choices"][0]["message"]["content"] == text
        assert reply["choices"][0]["finish_reason"] == reason
        assert reply["usage"]["completion_tokens"] == tokens
        return
    body["stream_options"] = {"include_usage": True}
    *chunks, usage, _ = events_of(server.post(body, CHAT).body)
    pieces = [each["choices"][0]["delta"].get("content", "") for each in chunks]
    assert "".join(pieces) == text
    assert chunks[-1]["choices"][0]["finish_reason"] == reason
    assert usage["usage"]["completion_tokens"] == tokens


def test_a_stop_text_is_never_sent(server: Running) -> None:
    reply = server.post(completion("a hat halt b", stream=True), COMPLETIONS)
    *chunks, _ = events_of(reply.body)
    assert [each["choices"][0]["text"] for each in chunks] == ["a", " hat", " ", ""]
    whole = server.post(completion("a hat halt b"), COMPLETIONS).body
    assert whole["choices"][0]["text"] == "a hat "
    assert whole["choices"][0]["finish_reason"] == "stop"


def test_a_variant_that_does_not_stream_sends_the_text_at_once(whole: Running) -> None:
    *chunks, _ = events_of(whole.post(completion("a b c", stream=True), COMPLETIONS).body)
    assert [each["choices"][0]["text"] for each in chunks] == ["a b c", ""]
    refused = whole.post(completion("a b c", max_tokens=2), COMPLETIONS)
    assert (refused.status, refused.body["error"]["param"]) == (400, "max_tokens")
    assert "cannot end an output early" in refused.body["error"]["message"]


@pytest.mark.parametrize(
    ("body", "param", "code", "word"),
    [
        (completion("a", temperature=0.5), "temperature", "unsupported_value", "0 in the suite"),
        (completion("a", max_tokens=7), "max_tokens", "unsupported_value", "6 in the suite"),
        (completion(["a", "b"], max_tokens=2), "max_tokens", "unsupported_value", "one prompt"),
        (completion(["a", "b"], stream=True), "prompt", "unsupported_value", "one prompt"),
        (completion("a", logprobs=0), "logprobs", "unsupported_value", "does not support"),
        (completion("a", colour="red"), "colour", "unknown_parameter", "unrecognized"),
        (completion("a", max_tokens=0), "max_tokens", "invalid_value", "greater than"),
        (completion("a", max_tokens="2"), "max_tokens", "invalid_value", "integer"),
        (completion(""), "prompt", "invalid_value", "at least 1"),
        (completion([1, 2]), "prompt", "invalid_value", "string"),
        ({"prompt": "a"}, "model", "invalid_value", "required"),
        ([], None, "invalid_value", "dictionary"),
        (b"{", None, None, "not valid JSON"),
        (b"", None, None, "empty"),
    ],
)
def test_what_is_refused(
    server: Running, body: object, param: str | None, code: str | None, word: str
) -> None:
    reply = server.post(body, COMPLETIONS)
    assert reply.status == 400
    error = reply.body["error"]
    assert error["type"] == "invalid_request_error"
    assert (error["param"], error["code"]) == (param, code)
    assert word in error["message"]
    assert error["request_id"] == reply.headers["x-request-id"]


def test_other_refusals(server: Running) -> None:
    reply = server.post({**completion("a"), "model": "other"}, COMPLETIONS)
    assert (reply.status, reply.body["error"]["code"]) == (404, "model_not_found")
    reply = server.post(completion("a"), COMPLETIONS, content_type="text/plain")
    assert (reply.status, reply.body["error"]["type"]) == (415, "invalid_request_error")
    reply = server.post(completion("a" * 300_000), COMPLETIONS)
    assert (reply.status, reply.body["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_the_model_cannot_read_is_refused(server: Running, stream: bool) -> None:
    messages = [{"role": "broken", "content": "a"}]
    body = {"model": "words", "messages": messages, "stream": stream}
    reply = server.post(body, CHAT)
    assert reply.status == 400
    assert reply.body["error"]["message"] == "the role broken is not known"
    reply = server.post({"instances": [messages]}, PREDICT)
    assert (reply.status, reply.body["error"]["message"]) == (422, "the role broken is not known")


def test_an_unreadable_prompt_does_not_fail_those_in_its_batch(
    serve: Serve, words_folder: Path
) -> None:
    server = serve("--batch", "2", "--batch-window-ms", "20000", folder=words_folder)
    bodies = [[[{"role": "broken", "content": "a"}]], ["fine"]]
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(server.post, {"instances": body}, PREDICT) for body in bodies]
        broken, fine = (each.result() for each in asked)
    assert broken.status == 422
    assert (fine.status, fine.body) == (200, {"predictions": ["fine"]})


def test_the_prompts_of_the_page(server: Running) -> None:
    messages = [{"role": "user", "content": "c d"}]
    reply = server.post({"instances": ["a b", messages]}, PREDICT)
    assert reply.body == {"predictions": ["a b", "c d"]}
    page = server.get("/").body
    assert "One text per line." in page
    assert '"cut": "beginning"' in page


def test_an_error_in_the_middle_ends_the_stream(server: Running) -> None:
    reply = server.post(completion("a b bad c", stream=True), COMPLETIONS, x_request_id="abc")
    assert reply.status == 200
    first, second, error = events_of(reply.body)
    assert [each["choices"][0]["text"] for each in (first, second)] == ["a", " b"]
    assert error["error"] == {
        "message": "the model could not complete this output; see the server's log",
        "type": "server_error",
        "param": None,
        "code": "failed",
        "request_id": "abc",
    }
    [failure] = [
        line for line in server.log() if line.get("request_id") == "abc" and "exc_info" in line
    ]
    assert "ZeroDivisionError" in failure["exc_info"]
    assert server.post(completion("a"), COMPLETIONS).status == 200


def test_an_error_before_the_first_token_has_a_status(server: Running) -> None:
    reply = server.post(completion("bad a", stream=True), COMPLETIONS)
    assert (reply.status, reply.body["error"]["code"]) == (500, "failed")


def test_a_client_that_leaves_ends_its_output(gated: Callable[..., Words]) -> None:
    words = gated()
    with sent(words.server, COMPLETIONS, completion("a b c d", stream=True)) as connection:
        text = b""
        while b'"text":"a"' not in text:
            text += connection.recv(10_000)
    series = 'infperf_requests_total{route="/v1/completions",status="200"}'
    wait_until(lambda: words.server.metric(series) == 1)
    words.open()
    assert words.server.post(completion("e"), COMPLETIONS).body["choices"][0]["text"] == "e"
    assert words.tokens == ["a", "b", "e"], "the runner has one more token before it ends"


def test_the_time_limit_ends_a_stream_with_an_error(gated: Callable[..., Words]) -> None:
    words = gated("--timeout", "1")
    reply = words.server.post(completion("a b c", stream=True), COMPLETIONS)
    first, error = events_of(reply.body)
    assert first["choices"][0]["text"] == "a"
    assert error["error"]["code"] == "timeout"
    words.open()
    assert words.server.post(completion("e"), COMPLETIONS).status == 200
    assert words.tokens == ["a", "b", "e"]


def test_the_time_limit_before_the_first_token_is_504(gated: Callable[..., Words]) -> None:
    words = gated("--timeout", "1")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(words.server.post, completion("a b", stream=True), COMPLETIONS)
        wait_until(lambda: words.tokens == ["a"])
        second = words.server.post(completion("c", stream=True), COMPLETIONS)
        assert (second.status, second.body["error"]["code"]) == (504, "timeout")
        words.open()
        assert first.result().status == 200
    assert words.server.post(completion("e"), COMPLETIONS).status == 200
    assert words.tokens == ["a", "b", "e"]


def test_a_full_queue_refuses_streams(gated: Callable[..., Words]) -> None:
    words = gated("--queue", "1")
    with ThreadPoolExecutor(3) as pool:
        body = completion("a", stream=True)
        running = pool.submit(words.server.post, body, COMPLETIONS)
        wait_until(lambda: words.tokens == ["a"])
        others = [pool.submit(words.server.post, chat("b", stream=True), CHAT) for _ in range(2)]
        (refused,), waiting = wait(others, 30, FIRST_COMPLETED)
        assert refused.result().status == 429
        assert refused.result().body["error"]["code"] == "busy"
        words.open()
        assert [each.result().status for each in (running, *waiting)] == [200, 200]


def test_a_stream_shares_no_query(serve: Serve, words_folder: Path) -> None:
    server = serve("--batch", "2", "--batch-window-ms", "20000", folder=words_folder)
    with sent(server, COMPLETIONS, completion("a")) as connection:
        server.get("/healthz")
        *chunks, _ = events_of(server.post(completion("b", stream=True), COMPLETIONS).body)
        assert [each["choices"][0]["text"] for each in chunks] == ["b", ""]
        assert b'"text":"a"' in connection.recv(10_000)


def test_the_models(server: Running) -> None:
    listed = server.get("/v1/models").body
    assert listed["object"] == "list"
    [model] = listed["data"]
    assert (model["id"], model["object"], model["owned_by"]) == ("words", "model", "pytest-infperf")
    retrieved = server.get("/v1/models/words").body
    assert model.items() <= retrieved.items()
    assert retrieved["variant"] == "streams"


def test_the_description_has_the_routes(server: Running) -> None:
    described = server.get("/openapi.json").body["paths"]
    for path in (COMPLETIONS, CHAT):
        operation = described[path]["post"]
        assert set(operation["responses"]["200"]["content"]) == {
            "application/json", "text/event-stream",
        }  # fmt: skip
        assert set(operation["responses"]) == {
            "200", "400", "404", "413", "415", "429", "500", "503", "504", "default",
        }  # fmt: skip
    assert "get" in described["/v1/models"]


def test_tokens_are_counted(serve: Serve, words_folder: Path) -> None:
    server = serve(folder=words_folder)
    assert server.post(completion("a b c", stream=True), COMPLETIONS).status == 200
    assert server.post(chat("a b", max_tokens=1), CHAT).status == 200
    assert server.post({"instances": ["a"]}, PREDICT).status == 200
    families = {
        family.name: family
        for family in text_string_to_metric_families(server.get("/metrics").body)
    }
    assert server.metric("infperf_prompt_tokens_total") == 3 + 2 + 1
    assert server.metric("infperf_generation_tokens_total") == 3 + 1 + 1
    assert server.metric("infperf_time_to_first_token_seconds_count") == 3
    documented = (Path(__file__).parents[3] / "docs" / "generation.md").read_text()
    for name in ("prompt_tokens", "generation_tokens", "time_to_first_token_seconds"):
        kind = families[f"infperf_{name}"].type
        shown = f"infperf_{name}_total" if kind == "counter" else f"infperf_{name}"
        assert f"| `{shown}` | {kind} |" in documented
    wait_until(lambda: any(each.get("path") == PREDICT for each in server.log()))
    [line] = [each for each in server.log() if each.get("path") == COMPLETIONS]
    assert (line["status"], line["samples"], line["output_tokens"]) == (200, 1, 3)
    assert line["seconds"] >= line["first_token_s"] >= line["queued_s"]


def test_a_server_without_generated_texts_has_no_such_routes(echo: Running) -> None:
    assert echo.post(completion("a"), COMPLETIONS).status == 404
    assert "tokens" not in echo.get("/metrics").body
