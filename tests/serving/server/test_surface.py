"""The outputs of a server: its address, pages, headers and log."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pytest_infperf.cli import main
from pytest_infperf.errors import UserError
from pytest_infperf.serving.server.address import bound
from pytest_infperf.serving.server.settings import ENVIRONMENT, Deployment
from tests.serving.server.conftest import written
from tests.serving.server.echo_server import PREDICT, Running, Serve, serve_command

FAILING_SUITE = """
from pytest_infperf import Echo, Fake, Suite

class Failing(Fake):
    def load(self, artifact, task, threads):
        runner = super().load(artifact, task, threads)
        runner.infer = lambda texts: [text if text != "bad" else 1 / 0 for text in texts]
        return runner

suite = Suite("echo", task=Echo(), model="model", variants=[Failing(id="failing")])
"""


def wait_for(text: str, path: Path) -> str:
    until = monotonic() + 30
    while text not in path.read_text() and monotonic() < until:
        sleep(0.02)
    return path.read_text()


def test_the_line_at_the_start_has_the_port_that_it_got(echo: Running) -> None:
    url = echo.url
    line = f" threads on {url}: try it at {url}/, API at {url}/docs\n"
    assert line in wait_for("/docs", echo.stderr)
    assert "http://127.0.0.1:0" not in echo.stderr.read_text()


def test_suite_and_variant_are_in_the_titles(echo: Running) -> None:
    assert "<title>echo: fake</title>" in echo.get("/").body
    assert "<title>echo: fake - Swagger UI</title>" in echo.get("/docs").body
    described = echo.get("/openapi.json").body
    assert described["info"]["summary"] == "The variant fake of the suite echo"
    assert described["paths"][PREDICT]["post"]["summary"] == "Predict with echo[fake]"


def test_a_port_that_is_taken_is_one_line(echo_folder: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = serve_command(echo_folder, tmp_path / "stderr", "--port", str(port))
        assert process.wait(60) == 2
        process.communicate()
    [line] = (tmp_path / "stderr").read_text().splitlines()
    assert line.startswith(f"infperf serve: port {port} of 127.0.0.1 is in use: ")
    assert "--port" in line


def test_of_two_servers_that_bind_a_port_one_gets_it() -> None:
    with bound("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} of 127.0.0.1 is in use"):
            bound("127.0.0.1", port)


def test_an_address_of_another_host_is_one_line(echo_folder: Path, tmp_path: Path) -> None:
    process = serve_command(echo_folder, tmp_path / "stderr", "--host", "203.0.113.1")
    assert process.wait(60) == 2
    process.communicate()
    [line] = (tmp_path / "stderr").read_text().splitlines()
    assert line.startswith("infperf serve: cannot listen on 203.0.113.1: ")


@pytest.mark.parametrize("port", ["99999", "-1", "http", "8000.0"])
def test_an_invalid_port_is_a_usage_error(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "suite", f"--port={port}"])
    assert ended.value.code == 2
    assert f"{port!r} is not a port from 0 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "a.*", "http://a", "a,,b", "*a"])
def test_an_invalid_host_name_is_a_usage_error(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "suite", f"--allowed-hosts={name}"])
    assert ended.value.code == 2
    assert "is not a name such as" in capsys.readouterr().err


def test_the_description_loads_nothing_from_elsewhere(echo: Running) -> None:
    page = echo.get("/docs")
    assert page.status == 200
    named = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)["']""", page.body)
    assert {Path(name).name for name in named} >= {
        "swagger-ui-bundle.js",
        "swagger-ui.css",
        "openapi.json",
    }
    for name in named:
        assert re.match("/[^/]", name)
    assert "://" not in page.body.replace("window.location.protocol + '//'", "")


def test_all_files_of_the_description_are_there(echo: Running) -> None:
    named = re.findall(r"""["'](/[^"']+\.\w+)["']""", echo.get("/docs").body)
    assert len(named) >= 3
    with_errors = [name for name in named if not name.endswith(".png")]  # a PNG is not text
    assert [echo.get(name).status for name in with_errors] == [200] * len(with_errors)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("application/problem+json", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonl", 415),
        ("", 415),
    ],
)
def test_the_content_type(echo: Running, content_type: str, status: int) -> None:
    reply = echo.post({"instances": ["a"]}, content_type=content_type)
    assert reply.status == status
    if status == 415:
        assert reply.body["error"]["code"] == "wrong_content_type"
        assert "application/json" in reply.body["error"]["message"]


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/metrics", "/nowhere", PREDICT])
def test_the_headers_of_every_response(echo: Running, path: str) -> None:
    headers = echo.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert re.fullmatch("[0-9a-f]{16}", headers["x-request-id"])


