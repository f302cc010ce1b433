"""examples/plain_benchmarks, used as in its README: saved runs, and a slower function."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_infperf.cli import main
from tests.plugin.small_project import Outcome, Project
from tests.plugin.test_against import git

EXAMPLE = Path(__file__).parents[2] / "examples" / "plain_benchmarks"


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """Return a copy of the example."""
    project = Project(tmp_path, tmp_path / "cache")
    for folder in ("suites", "model"):
        shutil.rmtree(project.folder / folder)
    written = shutil.ignore_patterns(".*_cache", ".benchmarks", "__pycache__")
    shutil.copytree(EXAMPLE, project.folder, ignore=written, dirs_exist_ok=True)
    return project


def test_saved_runs_are_compared_and_have_a_history(
    shop: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        saved = shop.plain("test_alone.py", "--benchmark-autosave", "--benchmark-max-time=0.05")
        saved.assert_outcomes(passed=1)
    monkeypatch.chdir(shop.folder)
    assert main(["compare", "latest~1", "latest"]) == 0
    compared = capsys.readouterr().out
    assert "test_alone.py::test_total" in compared
    assert re.search(r"latency_p50 .*%", compared)
    assert main(["history"]) == 0
    assert re.search(r"latency_p50 +2 ", capsys.readouterr().out)


def test_a_slower_function_is_found(shop: Project) -> None:
    git(shop.folder, "init", "--quiet", "-b", "main")
    git(shop.folder, "add", "--all")
    git(shop.folder, "commit", "--quiet", "-m", "as it was")
    (edit,) = re.findall(r"^\$ (sed .*)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
    subprocess.run(edit, shell=True, cwd=shop.folder, check=True)
    result: Outcome = shop.measure("test_pricing.py", "--infperf-against=HEAD", budget_s=1)
    assert result.outcomes() == {"test_total[10]": "failed", "test_total[1000]": "failed"}
    assert "is above the limit of 5.00 %" in result.message("test_total[1000]")
    regression = result.record("test_total[1000]", "test_pricing")["measures"]["regression"]
    assert regression["low"] > 0.05
