"""Answers of a server to valid requests, and to all others."""

from __future__ import annotations

import json
import socket
from unittest.mock import Mock
from urllib.parse import urlparse

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies as st
from schemathesis import GenerationMode

from pytest_infperf.serving.server.predictions import prediction_router
from pytest_infperf.suite.payload import About
from pytest_infperf.tasks.payloads import TextToText
from tests.serving.server.echo_server import PREDICT, REFUSING, Running, Serve


def test_an_answer_for_each_instance_in_their_order(echo: Running) -> None:
    texts = ["one", "zwei", "三", "🎉 four"]
    reply = echo.post({"instances": texts})
    assert (reply.status, reply.body) == (200, {"predictions": texts})
    assert len(reply.headers["x-request-id"]) == 16


@pytest.mark.parametrize(
    ("body", "status", "code", "word"),
    [
        (b"{", 400, "not_json", "property name"),
        (b"\xff\xfe", 400, "not_json", "Expecting value"),
        (b'{"instances": ["\xff"]}', 400, "not_json", "body"),
        (b"", 400, "not_json", "empty"),
        (b"[]", 422, "model_attributes_type", "dictionary"),
        ({}, 422, "missing", "required"),
        ({"instances": []}, 422, "too_short", "at least 1"),
        ({"instances": "text"}, 422, "list_type", "list"),
        ({"instances": [3]}, 422, "string_type", "string"),
        ({"instances": [None]}, 422, "string_type", "string"),
        ({"instances": [""]}, 422, "string_too_short", "at least 1"),
        ({"instances": [" \n\t"]}, 422, "string_pattern_mismatch", "pattern"),
        ({"instances": ["\x85\xa0"]}, 422, "string_pattern_mismatch", "pattern"),
        ({"instances": ["\ufeff"]}, 422, "string_pattern_mismatch", "pattern"),
        ({"instances": ["\x1c\x1f"]}, 422, "string_pattern_mismatch", "pattern"),
        ({"instances": ["\ud800"]}, 422, "string_unicode", "unicode"),
        ({"instances": ["a"] * 257}, 422, "too_long", "at most 256"),
        ({"instances": ["a" * 60_000]}, 422, "string_too_long", "at most 50000"),
        ({"instances": ["a" * 1_000_000]}, 413, "too_large", "--max-body-bytes"),
        ({"instances": ["a"], "more": 1}, 422, "extra_forbidden", "not permitted"),
    ],
)
def test_invalid_bodies_are_refused_with_the_reason(
    echo: Running, body: object, status: int, code: str, word: str
) -> None:
    reply = echo.post(body)
    assert (reply.status, reply.body["error"]["code"]) == (status, code)
    assert word in reply.body["error"]["message"]
    assert echo.post({"instances": ["still there"]}).status == 200


def test_the_refusal_names_the_part_that_is_wrong(echo: Running) -> None:
    error = echo.post({"instances": ["fine", 3]}).body["error"]
    assert error["where"] == "body.instances.1"


def test_a_body_without_a_length_is_measured_while_it_arrives(echo: Running) -> None:
    """The body is chunked, so that the headers have no length to check."""
    address = urlparse(echo.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            "transfer-encoding: chunked\r\n\r\n".encode()
        )
        chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
        for _ in range(5):
            connection.sendall(chunk)
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("path", "status"), [("/nowhere", 404), (PREDICT, 405), ("/v1/models/other:predict", 404)]
)
def test_unknown_paths_and_methods(echo: Running, path: str, status: int) -> None:
    reply = echo.get(path)
    assert reply.status == status
    assert set(reply.body) == {"error"}


def test_health_and_the_model(echo: Running) -> None:
    assert echo.get("/healthz").body == {"status": "alive"}
    assert echo.get("/readyz").body == {"status": "ready"}
    model = echo.get("/v1/models/echo").body
    assert (model["name"], model["ready"], model["variant"]) == ("echo", True, "fake")


def test_the_description_has_the_types_and_the_refusals(echo: Running) -> None:
    described = echo.get("/openapi.json").body
    operation = described["paths"][PREDICT]["post"]
    documented = {"200", "400", "413", "415", "422", "429", "500", "502", "503", "504"}
    assert documented == set(operation["responses"])
    body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    texts = described["components"]["schemas"][body.rpartition("/")[2]]
    assert texts["properties"]["instances"]["maxItems"] == 256


def test_metrics_count_what_was_answered(serve: Serve) -> None:
    server = serve()
    server.post({"instances": ["a", "b"]})
    server.post({"instances": []})
    route = f'infperf_requests_total{{route="{PREDICT}",status="%d"}}'
    assert server.metric(route % 200) == 1
    assert server.metric(route % 422) == 1
    assert server.metric("infperf_batch_samples_sum") == 2
    assert server.metric("infperf_model_seconds_count") == 1


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.sampled_from(["instances", "x"]), inner, max_size=3)
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_no_request_body_makes_the_server_fail(echo: Running, body: bytes) -> None:
    assert echo.post(body).status in (200, 400, 422)


def test_it_conforms_to_its_own_description(echo: Running) -> None:
    """Valid and invalid requests are generated from the OpenAPI description."""
    schema = schemathesis.openapi.from_url(f"{echo.url}/openapi.json", config=REFUSING)
    tried = []
    for result in schema.get_all_operations():
        operation = result.ok()
        tried.append(operation.label)

        @settings(max_examples=25, suppress_health_check=list(HealthCheck))
        @given(st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))
        def conforms(case: schemathesis.Case) -> None:
            case.call_and_validate()

        conforms()
    assert f"POST {PREDICT}" in tried


def test_two_payloads_cannot_share_a_path() -> None:
    about = About("echo", "fake", "artifact-1")
    with pytest.raises(ValueError, match=f"two payloads have the path {PREDICT}"):
        prediction_router(Mock(), [TextToText(), TextToText()], about, Mock())
