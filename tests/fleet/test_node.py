"""A delegate and its work, in this process and without Ray."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from pytest_infperf.fleet import reports, tree
from pytest_infperf.fleet.measuring import MeasuringRun, TestsRun
from pytest_infperf.fleet.node import Delegate, user_thread_settings
from pytest_infperf.fleet.options import NO_CACHE
from pytest_infperf.fleet.work import Node
from tests.fleet.local_cluster import FEW_PLUGINS
from tests.plugin.small_project import VARIANTS, Project

OPTIONS = ("--infperf", "--infperf-budget=0.1", "-c", "pytest.ini")


@dataclass
class Closing:
    closed: list[str] = field(default_factory=list)

    def close(self) -> None:
        self.closed.append("closed")


@dataclass(frozen=True)
class ReadSurroundings:
    def do(self, node: Node) -> tuple[str, list[str], dict[str, str]]:
        prefixes = ("OMP_", "INFPERF_INSTANCE")
        variables = {name: os.environ[name] for name in os.environ if name.startswith(prefixes)}
        return node.node_type, sorted(os.listdir(node.tree)), variables


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INFPERF_NODE_FOLDER", str(tmp_path / "node"))
    monkeypatch.setenv("INFPERF_INSTANCE", "of the host")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.usefixtures("own_environment")
def test_a_delegate_works_in_the_tree_with_the_thread_settings_of_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "a.txt").write_text("a")
    packed = tmp_path / "tree.tar"
    digest = tree.pack(tree.files_to_ship(tmp_path / "project"), packed)
    delegate = Delegate("c7i.large", "node-1", digest, lambda: tree.read_parts(packed))
    for started_with in ({}, {"OMP_WAIT_POLICY": "passive"}):
        parent = {"PATH": "/", **started_with}
        monkeypatch.setattr(psutil.Process, "environ", lambda _, parent=parent: parent)
        environment = {"INFPERF_INSTANCE": "c7i.large", **started_with}
        assert delegate.do(ReadSurroundings()) == ("c7i.large", ["a.txt"], environment)


@pytest.mark.usefixtures("own_environment")
def test_a_tree_that_the_node_has_is_not_received_again(tmp_path: Path) -> None:
    packed = tmp_path / "tree.tar"
    digest = tree.pack(tree.Tree(tmp_path, []), packed)
    Delegate("a", "node-1", digest, lambda: tree.read_parts(packed))

    def unexpected() -> Iterator[bytes]:
        raise AssertionError("the node has this tree")

    Delegate("a", "node-1", digest, unexpected)


def test_a_node_keeps_one_object_between_shares(tmp_path: Path) -> None:
    node = Node("a", tmp_path, tmp_path)
    first = node.keep("echo", Closing)
    assert node.keep("echo", Closing) is first
    second = node.keep("other", Closing)
    assert second is not first
    assert (first.closed, second.closed) == (["closed"], [])


def run_on_node(project: Project, *tests: str) -> TestsRun:
    run = MeasuringRun(".", OPTIONS, tests, str(project.cache))
    return run.do(Node("a.large", project.folder, project.folder / "artifacts"))


@pytest.fixture
def few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FEW_PLUGINS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("few_plugins")
def test_a_run_without_a_cache_of_pytest(project: Project) -> None:
    """If warnings are errors, an unknown ini key would be an error."""
    project.only_tests_of("footprint")
    test = "suites/echo/test_echo.py::test_footprint[fast]"
    options = (*OPTIONS, "-p", NO_CACHE, "-W", "error", "--strict-config")
    run = MeasuringRun(".", options, [test], str(project.cache)).do(
        Node("a.large", project.folder, project.folder / "artifacts")
    )
    assert list(run.reports.by_test) == [test], run.ending
    assert not (project.folder / ".pytest_cache").exists()


@pytest.mark.usefixtures("few_plugins")
def test_a_run_returns_the_reports_and_how_it_ended(project: Project) -> None:
    project.only_tests_of("footprint", "quality")
    selected = [f"suites/echo/test_echo.py::test_footprint[{variant}]" for variant in VARIANTS]
    run = run_on_node(project, *selected)
    assert list(run.reports.by_test) == selected
    for test_reports in run.reports.by_test.values():
        assert [report["when"] for report in test_reports] == ["setup", "call", "teardown"]
    assert run.ending.startswith("pytest ended with exit code 0 on the node")
    assert "3 passed" in run.ending


@pytest.mark.usefixtures("few_plugins")
def test_an_error_of_collection_on_the_node_is_reported(project: Project) -> None:
    project.suite("import a_package_of_another_machine")
    run = run_on_node(project, "suites/echo/test_echo.py::test_footprint[fast]")
    assert run.reports.by_test == {}
    assert "No module named 'a_package_of_another_machine'" in run.reports.collection_errors[0]


def test_reports_of_a_killed_process_are_read_up_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_text('{"report": {"nodeid": "a", "when": "setup"}}\n{"report": {"nodeid": "a", "wh')
    assert reports.read(path).by_test == {"a": [{"nodeid": "a", "when": "setup"}]}
    assert reports.read(tmp_path / "none").by_test == {}


@pytest.mark.parametrize(
    ("environment", "settings"),
    [
        (
            {"LD_PRELOAD": "/x/ray/core/libjemalloc.so", "MALLOC_CONF": "prof:true"},
            {},
        ),
        ({"LD_PRELOAD": "/opt/je.so", "RAY_JEMALLOC_LIB_PATH": "/opt/je.so"}, {}),
        ({"LD_PRELOAD": "/usr/lib/libtcmalloc.so"}, {"LD_PRELOAD": "/usr/lib/libtcmalloc.so"}),
        ({"OMP_NUM_THREADS": "2", "PATH": "/"}, {"OMP_NUM_THREADS": "2"}),
    ],
)
def test_the_allocator_that_ray_preloads_is_left_out(
    environment: dict[str, str], settings: dict[str, str]
) -> None:
    assert user_thread_settings(environment) == settings


def test_ray_preloads_the_allocator_that_is_left_out() -> None:
    from ray._private import services

    assert user_thread_settings({"LD_PRELOAD": services.JEMALLOC_SO}) == {}
