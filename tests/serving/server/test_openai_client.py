"""OpenAI's own client reads the responses of a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving.server.conftest import written
from tests.serving.server.echo_server import Serve
from tests.serving.server.words_server import SUITE

openai: Any = pytest.importorskip("openai")


@pytest.fixture(scope="module")
def client(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    server = serve(folder=written(tmp_path_factory.mktemp("words"), SUITE))
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def asked(*contents: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": content} for content in contents]


def test_a_completion(client: Any) -> None:
    answer = client.completions.create(model="words", prompt="one two three", max_tokens=2)
    assert answer.choices[0].text == "one two"
    assert answer.choices[0].finish_reason == "length"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 2)


def test_a_streamed_completion(client: Any) -> None:
    with client.completions.create(model="words", prompt="one two", stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "one two"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert {chunk.id for chunk in chunks} == {chunks[0].id}


def test_a_chat(client: Any) -> None:
    answer = client.chat.completions.create(model="words", messages=asked("one", "two"))
    message = answer.choices[0].message
    assert (message.role, message.content) == ("assistant", "one two")
    more = [*asked("one"), message, *asked("three")]
    answer = client.chat.completions.create(model="words", messages=more)
    assert answer.choices[0].message.content == "one one two three"
    assert answer.usage.total_tokens == 8


def test_a_streamed_chat_with_the_usage(client: Any) -> None:
    stream = client.chat.completions.create(
        model="words",
        messages=asked("one two"),
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = stream
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two"
    assert (last.choices, last.usage.completion_tokens) == ([], 2)


def test_the_models(client: Any) -> None:
    [model] = client.models.list()
    assert client.models.retrieve(model.id).owned_by == "pytest-infperf"


def test_errors(client: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="temperature is 0") as refused:
        client.completions.create(model="words", prompt="a", temperature=1)
    assert (refused.value.param, refused.value.code) == ("temperature", "unsupported_value")
    with pytest.raises(openai.NotFoundError, match="the model words only"):
        client.completions.create(model="gpt-4", prompt="a")
    with pytest.raises(openai.InternalServerError, match="see the server's log"):
        client.completions.create(model="words", prompt="bad")
    stream = client.completions.create(model="words", prompt="a bad", stream=True)
    assert next(stream).choices[0].text == "a"
    with pytest.raises(openai.APIError, match="could not complete this output"):
        next(stream)
