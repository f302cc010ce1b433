"""Bodies of requests to endpoints, and the outputs in their answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from pytest_infperf import (
    EndpointPayload,
    JsonTemplate,
    KServeV1,
    KServeV2,
    OpenAIChat,
    OpenAICompletions,
    PydanticPayload,
    UserError,
)
from pytest_infperf.backends.endpoint_json import at_path, in_json
from pytest_infperf.suite import naming


class Question(BaseModel):
    text: str


class Reply(BaseModel):
    label: str


def ask(text: str) -> Question:
    return Question(text=text)


def label(reply: Reply) -> str:
    return reply.label


PAIR = PydanticPayload(Question, Reply, to_request=ask, to_output=label)
TENSOR = {"name": "y", "datatype": "FP64", "shape": [2, 2], "data": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("payload", "inputs", "body"),
    [
        (KServeV1(), ["a", "b"], {"instances": ["a", "b"]}),
        (KServeV1(instance="text"), ["a"], {"instances": [{"text": "a"}]}),
        (
            KServeV2("x", output="y"),
            [np.array([1.0, 2.0]), np.array([3.0, 4.0])],
            {
                "inputs": [
                    {"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [1.0, 2.0, 3.0, 4.0]}
                ],
                "outputs": [{"name": "y"}],
            },
        ),
        (
            KServeV2("x", datatype="FP32"),
            [1, 2],
            {"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}]},
        ),
        (
            OpenAIChat("m", prompt="Say $input", system="Be brief.", more={"max_tokens": 3}),
            ["a"],
            {
                "model": "m",
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Say a"},
                ],
                "max_tokens": 3,
            },
        ),
        (OpenAICompletions("m"), ["a"], {"model": "m", "prompt": "a"}),
        (PAIR, ["a"], {"text": "a"}),
        (JsonTemplate({"q": ["$input", 1]}, "x"), [{"k": 2}], {"q": [{"k": 2}, 1]}),
        (JsonTemplate({"q": "Label: $input"}, "x"), ["a"], {"q": "Label: a"}),
        (JsonTemplate({"q": "$inputs"}, "x"), ["a", "b"], {"q": ["a", "b"]}),
    ],
)
def test_a_body(payload: EndpointPayload, inputs: list[Any], body: Any) -> None:
    assert payload.body(inputs) == body


@pytest.mark.parametrize(
    ("payload", "answer", "outputs"),
    [
        (KServeV1(), {"predictions": ["a", "b"]}, ["a", "b"]),
        (KServeV1(answer="label"), {"predictions": [{"label": "a"}]}, ["a"]),
        (KServeV2("x"), {"outputs": [TENSOR]}, [[1, 2], [3, 4]]),
        (
            KServeV2("x", output="z"),
            {"outputs": [TENSOR, {"name": "z", "shape": [2], "data": ["a", "b"]}]},
            ["a", "b"],
        ),
        (OpenAIChat("m"), {"choices": [{"message": {"content": " a\n"}}]}, ["a"]),
        (OpenAICompletions("m"), {"choices": [{"text": "a"}]}, ["a"]),
        (PAIR, {"label": "a"}, ["a"]),
        (JsonTemplate("$input", "x.y[1].z"), {"x": {"y": [0, {"z": 3}]}}, [3]),
        (JsonTemplate("$inputs", "[*].z"), [{"z": 1}, {"z": 2}], [1, 2]),
        (JsonTemplate("$inputs", ""), ["a", "b"], ["a", "b"]),
    ],
)
def test_the_outputs_of_an_answer(
    payload: EndpointPayload, answer: Any, outputs: list[Any]
) -> None:
    assert payload.outputs(answer) == outputs


@pytest.mark.parametrize(
    ("payload", "answer", "problem"),
    [
        (KServeV1(), {"predictions": "ab"}, "no predictions[*]"),
        (KServeV1(answer="label"), {"predictions": [{"tag": "a"}]}, "no predictions[0].label"),
        (KServeV1(), {"error": "x"}, "no predictions"),
        (KServeV1(), {"predictions": [None]}, "predictions[0] is null"),
        (KServeV2("x"), {"outputs": [TENSOR, TENSOR]}, "name one with KServeV2(output=...)"),
        (KServeV2("x"), {"outputs": [{**TENSOR, "shape": [3, 2]}]}, "4 values and the shape"),
        (OpenAIChat("m"), {"choices": []}, "no choices[0]"),
        (
            OpenAIChat("m"),
            {"choices": [{"message": {"content": None}}]},
            "choices[0].message.content is null",
        ),
        (PAIR, {"tag": "a"}, "it is no Reply: label: Field required"),
        (JsonTemplate("$inputs", "x"), {"x": 3}, "x is not a list"),
        (JsonTemplate("$input", "x"), [1], "it has no x"),
    ],
)
def test_an_answer_of_another_form(payload: EndpointPayload, answer: Any, problem: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the problem is compared below
        payload.outputs(answer)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: JsonTemplate({"q": "text"}, "x"), 'must contain either "$input"'),
        (lambda: JsonTemplate(["$input", "$inputs"], "x"), 'must contain either "$input"'),
        (lambda: JsonTemplate("$input", "x..y"), "that is not a path"),
        (lambda: KServeV1(answer="x["), "that is not a path"),
        (lambda: OpenAIChat("m", prompt="Say"), "no $input"),
        (lambda: OpenAIChat("m").body([3]), "type int is not text"),
        (lambda: KServeV2("x").body([[1, 2], [3]]), "have different shapes"),
        (lambda: KServeV2("x").body(["a", 1]), "cannot contain int, str"),
        (lambda: KServeV1().body([object()]), "type object cannot be written as JSON"),
    ],
)
def test_invalid_arguments_of_payloads_are_refused(make: Any, problem: str) -> None:
    with pytest.raises(UserError) as error:
        make()
    assert problem in str(error.value)


def test_images_and_bytes_are_sent_in_base64() -> None:
    from PIL import Image

    assert in_json({"b": b"\x00\xff"}) == {"b": "AP8="}
    assert in_json(Image.new("L", (1, 1))).startswith("iVBORw0KGgo")  # PNG's signature
    assert in_json(np.array([[1, 2]], "uint8")) == [[1, 2]]


def test_payloads_that_accept_batches() -> None:
    assert KServeV1().takes_batches
    assert KServeV2("x").takes_batches
    assert JsonTemplate("$inputs", "x").takes_batches
    assert not JsonTemplate("$input", "x").takes_batches
    assert not OpenAIChat("m").takes_batches
    assert not OpenAICompletions("m").takes_batches
    assert not PAIR.takes_batches


@pytest.mark.parametrize(
    "payload",
    [KServeV1(answer="label"), JsonTemplate({"a": ["$input"]}, "x"), OpenAIChat("m"), PAIR],
)
def test_a_worker_gets_the_payload_of_the_run(payload: EndpointPayload) -> None:
    assert naming.restore(naming.describe(payload)) == payload  # type: ignore[comparison-overlap]


def test_a_lambda_has_no_name_for_a_worker() -> None:
    payload = PydanticPayload(Question, Reply, to_request=ask, to_output=lambda reply: reply.label)
    with pytest.raises(UserError, match="at the top level of a module"):
        naming.describe(payload)


def test_a_path_names_the_place_that_is_missing() -> None:
    with pytest.raises(ValueError, match=r"it has no a\[1\]\.b"):
        at_path({"a": [{"b": 1}, {}]}, "a[*].b")
