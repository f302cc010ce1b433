"""Delay and loss are set, affect requests, and are removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from time import monotonic
from urllib.request import ProxyHandler, build_opener

import pytest

from pytest_infperf.explore.link import Link, LinkError, delayed, netem

OPENED = build_opener(ProxyHandler({}))
FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=20).read().decode())"


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None: ...


def serving(host: str) -> HTTPServer:
    server = HTTPServer((host, 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def url() -> Iterator[str]:
    server = serving("127.0.0.1")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_proxy_delays_requests_and_passes_them_on_whole(url: str) -> None:
    body = os.urandom(300_000)
    with delayed([url, "http://127.0.0.1:9"], 100) as (proxied, broken):
        start_s = monotonic()
        assert OPENED.open(proxied, body, timeout=30).read() == body
        assert monotonic() - start_s >= 0.1
        with pytest.raises(OSError, match=r"."):
            OPENED.open(broken, timeout=30)
    with pytest.raises(OSError, match="refused"):
        OPENED.open(proxied, timeout=30)


@pytest.fixture
def settings_of_tc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace `tc`, because few kernels have netem; return the file with its arguments."""
    needed = [shutil.which(name) for name in ("ip", "unshare", "nsenter")]
    if os.geteuid() != 0 or not all(needed):
        pytest.skip("network namespaces need root, iproute2 and util-linux")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this host allows no network namespace")
    (tc := tmp_path / "tc").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/settings\n')
    tc.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "settings"


def interfaces() -> str:
    return subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout


def test_the_generator_reaches_servers_over_new_interfaces(settings_of_tc: Path) -> None:
    with netem(10, 0.015) as link:
        server = serving(link.host)
        fetch = [sys.executable, "-c", FETCH, f"http://{link.host}:{server.server_port}"]
        done = subprocess.run([*link.launcher, *fetch], capture_output=True, text=True, check=False)
        server.shutdown()
        server.server_close()
        assert done.stdout == "hello\n", done.stderr
        ours = f"infperf{os.getpid():x}"
        assert ours in interfaces()
    assert settings_of_tc.read_text().splitlines() == [
        f"qdisc add dev {ours} root netem loss 1.5%",
        "qdisc add dev infperf0 root netem delay 10ms loss 1.5%",
    ]
    assert ours not in interfaces()


def test_nothing_is_left_behind_after_an_interruption(settings_of_tc: Path) -> None:
    link = netem()
    holder = Path("/proc") / link.__enter__().launcher[2]
    assert holder.exists()
    assert not link.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert not holder.exists()
    assert f"infperf{os.getpid():x}" not in interfaces()
    assert not settings_of_tc.exists()  # without delay and loss there is nothing to set


def test_nothing_is_left_behind_where_netem_is_missing(settings_of_tc: Path) -> None:
    (settings_of_tc.parent / "tc").write_text("#!/bin/sh\necho 'qdisc is unknown' >&2\nexit 2\n")
    with pytest.raises(LinkError, match=r"netem \(qdisc is unknown\): run as root"), netem(10):
        pass
    assert f"infperf{os.getpid():x}" not in interfaces()


def test_a_host_without_the_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LinkError, match="unshare"), netem(10):
        pass
    assert Link().host == "127.0.0.1"
