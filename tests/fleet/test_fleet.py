"""A run on a Ray cluster of two node types, where a node is killed while it measures."""

from __future__ import annotations

import json
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fleet.local_cluster import NODE_TYPES, LocalCluster, small
from tests.plugin.small_project import METHODS, VARIANTS, Outcome, Project

THRESHOLDS = """
    [echo.gates]
    accuracy = { min = 90 }
    [echo.variants.fast.on."b.large"]
    size = { max = "10 B" }
"""

HANGS_ONCE = """
    import os
    import time
    from pathlib import Path

    def test_hanging_once(variant):
        variant.footprint()
        if os.environ["INFPERF_INSTANCE"] == "{node_type}":
            try:
                with Path("{mark}").open("x") as file:
                    file.write(Path.cwd().parent.name)
            except FileExistsError:
                return
            time.sleep(600)
"""
"""A test beside the suite, after the other tests of a variant. It writes its node to the mark."""

FIRST_OF_EACH_QUERY_IS_WRONG = """
    import os
    import time
    from dataclasses import dataclass
    from pathlib import Path

    from pytest_infperf import Echo, Fake, Suite

    @dataclass(frozen=True)
    class FirstWrong(Fake):
        hangs_once: bool = False

        def load(self, artifact, task, threads):
            return Runner(super().load(artifact, task, threads), self.hangs_once)

    class Runner:
        def __init__(self, inner, hangs_once):
            self.inner, self.hangs_once = inner, hangs_once
            self.decoding, self.threads = inner.decoding, inner.threads

        def infer(self, features):
            node_type = os.environ.get("INFPERF_INSTANCE")
            if self.hangs_once and node_type == "a.large":
                with Path("{mark}").open("x") as file:
                    file.write(Path.cwd().parent.name)
                time.sleep(600)
            while self.hangs_once and node_type and not Path("{mark}").exists():
                time.sleep(0.02)
            return ["spoilt", *self.inner.infer(features)[1:]]

    suite = Suite(
        "echo",
        task=Echo(count=300, sample_size=101),
        model="../../model",
        baseline="right",
        variants=[Fake(id="right", wrong=0.1), FirstWrong(id="first", hangs_once=True)],
    )
"""
"""A suite whose share is lost with the only node of a.large; other nodes wait for the loss.

Without a cluster there is no node type, and nothing hangs."""


def wait_for(mark: Path, limit_s: float = 60) -> str:
    """Wait until a node has left its mark, and return the node."""
    deadline = time.monotonic() + limit_s
    while not (mark.exists() and mark.read_text()):
        assert time.monotonic() < deadline, f"{mark.name} was not left within {limit_s:g} s"
        time.sleep(0.05)
    return mark.read_text()


def killed_midway(cluster: LocalCluster, project: Project, mark: Path, *options: str) -> Outcome:
    run = project.start(f"--infperf-ray={cluster.address}", "-v", *options)
    try:
        cluster.kill(wait_for(mark))
        return project.finish(run)
    finally:
        run.kill()


@pytest.fixture(scope="module")
def measured(
    cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory, shared_cache: Path
) -> Outcome:
    """Run all tests on both node types; a node is lost after most of its tests are done."""
    project = small(tmp_path_factory.mktemp("measured"), shared_cache)
    mark = project.folder / "mark"
    project.thresholds(THRESHOLDS)
    project.tests(HANGS_ONCE.format(node_type="a.large", mark=mark), "suites/echo/test_hanging.py")
    project.tests("def test_here(infperf): assert infperf.host['logical_cores']", "test_here.py")
    return killed_midway(cluster, project, mark, "-k", "not latency or fast", "--tb=short")


def record(outcome: Outcome, node_type: str, variant: str) -> dict[str, Any]:
    path = outcome.folder / f"infperf.{node_type}.json"
    document = json.loads(path.read_text())
    assert document["host"]["instance_type"] == node_type
    (found,) = [entry for entry in document["records"] if entry["variant"] == variant]
    return dict(found)


def test_each_test_runs_once_on_each_node_type(measured: Outcome) -> None:
    tests = {f"test_{name}" for name in METHODS} | {"test_hanging_once"}
    expected = {
        f"{test}[{variant}@{node_type}]"
        for test in tests
        for variant in VARIANTS
        for node_type in NODE_TYPES
        if test != "test_latency" or variant == "fast"
    }
    outcomes = measured.outcomes()
    assert set(outcomes) == expected | {"test_here"}
    assert f"3 failed, {len(outcomes) - 3} passed" in measured.text, "nothing is reported twice"


