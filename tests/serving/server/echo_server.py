"""Servers of the fake backend, started by the command `infperf serve` in their own processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import schemathesis

SUITE = """
from pytest_infperf import Echo, Fake, Suite
suite = Suite("echo", task=Echo(), model="model", variants=[
    Fake(), Fake(id="slow", query_ms=200), Fake(id="threaded", threads=3)])
"""
REFUSING = schemathesis.Config.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": [400, 413, 415, 422]}}}
)
"""What is too long for the description may be too large for the server."""
PREDICT = "/v1/models/echo:predict"
GATED_SUITE = """
from pathlib import Path
from time import sleep

from pytest_infperf import Echo, Fake, Suite

FOLDER = Path(__file__).parent

class Gated(Fake):
    def load(self, artifact, task, threads):
        runner = super().load(artifact, task, threads)
        infer = runner.infer

        def infer_when_open(features):
            with (FOLDER / "queries").open("a") as queries:
                queries.write(" ".join(features) + "\\n")
            while (FOLDER / "closed").exists():
                sleep(0.005)
            return infer(features)

        runner.infer = infer_when_open
        return runner

suite = Suite("echo", task=Echo(), model="model", variants=[Gated(id="gated")])
"""
"""A variant that writes down its queries, and answers none while the file `closed` is there."""


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Running:
    url: str
    process: subprocess.Popen[str]
    stderr: Path
    """File that its stderr goes to."""

    def post(self, data: object, path: str = PREDICT, **headers: str) -> Reply:
        """Post bytes unchanged, or other data as JSON; `_` in names of headers stands for `-`."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._send(
            Request(self.url + path, body, {"content-type": "application/json"} | named)
        )

    def get(self, path: str, **headers: str) -> Reply:
        return self._send(Request(self.url + path, headers=headers))

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of its log so far."""
        lines = self.stderr.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _send(self, request: Request) -> Reply:
        try:
            with urlopen(request, timeout=30) as response:
                return _reply(response.status, response.read(), response.headers)
        except HTTPError as error:
            return _reply(error.code, error.read(), error.headers)

    def metric(self, line: str) -> float:
        """Return the value of a series, by its name with its labels; 0 if it is not there."""
        reply = self.get("/metrics")
        assert reply.status == 200, reply.body
        for series in reply.body.splitlines():
            if series.startswith(f"{line} "):
                return float(series.rpartition(" ")[2])
        return 0.0


def _reply(status: int, raw: bytes, headers: Any) -> Reply:
    named = {name.lower(): value for name, value in headers.items()}
    is_json = named.get("content-type", "").startswith("application/json")
    return Reply(status, json.loads(raw) if is_json else raw.decode(), named)


Serve = Callable[..., Running]


@dataclass
class Gate:
    """A server of the gated suite, whose model waits until `open`."""

    server: Running
    folder: Path

    def close(self) -> None:
        (self.folder / "queries").write_text("")
        (self.folder / "closed").touch()

    def open(self) -> None:
        (self.folder / "closed").unlink(missing_ok=True)

    @property
    def queries(self) -> list[list[str]]:
        """The texts of each query since the gate was closed."""
        lines = (self.folder / "queries").read_text().splitlines()
        return [line.split() for line in lines]


def serve_command(folder: Path, stderr: Path, *options: str) -> subprocess.Popen[str]:
    with stderr.open("w") as file:
        return subprocess.Popen(
            [sys.executable, "-c", "from pytest_infperf.cli import main; raise SystemExit(main())",
             "serve", str(folder), "--port", "0", *options],
            cwd=folder, stdout=subprocess.PIPE, stderr=file, text=True,
        )  # fmt: skip
