"""Runs that a fleet cannot do are refused before anything is measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.plugin.small_project import Project

NO_CLUSTER = "--infperf-ray=127.0.0.1:1"


@pytest.fixture
def local_project(pytester: pytest.Pytester, shared_cache: Path) -> Project:
    """A project that is only collected, in this process."""
    return Project(pytester.path, shared_cache, pytester)


def refused(project: Project, *arguments: str) -> str:
    result = project.collect(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    return str(result.words)


def test_without_ray_the_remedy_is_named(
    local_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    remedy = 'needs Ray: pip install "pytest-infperf[ray]", here and on all nodes'
    assert remedy in refused(local_project, NO_CLUSTER)
    assert remedy in refused(local_project, NO_CLUSTER, "--infperf-ray-quality")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--infperf-ray-quality"], "--infperf-ray-quality needs a cluster: --infperf-ray ADDRESS"),
        ([NO_CLUSTER, "--infperf-against=HEAD"], "nodes get the working tree without its history"),
        ([NO_CLUSTER, "-n2"], "--infperf-ray cannot be used with -n"),
    ],
)
def test_options_that_do_not_go_together(
    local_project: Project, options: list[str], reason: str
) -> None:
    assert reason in refused(local_project, *options)


def test_an_address_where_no_server_listens_is_found_at_once(local_project: Project) -> None:
    message = refused(local_project, NO_CLUSTER)
    assert "no Ray cluster answers at 127.0.0.1:1: [Errno 111] Connection refused" in message
    assert "`ray status` on its head shows whether it runs" in message
    assert "no Ray cluster answers at ray://127.0.0.1:1" in refused(
        local_project, "--infperf-ray=ray://127.0.0.1:1"
    )


def test_a_file_that_would_not_be_shipped(
    local_project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "limits.toml"
    outside.write_text("schema = 1\n")
    message = refused(local_project, NO_CLUSTER, f"--infperf-thresholds={outside}")
    assert f"--infperf-thresholds: {outside} is outside" in message
