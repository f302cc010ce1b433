"""Requests and responses of OpenAI's API, as a whole or as a stream of pieces of text.

The fields are those of OpenAI's reference [1]_; `min_tokens` is one of vLLM's. The pieces of
reasoning, which servers send beside the text, are those of vLLM and llama.cpp.

References
----------
.. [1] https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from pytest_infperf.backends import decoding
from pytest_infperf.backends.endpoint_json import text, text_at
from pytest_infperf.backends.endpoint_payload import OneSample
from pytest_infperf.errors import UserError
from pytest_infperf.suite.task import Decoding

UNKNOWN = "unknown"
"""The value of a setting of decoding that the server decides."""
_FIELDS = {
    "max_new_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    decoding.SEED: "seed",
    decoding.STOP: "stop",
}
"""The fields of requests for settings of decoding."""
_PENALTIES = ("frequency_penalty", "min_p", "presence_penalty", "repetition_penalty")
"""Fields for which tasks have no setting."""


@dataclass(frozen=True)
class OpenAIPayload(OneSample):
    """Base class of the payloads of OpenAI's API."""

    model: str
    _: KW_ONLY
    prompt: str = "$input"
    more: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = True

    def __post_init__(self) -> None:
        if "$input" not in self.prompt:
            raise UserError(
                f"{type(self).__name__}(prompt={self.prompt!r}): the prompt has no $input for the "
                "input"
            )

    def generation(
        self, inputs: Sequence[Any], asked: Decoding, *, stream: bool = False
    ) -> dict[str, Any]:
        """Return the body of a request that tells the server how to decode.

        Parameters
        ----------
        inputs : sequence, length 1
            The input.
        asked : mapping
            The settings of the task.
        stream : bool, default False
            Whether the response is streamed, with the numbers of tokens at its end.
        """
        body = {**self.body(inputs), **self._settings(asked)}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body

    def used(self, asked: Decoding) -> Decoding:
        """Return the decoding of the responses, with `UNKNOWN` for what requests do not decide.

        `min_new_tokens` and `top_k` are no fields of OpenAI's API, and servers that do not know
        them ignore them.
        """
        if not asked:
            return {}
        sent = self._settings(asked)
        sent.setdefault("max_tokens", sent.get("max_completion_tokens"))
        told = {name: sent[key] for name, key in _FIELDS.items() if sent.get(key) is not None}
        if decoding.STOP in told:
            told[decoding.STOP] = json.dumps(told[decoding.STOP])
        told |= {name: sent[name] for name in _PENALTIES if name in sent}
        used = {**dict.fromkeys(asked, UNKNOWN), **told}
        if "beams" in used:
            used["beams"] = 1  # the API has no beam search
        if "temperature" not in sent:
            return used
        sampling = ("do_sample", *decoding.SAMPLING, decoding.SEED)
        if sent["temperature"] == 0:
            return {name: value for name, value in used.items() if name not in sampling}
        samples = UNKNOWN if sent["temperature"] is None else True
        return {**dict.fromkeys(sampling, UNKNOWN), **used, "do_sample": samples}

    def _settings(self, asked: Decoding) -> dict[str, Any]:
        """Return the fields of requests for the settings of a task, and those of `more`."""
        fields: dict[str, Any] = {
            key: asked[name]
            for name, key in {**_FIELDS, "min_new_tokens": "min_tokens"}.items()
            if name in asked
        }
        if "stop" in fields:
            fields["stop"] = json.loads(str(fields["stop"]))
        if fields:
            fields.setdefault("temperature", 0)
        if "max_completion_tokens" in self.more:  # its newer name in chats
            fields.pop("max_tokens", None)
        return {**fields, **self.more}

    def pieces(self, event: Any) -> tuple[str, str] | None:
        """Return the text and the reasoning in an event of a stream; None if it has no choice."""
        choices = event.get("choices") or ()
        first = next((choice for choice in choices if choice.get("index", 0) == 0), None)
        return None if first is None else self._piece(first)

    @abstractmethod
    def _piece(self, choice: Mapping[str, Any]) -> tuple[str, str]:
        """Return the text and the reasoning in a choice of an event."""

    def token_counts(self, answer: Any) -> tuple[int, int] | None:
        """Return the numbers of tokens of the prompt and of the output, end token included.

        None if a response, or an event of a stream, has no usage.
        """
        usage = answer.get("usage") if isinstance(answer, Mapping) else None
        if not usage or "completion_tokens" not in usage:
            return None
        return int(usage.get("prompt_tokens") or 0), int(usage["completion_tokens"])