def test_a_test_that_fails_on_a_node_fails_with_its_message(measured: Outcome) -> None:
    assert measured.ret == pytest.ExitCode.TESTS_FAILED
    failed = {test for test, outcome in measured.outcomes().items() if outcome != "passed"}
    assert failed == {
        "test_quality[wrong@a.large]",
        "test_quality[wrong@b.large]",
        "test_footprint[fast@b.large]",
    }
    message = measured.message("test_footprint[fast@b.large]")
    assert "FAIL echo[fast] size 1 kB is above the limit of 10 B" in message


def test_each_node_type_has_its_own_report_and_records(measured: Outcome) -> None:
    assert measured.text.count("echo · 3 variants") == len(NODE_TYPES)
    for node_type in NODE_TYPES:
        assert f"on {node_type}, " in measured.text
        for variant in VARIANTS:
            assert record(measured, node_type, variant)["measures"]["throughput"]["value"] > 0
        assert record(measured, node_type, "fast")["measures"]["speedup"]["value"] > 1.5
    assert not measured.json_path.exists()


def test_the_summary_compares_the_hosts(measured: Outcome) -> None:
    rows = [line.strip() for line in measured.text.splitlines()]
    assert [row for row in rows if row in NODE_TYPES] == list(NODE_TYPES)


def test_a_gate_for_one_instance_type_is_judged_on_it_alone(measured: Outcome) -> None:
    judged = {
        node_type: [gate["measure"] for gate in record(measured, node_type, "fast")["gates"]]
        for node_type in NODE_TYPES
    }
    assert judged == {"a.large": ["accuracy"], "b.large": ["accuracy", "size"]}


def test_a_lost_run_is_repeated_and_counts_once(measured: Outcome) -> None:
    assert "note: a node of a.large was lost" in measured.words
    assert "a.large is repeated, attempt 2 of 3" in measured.words
    for node_type in NODE_TYPES:
        document = json.loads((measured.folder / f"infperf.{node_type}.json").read_text())
        assert [entry["variant"] for entry in document["records"]] == list(VARIANTS)
        gates = [gate["measure"] for gate in record(measured, node_type, "wrong")["gates"]]
        assert gates == ["accuracy"]


def test_the_processes_of_an_interrupted_run_end_with_it(
    cluster: LocalCluster, project: Project
) -> None:
    mark = project.folder / "mark"
    project.only_tests_of("footprint")
    project.tests(HANGS_ONCE.format(node_type="b.large", mark=mark), "suites/echo/test_hanging.py")
    run = project.start(f"--infperf-ray={cluster.address}", "-k", "b.large and fast")
    tree = cluster.folder / "nodes" / wait_for(mark)
    assert processes_in(tree)
    run.send_signal(signal.SIGINT)
    assert project.finish(run).ret == pytest.ExitCode.INTERRUPTED
    deadline = time.monotonic() + 10
    while processes_in(tree):
        assert time.monotonic() < deadline, "the processes still run"
        time.sleep(0.05)


def processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def test_a_lost_node_type_is_an_error_of_its_tests(cluster: LocalCluster, project: Project) -> None:
    cluster.add("c.large")
    cluster.ray.wait_for_nodes()
    mark = project.folder / "mark"
    project.only_tests_of("footprint")
    project.tests(HANGS_ONCE.format(node_type="c.large", mark=mark), "suites/echo/test_hanging.py")
    run = killed_midway(
        cluster, project, mark, "--infperf-variants=fast", "-k", "c.large or b.large"
    )
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    assert run.outcomes() == {
        "test_footprint[fast@b.large]": "passed",
        "test_hanging_once[fast@b.large]": "passed",
        "test_footprint[fast@c.large]": "error",
        "test_hanging_once[fast@c.large]": "error",
    }
    message = run.message("test_footprint[fast@c.large]")
    assert "was not measured on c.large: no node of c.large is left" in message
    assert not (run.folder / "infperf.c.large.json").exists()


def test_a_set_in_shares_scores_exactly_as_on_one_machine(
    cluster: LocalCluster, project: Project
) -> None:
    mark = project.folder / "mark"
    project.suite(FIRST_OF_EACH_QUERY_IS_WRONG.format(mark=mark))
    project.only_tests_of("quality")
    alone = project.measure()
    alone.assert_outcomes(passed=2)
    expected = {variant: alone.record(variant) for variant in ("right", "first")}
    shared = killed_midway(cluster, project, mark, "--infperf-ray-quality")
    shared.assert_outcomes(passed=2)
    for variant, single in expected.items():
        found = shared.record(variant)
        assert found["measures"] == single["measures"]
        assert found["evidence"].get("differences") == single["evidence"].get("differences")
        # 26 queries of 4 in 4 shares for each of 3 nodes: none is missing or counted twice.
        assert sum(found["evidence"]["quality_parts"].values()) == 12
    assert shared.record("first")["evidence"]["quality_parts"] == {"b.large": 12}
    assert 0 < expected["first"]["measures"]["accuracy"]["value"] < 90
    assert set(expected["first"]["evidence"]["differences"]) == {"accuracy"}
