"""The EC2 instance: named by the user, or by a metadata service, which can fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pytest_infperf.host import ec2
from pytest_infperf.host.ec2 import Instance

TOKEN = "a-token"


@dataclass
class Service:
    """Amazon's metadata service, version 2, on loopback."""

    endpoint: str = ""
    refuses_tokens: bool = False
    may_answer: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        return {ec2.ENDPOINT_VARIABLE: self.endpoint, **more}


@pytest.fixture
def service() -> Iterator[Service]:
    state = Service()
    state.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            state.asked.append(f"PUT {self.path}")
            state.may_answer.wait()
            wanted = self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
            if state.refuses_tokens or not wanted:
                self.send_error(403)
            else:
                self.answer(TOKEN)

        def do_GET(self) -> None:
            state.asked.append(f"GET {self.path}")
            if self.headers["X-aws-ec2-metadata-token"] != TOKEN:
                self.send_error(401)
                return
            known = {
                "/latest/meta-data/instance-type": "c7i.large",
                "/latest/meta-data/placement/region": "eu-west-1",
            }
            self.answer(known[self.path])

        def answer(self, text: str) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):  # nobody waits any more
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


def test_requests_carry_a_token(service: Service) -> None:
    found = ec2.instance(ask=True, environment=service.environment())
    assert found == Instance("c7i.large", "eu-west-1")
    assert service.asked[0] == "PUT /latest/api/token"


def test_the_users_instance_type_comes_first(service: Service) -> None:
    environment = service.environment(INFPERF_INSTANCE="c7g.large", AWS_REGION="us-west-2")
    assert ec2.instance(ask=True, environment=environment) == Instance("c7g.large", "us-west-2")
    assert service.asked == []


@pytest.mark.parametrize(("ask", "more"), [(False, {}), (True, {ec2.DISABLED_VARIABLE: "true"})])
def test_a_disabled_service_gets_no_request(
    service: Service, ask: bool, more: dict[str, str]
) -> None:
    assert ec2.instance(ask=ask, environment=service.environment(**more)) == Instance()
    assert service.asked == []


def test_a_refused_token_is_reported_with_the_remedy(service: Service) -> None:
    service.refuses_tokens = True
    found = ec2.instance(ask=True, environment=service.environment())
    assert found.type is None
    assert "refused the request (403" in found.trouble
    assert "INFPERF_INSTANCE=c7i.large" in found.trouble


def test_a_service_that_does_not_answer_is_not_waited_for(service: Service) -> None:
    """With a hop limit of 1, the request arrives and the answer does not."""
    service.may_answer.clear()
    found = ec2.instance(ask=True, environment=service.environment())
    service.may_answer.set()
    assert service.asked == ["PUT /latest/api/token"]
    assert found.type is None
    assert "hop limit" in found.trouble


def test_without_a_service_there_is_no_instance_and_no_error() -> None:
    environment = {ec2.ENDPOINT_VARIABLE: "http://127.0.0.1:9"}
    assert ec2.instance(ask=True, environment=environment) == Instance()


@pytest.mark.parametrize(
    ("vendor", "expected"), [("Amazon EC2", True), ("QEMU", False), (None, True)]
)
def test_the_firmware_decides_whether_the_service_is_asked(
    tmp_path: Path, vendor: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if vendor:
        path = tmp_path / "sys/class/dmi/id/sys_vendor"
        path.parent.mkdir(parents=True)
        path.write_text(f"{vendor}\n")
    asked = []
    monkeypatch.setattr(ec2, "_request_within", lambda *_: asked.append(1) or Instance("t3.micro"))
    found = ec2.instance(ask=True, environment={}, root=tmp_path)
    assert bool(asked) is expected
    assert (found.type == "t3.micro") is expected
