"""Whether a request to OpenAI's routes asks for the decoding with which the variant is measured.

A setting with another value is refused. Keys that are not known are refused as OpenAI does; vLLM
would ignore them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from pytest_infperf.serving.server.openai_forms import ChatRequest, CompletionRequest
from pytest_infperf.suite.task import Decoding

_IGNORED = frozenset(("user", "metadata", "safety_identifier", "prompt_cache_key", "service_tier"))
"""Keys without an effect on the output."""
_WITHOUT_EFFECT: Mapping[str, Sequence[Any]] = {
    "best_of": (1,),
    "echo": (False,),
    "frequency_penalty": (0, 0.0),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "ignore_eos": (False,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "parallel_tool_calls": (True, False),
    "presence_penalty": (0, 0.0),
    "response_format": ({"type": "text"},),
    "store": (False,),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
}
"""Known keys that the server does not support, with the values that change nothing."""


class RefusedParameter(Exception):
    """A parameter that the server cannot follow.

    Parameters
    ----------
    name : str
        The key of the request.
    message : str
        The reason, with the value in use.
    code : str, default "unsupported_value"
        OpenAI's code of the error.
    status : int, default 400
        The status of the response.
    """

    def __init__(
        self, name: str, message: str, code: str = "unsupported_value", status: int = 400
    ) -> None:
        super().__init__(message)
        self.name = name
        self.code = code
        self.status = status


def output_limit(
    request: CompletionRequest | ChatRequest, decoding: Decoding, *, can_stream: bool
) -> int | None:
    """Return the maximum number of output tokens of a request; None for that of the decoding.

    Parameters
    ----------
    request : CompletionRequest or ChatRequest
        The request.
    decoding : mapping
        The decoding in use.
    can_stream : bool
        Whether the runner streams. Otherwise outputs cannot be shortened.

    Raises
    ------
    RefusedParameter
        If the request asks for another decoding, or for what the server does not support.
    """
    _refuse_unsupported(request)
    _refuse_other_settings(request, decoding)
    if request.stream_options and not request.stream:
        raise RefusedParameter("stream_options", "stream_options requires stream to be true")
    is_one = len(request.samples) == 1
    if request.stream and not is_one:
        raise RefusedParameter("prompt", "a stream has one prompt: send each in its own request")
    name, limit = "max_tokens", request.max_tokens
    if isinstance(request, ChatRequest) and request.max_completion_tokens is not None:
        name, limit = "max_completion_tokens", request.max_completion_tokens
    longest = decoding.get("max_new_tokens")
    if limit is None or limit == longest:
        return None
    if longest is not None and limit > int(longest):
        raise _other(name, limit, longest)
    if not can_stream:
        raise _other(name, limit, longest, "this variant cannot end an output early")
    if not is_one:
        raise _other(name, limit, longest, "only a request with one prompt can have a lower limit")
    return limit


def _refuse_unsupported(request: CompletionRequest | ChatRequest) -> None:
    for name, value in _other_keys(request).items():
        if name in _IGNORED or name == "repetition_penalty":
            continue
        if name not in _WITHOUT_EFFECT:
            raise RefusedParameter(
                name, f"unrecognized request argument: {name}", "unknown_parameter"
            )
        if not any(value == each and type(value) is type(each) for each in _WITHOUT_EFFECT[name]):
            raise RefusedParameter(name, f"this server does not support {name}: omit it")
    parts: dict[str, BaseModel] = {}
    if request.stream_options:
        parts["stream_options"] = request.stream_options
    if isinstance(request, ChatRequest):
        parts |= {f"messages.{number}": each for number, each in enumerate(request.messages)}
    for where, part in parts.items():
        for key, value in _other_keys(part).items():
            if value:
                name = f"{where}.{key}"
                raise RefusedParameter(name, f"this server does not support {name}: omit it")


def _other_keys(part: BaseModel) -> dict[str, Any]:
    """Return the keys that the form does not define, except for null."""
    return {name: value for name, value in (part.model_extra or {}).items() if value is not None}


def _refuse_other_settings(request: CompletionRequest | ChatRequest, decoding: Decoding) -> None:
    """Refuse settings of the decoding with other values than those in use."""
    in_use: dict[str, Any] = {
        "temperature": decoding.get("temperature", 0),
        "top_p": decoding.get("top_p", 1),
        "top_k": decoding.get("top_k", 0),
        "min_tokens": decoding.get("min_new_tokens", 0),
        "repetition_penalty": decoding.get("repetition_penalty", 1),
        "stop": json.loads(str(decoding.get("stop_strings", "[]"))),
    }
    if "seed" in decoding:  # greedy decoding returns the same output with every seed
        in_use["seed"] = decoding["seed"]
    asked = {**request.model_dump(), **_other_keys(request)}
    if isinstance(request.stop, str):
        asked["stop"] = [request.stop]
    if request.top_k == -1:  # all tokens, in vLLM
        asked["top_k"] = 0
    for name, value in in_use.items():
        if asked.get(name) not in (None, value):
            raise _other(name, asked[name], value)


def _other(name: str, asked: Any, in_use: Any, reason: str = "") -> RefusedParameter:
    return RefusedParameter(
        name,
        f"{name} is {json.dumps(in_use)} in the suite, with which this variant is measured, and "
        f"cannot be {json.dumps(asked)}{reason and f' ({reason})'}: send the same value, or omit "
        f"{name}",
    )
