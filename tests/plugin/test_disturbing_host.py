"""Hosts that disturb measurements: profilers, few cores, a /proc/stat without times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_infperf.host import cgroup
from tests.plugin.small_project import Project

GREEDY = """
    import os
    from pytest_infperf import Echo, Fake, Suite

    class Greedy(Fake):
        def load(self, artifact, task, threads):
            return super().load(artifact, task, threads or os.cpu_count())

    suite = Suite(
        "echo",
        task=Echo(count=10),
        model="../../model",
        variants=[Greedy(id="greedy"), Greedy(id="two", threads=2), VARIANTS],
    )
"""
"""A backend that takes all cores of the machine where no number of threads is given."""


def with_start_up_code(project: Project, code: str) -> None:
    """Let each Python process of a run execute some code when it starts."""
    project.write("site/sitecustomize.py", code)
    paths = [str(project.folder / "site"), os.environ.get("PYTHONPATH", "")]
    project.environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


@contextmanager
def on_one_core() -> Iterator[tuple[int, int]]:
    """Restrict this thread, and the processes that it starts, to the second of two cores."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        pytest.skip("needs two cores")
    os.sched_setaffinity(0, usable[1:2])
    try:
        yield usable[0], usable[1]
    finally:
        os.sched_setaffinity(0, usable)


def test_a_tool_that_traces_workers_all_the_same_is_named(project: Project) -> None:
    with_start_up_code(
        project,
        """
        import sys

        def trace_lines(frame, event, argument):
            return trace_lines

        if "pytest_infperf.worker.child" in sys.orig_argv:
            sys.settrace(trace_lines)
        """,
    )
    project.suite(GREEDY.replace(", VARIANTS", ""))
    project.only_tests_of("footprint")
    outcome = project.measure("--infperf-variants=two")
    assert outcome.outcomes()["test_footprint[two]"] in ("error", "failed")
    message = outcome.message("test_footprint[two]")
    assert "sitecustomize.trace_lines (by sys.settrace) slows this process" in message
    assert outcome.record("two")["measures"] == {}


def test_affinity_bounds_the_default_and_the_cores_of_a_variant(project: Project) -> None:
    project.only_tests_of("footprint")
    with on_one_core() as (outside, inside):
        pinned = f"Fake(id='in', cpus=({inside},)), Fake(id='out', cpus=({outside}, {inside}))"
        project.suite(GREEDY.replace("VARIANTS", pinned))
        outcome = project.measure("-v")
    assert outcome.record("greedy")["settings"]["threads"] == 1
    assert "host_doubts" not in outcome.record("greedy")["evidence"]
    [doubt] = outcome.record("two")["evidence"]["host_doubts"]
    assert doubt.startswith("2 threads wait for each other")
    assert f"note: {doubt}" in outcome.words
    assert outcome.outcomes()["test_footprint[in]"] == "passed"
    assert outcome.outcomes()["test_footprint[out]"] == "error"
    message = outcome.message("test_footprint[out]")
    assert f"cpus=({outside}, {inside}): this process may not use core {outside}" in message


def test_a_quota_bounds_the_default_and_is_a_doubt_below_the_threads(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "quota_cores", lambda root=None: 0.5)
    project.suite(GREEDY.replace(", VARIANTS", ""))
    project.only_tests_of("footprint")
    outcome = project.measure_here()
    for variant, threads in (("greedy", 1), ("two", 2)):
        record = outcome.record(variant)
        assert record["settings"]["threads"] == threads
        [doubt] = record["evidence"]["host_doubts"]
        assert f"{threads} thread" in doubt
        assert "a CPU quota of 0.5 cores" in doubt


def test_without_the_hosts_cpu_times_it_measures_and_says_so_once(project: Project) -> None:
    with_start_up_code(
        project,
        """
        import builtins, io

        real = io.open

        def open_or_fake(path, *arguments, **options):
            path = "/dev/null" if str(path) == "/proc/stat" else path
            return real(path, *arguments, **options)

        builtins.open = io.open = open_or_fake
        """,
    )
    project.only_tests_of("latency", "footprint")
    outcome = project.measure("--infperf-variants=fast")
    outcome.assert_outcomes(passed=2)
    assert outcome.words.count("the CPU time of other processes is not known here") == 1
    record = outcome.record("fast")
    assert record["evidence"]["host_doubts"]
    assert record["evidence"]["contaminated_blocks"]["again"] == 0
    assert record["measures"]["peak_memory"]["value"] > 1e6
