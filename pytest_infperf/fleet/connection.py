"""Connect to a Ray cluster, or explain why that fails and what to do about it."""

from __future__ import annotations

import os
import socket
import warnings
from importlib import import_module
from typing import Any

from pytest_infperf.errors import UserError

CONNECT_LIMIT_S = 10.0
_HTTP2_START = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""What a client of HTTP/2, the protocol of Ray's servers, sends first (RFC 9113, 3.4)."""
_STATUS = "`ray status` on its head shows whether it runs"
_ADDRESSES = "HEAD:6379 inside the cluster, ray://HEAD:10001 from another machine, auto on the head"


def import_ray() -> Any:
    """Return the module `ray`. Raises UserError if it is missing or cannot be imported."""
    try:
        return import_module("ray")
    except ImportError as error:
        install = 'pip install "pytest-infperf[ray]", here and on all nodes'
        if error.name == "ray":
            raise UserError(f"--infperf-ray needs Ray: {install}") from error
        raise UserError(
            f"--infperf-ray: Ray is installed and cannot be imported: {error}. Reinstall it: "
            f"{install}"
        ) from error


def connect(address: str) -> Any:
    """Connect this process to the cluster at `address`, and return the module `ray`.

    Raises UserError, with a remedy, if Ray is missing or the connection fails.
    """
    ray = import_ray()
    try:
        _check_that_ray_listens(address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level="error",
                namespace="pytest-infperf",
            )
    except Exception as error:  # Ray raises many types, depending on the kind of address
        raise UserError(f"--infperf-ray: {_explain(address, error)}") from error
    return ray


def _check_that_ray_listens(address: str) -> None:
    """Raise OSError if no server of HTTP/2 answers; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    with socket.create_connection((host.strip("[]"), int(port)), CONNECT_LIMIT_S) as connection:
        if os.environ.get("RAY_USE_TLS", "0") != "0":
            return
        connection.sendall(_HTTP2_START)
        frame = connection.recv(len(_HTTP2_START))
        if frame[3:4] != b"\4":  # the type of a SETTINGS frame, which a server sends first
            raise ConnectionError("what listens there is not a server of Ray")


def _explain(address: str, error: Exception) -> str:
    """Return what failed and its remedy, by the type and the message of the error."""
    words = _words(error)
    match error:
        case Exception() if "version mismatch" in words.lower():
            return (
                f"the cluster at {address} and this host differ in Ray or Python: {words}. Install "
                "the same versions of both here and on all nodes"
            )
        case socket.gaierror():
            return (
                f"the host in {address} is not known ({words}). Check its name, or give the IP "
                "address of the cluster's head"
            )
        case TimeoutError():
            return (
                f"{address} did not answer ({words}). Check that the head's firewall or security "
                f"group lets this host in; {_STATUS}"
            )
        case OSError():  # includes ConnectionError, Ray's own among them
            return f"no Ray cluster answers at {address}: {words}. {_STATUS}; use {_ADDRESSES}"
        case ValueError() if "ray[client]" in words:
            return (
                f'{address} needs Ray\'s client: pip install "ray[client]", or run on a machine '
                "of the cluster with HEAD:6379"
            )
        case ValueError():
            return f"{address} is not an address of a Ray cluster: {words}. Use {_ADDRESSES}"
        case _:
            return (
                f"Ray cannot connect to {address}: {type(error).__name__}: {words}. {_STATUS}; "
                "Ray's logs are in /tmp/ray/session_latest/logs there"
            )


def _words(error: BaseException) -> str:
    """Return the message of an error and of its cause on one line."""
    words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return f"{words}: {_words(error.__cause__)}" if error.__cause__ else words