@pytest.mark.parametrize("given", ["abc-1", "0f:9.z_Z", "a" * 128])
def test_a_well_formed_id_is_kept(echo: Running, given: str) -> None:
    reply = echo.post({"instances": []}, x_request_id=given)
    assert (reply.status, reply.headers["x-request-id"]) == (422, given)
    assert reply.body["error"]["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, 'a"', "ä"])
def test_another_id_is_replaced(echo: Running, given: str) -> None:
    reply = echo.post({"instances": ["a"]}, x_request_id=given)
    assert re.fullmatch("[0-9a-f]{16}", reply.headers["x-request-id"])


def test_a_failure_has_its_id_in_the_log_and_is_counted(serve: Serve, tmp_path: Path) -> None:
    server = serve(folder=written(tmp_path, FAILING_SUITE))
    reply = server.post({"instances": ["bad"]}, x_request_id="seen-1")
    assert (reply.status, reply.body["error"]["code"]) == (500, "failed")
    assert reply.body["error"]["request_id"] == reply.headers["x-request-id"] == "seen-1"
    assert reply.headers["x-content-type-options"] == "nosniff"
    wait_for('"status": 500', server.stderr)
    failure, request = (line for line in server.log() if line.get("request_id") == "seen-1")
    assert "ZeroDivisionError" in failure["exc_info"]
    assert (request["status"], request["path"]) == (500, PREDICT)
    assert server.metric(f'infperf_requests_total{{route="{PREDICT}",status="500"}}') == 1
    assert server.post({"instances": ["good"]}).status == 200


def test_the_log_has_no_escape_codes(serve: Serve) -> None:
    server = serve(workers=2)
    server.post({"instances": ["a"]})
    server.process.terminate()
    server.process.wait(30)
    text = server.stderr.read_text()
    assert "\x1b" not in text
    assert "u001b" not in text
    assert "color" not in text


def test_only_the_named_hosts_are_answered(serve: Serve) -> None:
    server = serve("--allowed-hosts", "127.0.0.1, *.example.com")
    assert server.get("/healthz").status == 200
    assert server.get("/healthz", host="api.example.com:8000").status == 200
    for host in ("evil.org", "example.com.evil.org", "example.com"):
        reply = server.get("/healthz", host=host)
        assert (reply.status, reply.body["error"]["code"]) == (400, "invalid_host")
        assert reply.body["error"]["request_id"] == reply.headers["x-request-id"]


def test_any_host_is_answered_by_default(echo: Running) -> None:
    assert echo.get("/healthz", host="anything.org").status == 200


def test_metrics_have_names_as_prometheus_wants_them(echo: Running) -> None:
    """The rules of `promtool check metrics`, and each metric has its row in the documentation."""
    echo.post({"instances": ["a"]})
    reply = echo.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(reply.body)}
    assert len(families) == 7
    documented = (Path(__file__).parents[3] / "docs" / "serving.md").read_text()
    for name, family in families.items():
        assert re.fullmatch("infperf(_[a-z]+)+", name)
        assert family.documentation
        assert not re.search("_(ms|milliseconds|us|minutes|hours|kb|mb|total|count|sum)$", name)
        shown = f"{name}_total" if family.type == "counter" else name
        assert f"| `{shown}` | {family.type} |" in documented
        times = "time" in family.documentation.lower()
        assert name.endswith("_seconds") == times


def test_a_port_that_is_taken_is_named_before_anything_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        folder = str(tmp_path / "no-suite")
        assert main(["serve", folder, "--port", str(port)]) == 2
    assert f"port {port} of 127.0.0.1 is in use" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_server_itself_names_a_port_that_was_taken_meanwhile() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        deployment = Deployment(
            suite={}, variant="fake", backend={}, model="", artifact="", threads=1, serving={},
            port=other.getsockname()[1],
        )  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "pytest_infperf.serving.server"],
            env={**os.environ, ENVIRONMENT: deployment.to_json()},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"infperf serve: port {deployment.port} of 127.0.0.1 is in use: ")
