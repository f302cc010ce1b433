"""Each failure of a connection to Ray has a specific message with a remedy."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from threading import Thread
from typing import Any

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.fleet.connection import connect, import_ray

ray: Any = pytest.importorskip("ray")


@pytest.fixture
def failure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return the message if `ray.init` raises the error."""

    def message(error: Exception, address: str = "auto") -> str:
        def init(**options: Any) -> None:
            assert options["address"] == address
            raise error

        monkeypatch.setattr(ray, "init", init)
        with pytest.raises(UserError) as raised:
            connect(address)
        assert raised.value.__cause__ is error
        return str(raised.value)

    return message


def raised_by(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_a_connection_returns_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", lambda **_: None)
    assert connect("auto") is ray


def test_ray_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r'needs Ray: pip install "pytest-infperf\[ray\]", here'):
        import_ray()


def test_ray_whose_own_import_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'msgpack'", name="msgpack")

    monkeypatch.setattr("pytest_infperf.fleet.connection.import_module", broken)
    with pytest.raises(UserError, match="cannot be imported: No module named 'msgpack'"):
        import_ray()


def test_no_cluster_on_this_host(failure: Callable[..., str]) -> None:
    message = failure(ConnectionError("Could not find any running Ray instance. Please specify."))
    assert "no Ray cluster answers at auto: Could not find any running Ray instance" in message
    assert "`ray status` on its head" in message


def test_a_cluster_that_refuses_keeps_the_cause(failure: Callable[..., str]) -> None:
    error = ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379")
    error.__cause__ = RuntimeError("This node has an IP address of\n  10.0.0.2")
    message = failure(error)
    assert "10.0.0.1:6379: This node has an IP address of 10.0.0.2. `ray status`" in message


@contextmanager
def listening(answer: bytes) -> Iterator[str]:
    """Yield the address of a server that gives one answer, if any, and keeps connections open."""
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as open_connections:

        def serve() -> None:
            with suppress(OSError):
                connection = open_connections.enter_context(server.accept()[0])
                connection.sendall(answer)

        Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_port_of_another_server() -> None:
    with (
        listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address,
        pytest.raises(
            UserError, match=f"no Ray cluster answers at {address}: what listens there is not"
        ),
    ):
        connect(address)


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_infperf.fleet.connection.CONNECT_LIMIT_S", 0.2)
    with listening(b"") as address, pytest.raises(UserError, match=f"{address} did not answer"):
        connect(address)


def test_a_server_of_http2_is_left_to_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", lambda **_: None)
    with listening(bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))) as address:
        assert connect(f"ray://{address}") is ray


def test_a_port_that_nothing_listens_at() -> None:
    with pytest.raises(UserError, match=r"answers at ray://127.0.0.1:1: .*Connection refused"):
        connect("ray://127.0.0.1:1")


@pytest.mark.parametrize(
    ("error", "reason", "remedy"),
    [
        (
            socket.gaierror(-2, "Name or service not known"),
            "the host in head:6379 is not known ([Errno -2] Name or service not known)",
            "Check its name, or give the IP address",
        ),
        (
            TimeoutError("timed out"),
            "head:6379 did not answer (timed out)",
            "Check that the head's firewall or security group lets this host in",
        ),
    ],
)
def test_a_host_that_is_not_reached(
    monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str, remedy: str
) -> None:
    def create_connection(address: tuple[str, int], limit_s: float) -> None:
        assert address == ("head", 6379)
        raise error

    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(UserError) as raised:
        connect("head:6379")
    assert f"{reason}. {remedy}" in str(raised.value)


def test_invalid_addresses_are_reported() -> None:
    """Ray itself checks the address, without a cluster."""
    with pytest.raises(UserError, match="6379 is not an address of a Ray cluster: Invalid address"):
        connect("6379")


def test_rays_client_that_is_not_installed(failure: Callable[..., str]) -> None:
    message = failure(ValueError("Ray Client requires pip package `ray[client]`. If you installed"))
    assert 'auto needs Ray\'s client: pip install "ray[client]"' in message


def test_a_cluster_of_another_version(failure: Callable[..., str]) -> None:
    """The message contains Ray's own message, which has several lines."""
    check = import_module("ray._private.utils").check_version_info
    cluster = {"ray_version": "2.9.0", "python_version": "3.9.1"}
    message = failure(raised_by(lambda: check(cluster, "node 10.0.0.2")))
    assert "the cluster at auto and this host differ in Ray or Python" in message
    assert "Ray: 2.9.0 Python: 3.9.1 This process on node 10.0.0.2 was started with" in message
    assert f"Ray: {ray.__version__}" in message
    assert "Install the same versions of both here and on all nodes" in message


def test_any_other_error_is_in_its_own_words(failure: Callable[..., str]) -> None:
    message = failure(RuntimeError("Maybe you called ray.init twice by accident?"))
    assert "Ray cannot connect to auto: RuntimeError: Maybe you called ray.init twice" in message
    assert "Ray's logs are in /tmp/ray/session_latest/logs there" in message
