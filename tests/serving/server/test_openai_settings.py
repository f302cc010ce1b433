"""Which settings of a request to OpenAI's routes are accepted."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_infperf.serving.server.openai_forms import ChatRequest, CompletionRequest
from pytest_infperf.serving.server.openai_settings import RefusedParameter, output_limit

GREEDY: dict[str, Any] = {"beams": 1, "max_new_tokens": 8}
SAMPLED: dict[str, Any] = {
    **GREEDY, "do_sample": True, "temperature": 0.5, "top_k": 0, "top_p": 0.9, "seed": 3,
    "min_new_tokens": 2, "stop_strings": '["a", "\\u00e9"]',
}  # fmt: skip


def limit_of(decoding: dict[str, Any], *, chat: bool = False, **settings: Any) -> int | None:
    if chat:
        messages = [{"role": "user", "content": "a"}]
        request: Any = ChatRequest.model_validate({"model": "m", "messages": messages, **settings})
    else:
        request = CompletionRequest.model_validate({"model": "m", "prompt": "a", **settings})
    return output_limit(request, decoding, can_stream=True)


@pytest.mark.parametrize(
    ("decoding", "settings"),
    [
        (GREEDY, {}),
        (GREEDY, {"temperature": 0, "top_p": 1.0, "top_k": -1, "seed": 7, "min_tokens": 0}),
        (GREEDY, {"temperature": 0.0, "repetition_penalty": 1.0, "ignore_eos": False}),
        (GREEDY, {"stop": [], "n": 1, "best_of": 1, "echo": False, "suffix": "", "logit_bias": {}}),
        (GREEDY, {"max_tokens": None, "stop": None, "logprobs": None, "unknown": None}),
        (GREEDY, {"frequency_penalty": 0, "presence_penalty": 0.0, "user": "u", "metadata": {}}),
        (GREEDY, {"chat": True, "tools": [], "tool_choice": "none", "logprobs": False}),
        (GREEDY, {"chat": True, "response_format": {"type": "text"}, "max_completion_tokens": 8}),
        (SAMPLED, {}),
        (SAMPLED, {"temperature": 0.5, "top_p": 0.9, "top_k": 0, "seed": 3, "min_tokens": 2}),
        (SAMPLED, {"stop": ["a", "é"], "max_tokens": 8}),
        ({**GREEDY, "stop_strings": '["a"]'}, {"stop": "a"}),
        ({**GREEDY, "repetition_penalty": 1.2}, {"repetition_penalty": 1.2}),
    ],
)
def test_the_settings_in_use_are_accepted(
    decoding: dict[str, Any], settings: dict[str, Any]
) -> None:
    assert limit_of(decoding, **settings) is None


@pytest.mark.parametrize(
    ("decoding", "name", "value", "shown"),
    [
        (GREEDY, "temperature", 0.7, "is 0 in the suite"),
        (GREEDY, "top_p", 0.9, "is 1 in the suite"),
        (GREEDY, "top_k", 5, "is 0 in the suite"),
        (GREEDY, "min_tokens", 1, "is 0 in the suite"),
        (GREEDY, "max_tokens", 9, "is 8 in the suite"),
        (GREEDY, "stop", "x", 'is [] in the suite, with which this variant is measured, and '
         'cannot be ["x"]: send the same value, or omit stop'),
        (GREEDY, "repetition_penalty", 1.1, "is 1 in the suite"),
        (SAMPLED, "temperature", 0.0, "is 0.5 in the suite"),
        (SAMPLED, "top_p", 1.0, "is 0.9 in the suite"),
        (SAMPLED, "seed", 4, "is 3 in the suite"),
        (SAMPLED, "stop", ["a"], "in the suite"),
        (GREEDY, "n", 2, "does not support n"),
        (GREEDY, "best_of", 2, "does not support best_of"),
        (GREEDY, "logprobs", 0, "does not support logprobs"),
        (GREEDY, "echo", True, "does not support echo"),
        (GREEDY, "ignore_eos", True, "does not support ignore_eos"),
        (GREEDY, "presence_penalty", 0.5, "does not support presence_penalty"),
        (GREEDY, "best_tokens", 0, "unrecognized request argument"),
        (GREEDY, "stream_options", {"include_usage": True}, "requires stream"),
    ],
)  # fmt: skip
def test_other_settings_are_refused(
    decoding: dict[str, Any], name: str, value: object, shown: str
) -> None:
    with pytest.raises(RefusedParameter) as refused:
        limit_of(decoding, **{name: value})
    assert refused.value.name == name
    assert shown in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools", [{"type": "function"}]),
        ("logprobs", True),
        ("response_format", {"type": "json_object"}),
        ("max_completion_tokens", 9),
        ("audio", {"voice": "x"}),
    ],
)
def test_what_chats_do_not_have(name: str, value: object) -> None:
    with pytest.raises(RefusedParameter) as refused:
        limit_of(GREEDY, chat=True, **{name: value})
    assert refused.value.name == name


def test_keys_inside_of_messages_and_options_are_refused() -> None:
    message = {"role": "user", "content": "a", "refusal": None, "name": "eve"}
    with pytest.raises(RefusedParameter) as refused:
        limit_of(GREEDY, chat=True, messages=[message])
    assert refused.value.name == "messages.0.name"
    with pytest.raises(RefusedParameter) as refused:
        limit_of(GREEDY, stream=True, stream_options={"continuous_usage_stats": True})
    assert refused.value.name == "stream_options.continuous_usage_stats"


def test_fewer_tokens() -> None:
    assert limit_of(GREEDY, max_tokens=3) == 3
    assert limit_of(GREEDY, chat=True, max_completion_tokens=3) == 3
    assert limit_of({}, max_tokens=3) == 3