@dataclass(frozen=True)
class OpenAIChat(OpenAIPayload):
    """OpenAI's chat completions, also offered by vLLM, Ollama, TGI and llama.cpp.

    A request has one sample, so the samples of a batch are sent one after another
    on one connection. The output is the text of the first choice without surrounding white space.
    If the task generates tokens, requests have its settings of decoding and responses are streamed.

    Parameters
    ----------
    model : str
        The name of the model.
    prompt : str, default "$input"
        The message of the user, in which ``$input`` is replaced by the input. If the input is a
        chat, its messages are sent instead.
    system : str, optional
        The message of the system, before the others.
    more : mapping, optional
        Further keys of the request, such as ``{"max_tokens": 64, "temperature": 0}``. They replace
        the settings of the task.
    stream : bool, default True
        Whether responses are streamed if the task generates tokens. If not, the times of single
        tokens are not measured.

    Raises
    ------
    UserError
        If the prompt has no ``$input``; if it has other text and an input is a chat (when the
        request is made).

    Examples
    --------
    >>> from pytest_infperf import OpenAIChat
    >>> OpenAIChat("tiny", prompt="Translate: $input").body(["hola"])["messages"]
    [{'role': 'user', 'content': 'Translate: hola'}]
    """

    _: KW_ONLY
    system: str | None = None

    def body(self, inputs: Sequence[Any]) -> Any:
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        messages = inputs[0]
        if not _is_chat(messages):
            content = self.prompt.replace("$input", text(inputs[0]))
            messages = [{"role": "user", "content": content}]
        elif self.prompt != "$input":
            raise UserError(
                f"OpenAIChat(prompt={self.prompt!r}) is for inputs that are texts, and an input is "
                "a chat, whose messages are sent as they are: remove prompt"
            )
        return {"model": self.model, "messages": [*system, *messages], **self.more}

    def outputs(self, answer: Any) -> list[Any]:
        return [text_at(answer, "choices[0].message.content")]

    def _piece(self, choice: Mapping[str, Any]) -> tuple[str, str]:
        delta = choice.get("delta") or {}
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        return delta.get("content") or "", reasoning or ""


@dataclass(frozen=True)
class OpenAICompletions(OpenAIPayload):
    """OpenAI's completions of a prompt.

    A request has one sample, so the samples of a batch are sent one after another
    on one connection. The output is the text of the first choice without surrounding white space.
    If the task generates tokens, requests have its settings of decoding and responses are streamed.

    Parameters
    ----------
    model : str
        The name of the model.
    prompt : str, default "$input"
        The prompt, in which ``$input`` is replaced by the input.
    more : mapping, optional
        Further keys of the request, such as ``{"max_tokens": 64, "temperature": 0}``. They replace
        the settings of the task.
    stream : bool, default True
        Whether responses are streamed if the task generates tokens. If not, the times of single
        tokens are not measured.

    Raises
    ------
    UserError
        If the prompt has no ``$input``; if an input is a chat (when the request is made).

    Examples
    --------
    >>> from pytest_infperf import OpenAICompletions
    >>> OpenAICompletions("tiny", more={"max_tokens": 8}).body(["once"])
    {'model': 'tiny', 'prompt': 'once', 'max_tokens': 8}
    """

    def body(self, inputs: Sequence[Any]) -> Any:
        if _is_chat(inputs[0]):
            raise UserError(
                "OpenAICompletions sends a text, and an input is a chat: use "
                f"OpenAIChat({self.model!r}) with the address of the server's chat completions, "
                "which ends with /chat/completions, or texts as inputs"
            )
        prompt = self.prompt.replace("$input", text(inputs[0]))
        return {"model": self.model, "prompt": prompt, **self.more}

    def outputs(self, answer: Any) -> list[Any]:
        return [text_at(answer, "choices[0].text")]

    def _piece(self, choice: Mapping[str, Any]) -> tuple[str, str]:
        return choice.get("text") or "", ""


def _is_chat(value: Any) -> bool:
    """Return whether an input is a list of messages instead of a text."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(message, Mapping) and "role" in message for message in value)
    )
