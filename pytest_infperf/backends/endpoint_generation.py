"""Runner of `Endpoint` for servers that generate text, as a stream or as a whole."""

from __future__ import annotations

import json
from time import monotonic
from typing import TYPE_CHECKING, Any

from pytest_infperf.backends.endpoint_openai import UNKNOWN, OpenAIPayload
from pytest_infperf.backends.endpoint_runner import EndpointRunner
from pytest_infperf.errors import first_line, start_of_answer
from pytest_infperf.suite.runner import Receive
from pytest_infperf.suite.server_sent_events import EventParser
from pytest_infperf.suite.task import Decoding

if TYPE_CHECKING:
    import httpx

    from pytest_infperf.backends.endpoint import Endpoint

_END = "[DONE]"
"""The data of the last event of a stream."""


class StreamError(Exception):
    """An event that has no text, with its data."""

    def __init__(self, problem: str, data: str) -> None:
        super().__init__(problem)
        self.data = data


class TextStream:
    """The text and the numbers of tokens in a stream.

    Attributes
    ----------
    text : str
        The text so far, without reasoning.
    counts : tuple of int or None
        The numbers of tokens of the prompt and of the output; None if they are not reported.
    has_choice : bool
        Whether an event had a choice.
    is_complete : bool
        Whether the last event was received.
    """

    def __init__(self, payload: OpenAIPayload) -> None:
        self.text = ""
        self.counts: tuple[int, int] | None = None
        self.has_choice = False
        self.is_complete = False
        self._payload = payload
        self._parser = EventParser()

    def feed(self, received: bytes) -> list[str]:
        """Return the pieces of text and of reasoning in the next bytes of the stream.

        An event without text, such as the role at the start of a chat, is no piece.

        Raises
        ------
        StreamError
            If an event is an error, or has another form than the payload expects.
        """
        pieces: list[str] = []
        for data in self._parser.feed(received):
            if data.strip() == _END:
                self.is_complete = True
            elif data.strip():
                pieces += self._read(data)
        return pieces

    def _read(self, data: str) -> list[str]:
        try:
            event = json.loads(data)
            is_error = bool(event.get("error"))
            pieces = None if is_error else self._payload.pieces(event)
            text, reasoning = pieces or ("", "")
            self.text += text
            self.counts = self._payload.token_counts(event) or self.counts
        except Exception as error:
            kind = type(self._payload).__name__
            problem = first_line(error) or type(error).__name__
            raise StreamError(
                f"sent an event of another form than {kind} expects ({problem})", data
            ) from None
        if is_error:
            raise StreamError("sent an error in its stream", data)
        self.has_choice |= pieces is not None
        return [piece for piece in (reasoning, text) if piece]


class CountedTexts(list[Any]):
    """The outputs of a query, with the numbers of tokens that the server reported."""

    prompt = 0
    """The number of tokens of the prompts; 0 if the server does not report it."""
    output = 0
    """The number of tokens of the outputs; 0 if the server does not report it."""

    def add(self, text: str, counts: tuple[int, int] | None) -> None:
        """Add the output of a response."""
        self.append(text)
        prompt, output = counts or (0, 0)
        self.prompt += prompt
        self.output += output


class GenerationRunner(EndpointRunner):
    """Runner of `Endpoint` with a payload of OpenAI's API, for a task that generates tokens."""

    def __init__(self, endpoint: Endpoint, payload: OpenAIPayload, asked: Decoding) -> None:
        super().__init__(endpoint)
        self._openai = payload
        self._asked = asked
        self.decoding = {**payload.used(asked), **endpoint.decoding}
        self._reports_counts: bool | None = None

    def infer(self, features: list[Any]) -> CountedTexts:
        texts = CountedTexts()
        for value in features:
            self._add_whole(texts, self._posted(self._endpoint.request([value], self._asked)))
        return texts

    def stream(self, features: list[Any], receive: Receive) -> CountedTexts:
        """Return the output of a query of one sample, and pass on its pieces of text.

        Pieces that arrive together are passed on together. An output without text has one piece,
        which is its end. If the server does not stream, nothing is passed on.
        """
        if not self._openai.stream:
            return self.infer(features)
        texts = CountedTexts()
        content = self._endpoint.request(features, self._asked, stream=True)
        with (
            self._asking(),
            self._client.stream("POST", self._address.url, content=content) as response,
        ):
            kind = response.headers.get("content-type", "")
            if response.is_success and kind.startswith("text/event-stream"):
                streamed = self._streamed(response, receive)
                self._add(texts, streamed.text.strip(), streamed.counts)
            else:
                response.read()
                self._add_whole(texts, response)
        return texts

    def token_counts(self, results: CountedTexts, features: list[Any]) -> tuple[int, int]:
        """Return the numbers of tokens of prompts and outputs; 0 if they are not reported."""
        return results.prompt, results.output

    def _streamed(self, response: httpx.Response, receive: Receive) -> TextStream:
        """Read a stream to its end, and pass on its pieces."""
        import httpx

        stream = TextStream(self._openai)
        has_arrived = False
        deadline = monotonic() + self._address.timeout_s
        try:
            for received in response.iter_bytes():
                if pieces := stream.feed(received):
                    receive(pieces)
                    has_arrived = True
                if monotonic() > deadline:  # httpx limits the time between bytes only
                    raise self._late()
        except StreamError as error:
            shown = start_of_answer(error.data, self._address.secrets)
            raise self._error(f"{error}: {shown}") from None
        except (httpx.NetworkError, httpx.ProtocolError) as error:
            problem = f"{type(error).__name__}: {first_line(error)}"
            raise self._error(f"broke off its stream: {problem}") from None
        if not stream.is_complete:
            raise self._error(f"ended its stream without {_END}, so the output may be incomplete")
        if not stream.has_choice:
            raise self._error("streamed no choice, so there is no output")
        if not has_arrived:
            receive([""])
        return stream

    def _add_whole(self, texts: CountedTexts, response: httpx.Response) -> None:
        """Add the output of a response that is not streamed."""
        answer = self._parsed(response)
        [text] = self._outputs(response, answer, 1)
        with self._expecting(response.status_code, response.text):
            counts = self._openai.token_counts(answer)
        self._add(texts, text, counts)

    def _add(self, texts: CountedTexts, text: str, counts: tuple[int, int] | None) -> None:
        """Add an output, if all outputs or none have a number of tokens."""
        if self._reports_counts not in (None, counts is not None):
            raise self._error("sends a usage in some responses only, so tokens cannot be counted")
        self._reports_counts = counts is not None
        if counts:
            self._check_length(counts[1])
        texts.add(text, counts)

    def _check_length(self, tokens: int) -> None:
        """Raise UserError if an output is longer or shorter than the request permits."""
        most, least = (self.decoding.get(f"{name}_new_tokens") for name in ("max", "min"))
        if least == UNKNOWN:
            least = self._asked.get("min_new_tokens")
        if isinstance(most, int) and tokens > most:
            broken = f"more than max_new_tokens={most}"
        elif isinstance(least, int) and tokens < least:
            broken = f"fewer than min_new_tokens={least}"
        else:
            return
        raise self._error(
            f"generated {tokens} tokens, {broken}, which it was sent and ignores: change it in the "
            "task, or write what the server does in Endpoint(..., decoding={...})"
        )
