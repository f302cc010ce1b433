"""OpenVINO sends no telemetry from a worker, and the environment is restored afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_infperf import OpenVino, Translation
from pytest_infperf.backends.openvino import without_telemetry

IMPORTED_ALONE = "import openvino"
IMPORTED_WITHOUT_TELEMETRY = """
from pytest_infperf.backends.openvino import without_telemetry
with without_telemetry():
    import openvino
"""


@pytest.mark.parametrize(
    ("import_openvino", "reports"), [(IMPORTED_ALONE, True), (IMPORTED_WITHOUT_TELEMETRY, False)]
)
def test_openvino_sends_no_telemetry(import_openvino: str, reports: bool, tmp_path: Path) -> None:
    """OpenVINO sends telemetry by default if HOME has no file with the user's decision."""
    print_consent = "import openvino_telemetry as t; print(t.Telemetry().consent)"
    proxy = "http://127.0.0.1:9"
    finished = subprocess.run(
        [sys.executable, "-c", f"{import_openvino}\n{print_consent}"],
        env={"HOME": str(tmp_path), "PATH": "", "http_proxy": proxy, "https_proxy": proxy},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.stdout.strip() == str(reports), finished.stderr


@pytest.mark.parametrize("before", [None, "false"])
def test_the_variable_is_restored(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    set_ci(before, monkeypatch)
    with without_telemetry():
        assert os.environ["CI"] == "true"
    assert os.environ.get("CI") == before


@pytest.mark.parametrize("before", [None, "false"])
def test_the_variable_is_restored_after_an_import_that_fails(
    before: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_ci(before, monkeypatch)
    monkeypatch.setitem(sys.modules, "openvino", None)
    task = Translation(source="source", reference="reference")
    with pytest.raises(ImportError):
        OpenVino().load(tmp_path, task, None)
    assert os.environ.get("CI") == before


def set_ci(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is None:
        monkeypatch.delenv("CI", raising=False)
    else:
        monkeypatch.setenv("CI", value)
