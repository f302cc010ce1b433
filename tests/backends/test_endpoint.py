"""Endpoint sends requests to a server; errors name the address, the status and the answer."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from shutil import which
from threading import Thread
from typing import Any

import httpx
import pytest

from pytest_infperf import Echo, Endpoint, JsonTemplate, KServeV1, Suite, UserError
from pytest_infperf.artifacts.blueprint import make_blueprint
from pytest_infperf.backends.endpoint import is_loopback
from pytest_infperf.backends.endpoint_runner import EndpointRunner
from pytest_infperf.serving.load import generators
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.load.traffic import NO_ANSWER
from pytest_infperf.suite import naming
from pytest_infperf.suite.loads import ClosedLoop
from tests.endpoint_server import address, free_port

__all__ = ["address"]

ONE = JsonTemplate({"text": "$input"}, answer="result.label")
SECRET = "tok-3f9a-secret"


@pytest.fixture
def runner() -> Iterator[Callable[..., EndpointRunner]]:
    """Return a function that makes runners, whose connections end with the test."""
    made = []

    def make(url: str, timeout_s: float = 20, **settings: Any) -> EndpointRunner:
        made.append(EndpointRunner(Endpoint(url, **{"payload": ONE, **settings}).within(timeout_s)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize(
    ("path", "payload"), [("one", ONE), ("v1/models/reviews:predict", KServeV1())]
)
def test_a_batch_is_answered_on_one_connection(
    runner: Callable[..., EndpointRunner],
    address: str,
    path: str,
    payload: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # not for this host's own addresses
    httpx.get(f"{address}/clients", trust_env=False)
    answers = runner(f"{address}/{path}", payload=payload)
    assert answers.infer(["a fine day", "grey"]) == ["good", "bad"]
    assert answers.infer(["fine"]) == ["good"]
    assert httpx.get(f"{address}/clients", trust_env=False).json() == 1


@pytest.mark.parametrize(
    ("path", "payload", "parts"),
    [
        ("error", ONE, ["answered with status 500", 'begins with: {"detail":"out of memory']),
        ("absent", ONE, ["answered with status 404", '{"detail":"Not Found"}']),
        ("html", ONE, ["status 200 and no JSON", "<html>Please log in"]),
        ("null", ONE, ["JsonTemplate expects: result.label is null", '{"result":{"label":null}}']),
        ("good", JsonTemplate({"text": "$input"}, "labels[0]"), ["expects: it has no labels"]),
        ("good", JsonTemplate({"texts": "$input"}, "label"), ["status 422", "Field required"]),
        ("fewer", KServeV1(), ["status 200 1 inputs with 0 outputs"]),
        ("moved", ONE, ["redirects to /good (status 307)"]),
    ],
)
def test_invalid_answers_are_errors(
    runner: Callable[..., EndpointRunner], address: str, path: str, payload: Any, parts: list[str]
) -> None:
    with pytest.raises(UserError) as error:
        runner(f"{address}/{path}?token=hidden", payload=payload).infer(["fine"])
    message = str(error.value)
    assert message.startswith(f"{address}/{path} ")
    assert [part for part in parts if part not in message] == []
    assert "hidden" not in message
    assert len(message) < 600


def test_a_server_that_is_not_there(runner: Callable[..., EndpointRunner]) -> None:
    url = f"http://127.0.0.1:{free_port()}/predict"
    with pytest.raises(UserError, match=f"^{url} cannot be asked: ConnectError: .*refused"):
        runner(url).infer(["fine"])


def test_a_server_that_is_too_slow(runner: Callable[..., EndpointRunner], address: str) -> None:
    slow = runner(f"{address}/hangs", timeout_s=0.2)
    with pytest.raises(UserError, match=r"did not answer within 0\.18 s \(--infperf-timeout\)"):
        slow.infer(["fine"])


@pytest.mark.parametrize("usd", [0, -1, float("nan"), float("inf"), "0.1"])
def test_a_price_is_a_number(usd: Any) -> None:
    with pytest.raises(UserError, match=r"usd_per_hour=.* must be a number above 0"):
        Endpoint("http://a", usd_per_hour=usd)


def test_the_time_limit_is_at_most_that_of_the_run() -> None:
    assert Endpoint("http://a", timeout_s=3).within(10).timeout_s == 3
    assert Endpoint("http://a", timeout_s=30).within(10).timeout_s == 9


def test_a_secret_is_read_from_the_environment_and_never_shown(
    runner: Callable[..., EndpointRunner], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    headers = {"Authorization": "Bearer ${TOKEN}"}
    assert runner(f"{address}/secured", headers=headers).infer(["fine"]) == ["good"]
    with pytest.raises(UserError, match="status 401"):
        runner(f"{address}/secured").infer(["fine"])
    with pytest.raises(UserError) as error:  # the server repeats header and query in its answer
        runner(f"{address}/error?key=${{TOKEN}}", headers=headers).infer(["fine"])
    assert SECRET not in str(error.value)
    assert "out of memory ***" in str(error.value)


def test_a_variable_that_is_not_set(
    runner: Callable[..., EndpointRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    with pytest.raises(UserError, match=r"variable TOKEN in headers\['X'\] is not set"):
        runner("http://a/b", headers={"X": "${TOKEN}"})


def test_a_record_and_a_repr_have_no_header_and_no_query() -> None:
    endpoint = Endpoint("https://a:8/b?key=hidden", headers={"X-Key": "hidden"})
    assert endpoint.recipe() == {
        "backend": "pytest_infperf.backends.endpoint:Endpoint",
        "url": "https://a:8/b",
        "payload": naming.describe(KServeV1()),
        "headers": ["X-Key"],
        "http_version": "1.1",
        "keep_alive": True,
    }
    assert "X-Key" not in repr(endpoint)


@pytest.mark.parametrize(
    ("url", "settings", "problem"),
    [
        ("example.com/a", {}, "must begin with http:// or https://"),
        ("ftp://example.com/a", {}, "must begin with http:// or https://"),
        ("https://me:hidden@example.com", {}, "remove user and password"),
        ("https://a", {"payload": {"text": "$input"}}, "must be an EndpointPayload"),
        ("https://a", {"verify": False}, "certificates are always verified"),
        ("https://a", {"model": "gpt2"}, "determines model and threads"),
        ("https://a", {"threads": 4}, "determines model and threads"),
        ("https://a", {"timeout_s": 0}, "not over 0 seconds"),
    ],
)
def test_invalid_arguments_are_refused(url: str, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError) as error:
        Endpoint(url, **settings)
    assert problem in str(error.value)
    assert "hidden" not in str(error.value)


def test_paths_of_certificates_are_relative_to_the_suite(tmp_path: Path) -> None:
    endpoint = Endpoint("https://a", verify="ca.pem").beside(tmp_path, "")
    assert endpoint.verify == str(tmp_path / "ca.pem")
    with pytest.raises(UserError, match=r"ca\.pem' is not a file with certificates: No such file"):
        EndpointRunner(endpoint)
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(UserError, match=r"ca\.pem' is not a file with certificates"):
        EndpointRunner(endpoint)


def test_a_blueprint_goes_to_a_worker_without_model() -> None:
    endpoint = Endpoint("http://a", payload=ONE, headers={"X": "y"}, decoding={"beams": 2})
    suite = Suite("echo", task=Echo(count=4), model="owner/name", variants=[endpoint])
    assert suite.model_of(endpoint) is None
    blueprint = make_blueprint(suite, endpoint, None)
    assert blueprint.is_remote
    sent = json.loads(json.dumps(blueprint.backend))
    assert naming.restore(sent) == endpoint
    asked = EndpointRunner(endpoint)
    assert asked.decoding == {"beams": 2}
    asked.close()


class Labels(BaseHTTPRequestHandler):
    """A server that answers each request, also one to a proxy, with the requested address."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"result": {"label": self.path}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: Any) -> None:
        pass


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[str]:
    """Serve from a thread, through TLS with a certificate, and yield host and port."""
    server = HTTPServer(("127.0.0.1", 0), Labels)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def new_certificate(folder: Path) -> Path:
    certificate = folder / "ca.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate


