"""Requests and responses of OpenAI's API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from pytest_infperf.backends.endpoint_json import (
    text,
    text_at,
)
from pytest_infperf.backends.endpoint_payload import OneSample
from pytest_infperf.errors import UserError


@dataclass(frozen=True)
class OpenAIChat(OneSample):
    """OpenAI's chat completions without streaming, also used by vLLM, Ollama, TGI and llama.cpp.

    A request has one sample, so the samples of a batch are sent one after another
    on one connection. The output is the text of the first choice without surrounding white space.

    Parameters
    ----------
    model : str
        The name of the model.
    prompt : str, default "$input"
        The message of the user, in which ``$input`` is replaced by the input.
    system : str, optional
        The message of the system.
    more : mapping, optional
        Further keys of the request, such as ``{"max_tokens": 64, "temperature": 0}``.

    Raises
    ------
    UserError
        If the prompt has no ``$input``.

    Examples
    --------
    >>> from pytest_infperf import OpenAIChat
    >>> OpenAIChat("tiny", prompt="Translate: $input").body(["hola"])["messages"]
    [{'role': 'user', 'content': 'Translate: hola'}]
    """

    model: str
    _: KW_ONLY
    prompt: str = "$input"
    system: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_prompt("OpenAIChat", self.prompt)

    def body(self, inputs: Sequence[Any]) -> Any:
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        user = {"role": "user", "content": self.prompt.replace("$input", text(inputs[0]))}
        return {"model": self.model, "messages": [*system, user], **self.more}

    def outputs(self, answer: Any) -> list[Any]:
        return [text_at(answer, "choices[0].message.content")]


@dataclass(frozen=True)
class OpenAICompletions(OneSample):
    """OpenAI's completions of a prompt, without streaming.

    A request has one sample, so the samples of a batch are sent one after another
    on one connection. The output is the text of the first choice without surrounding white space.

    Parameters
    ----------
    model : str
        The name of the model.
    prompt : str, default "$input"
        The prompt, in which ``$input`` is replaced by the input.
    more : mapping, optional
        Further keys of the request, such as ``{"max_tokens": 64, "temperature": 0}``.

    Raises
    ------
    UserError
        If the prompt has no ``$input``.

    Examples
    --------
    >>> from pytest_infperf import OpenAICompletions
    >>> OpenAICompletions("tiny", more={"max_tokens": 8}).body(["once"])
    {'model': 'tiny', 'prompt': 'once', 'max_tokens': 8}
    """

    model: str
    _: KW_ONLY
    prompt: str = "$input"
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_prompt("OpenAICompletions", self.prompt)

    def body(self, inputs: Sequence[Any]) -> Any:
        prompt = self.prompt.replace("$input", text(inputs[0]))
        return {"model": self.model, "prompt": prompt, **self.more}

    def outputs(self, answer: Any) -> list[Any]:
        return [text_at(answer, "choices[0].text")]


def _check_prompt(owner: str, prompt: str) -> None:
    if "$input" not in prompt:
        raise UserError(f"{owner}(prompt={prompt!r}): the prompt has no $input for the input")