@pytest.mark.skipif(which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_is_verified_by_the_named_authority(
    runner: Callable[..., EndpointRunner], tmp_path: Path
) -> None:
    certificate = new_certificate(tmp_path)
    with serving(certificate) as host:
        trusting = runner(f"https://{host}/a", verify=str(certificate))
        assert trusting.infer(["fine"]) == ["/a"]
        trusting.close()
    with serving(certificate) as host, pytest.raises(UserError, match="CERTIFICATE_VERIFY_FAILED"):
        runner(f"https://{host}/a").infer(["fine"])


@pytest.mark.skipif(which("openssl") is None, reason="openssl makes the certificate")
@pytest.mark.parametrize("users", [None, 1])
def test_loads_verify_certificates(tmp_path: Path, users: int | None) -> None:
    def statuses(host: str, certificates: Path | None) -> set[int]:
        authority = None if certificates is None else str(certificates)
        target = Target(f"https://{host}", "/a", [b"{}"], 1, 5.0, None, certificates=authority)
        traffic = (
            generators.streams(target, 5.0, requests=2)
            if users is None
            else generators.closed_loop(target, ClosedLoop(users), 1.0)
        )
        return {reply.status for reply in traffic.replies}

    certificate = new_certificate(tmp_path)
    with serving(certificate) as host:
        assert statuses(host, certificate) == {200}
    with serving(certificate) as host:
        assert statuses(host, None) == {NO_ANSWER}


def test_a_proxy_of_the_environment_is_used_for_other_hosts(
    runner: Callable[..., EndpointRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://{proxy}")
        for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        asking = runner("http://shop.invalid/a")
        assert asking.infer(["fine"]) == ["http://shop.invalid/a"]
        asking.close()


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.9", "::1"])
def test_addresses_of_this_host(host: str) -> None:
    assert is_loopback(host)
    assert not is_loopback("example.com")
    assert not is_loopback("10.0.0.1")
