"""Interrupted runs: workers and builds end, and the measures so far are on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plugin.small_project import Outcome, Project

LONGEST_S = 20
"""Time limit in seconds; the builds and queries of these tests would take minutes."""


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not condition():
        assert process.poll() is None, "the run ended by itself"
        assert time.monotonic() < deadline, f"nothing happened within {LONGEST_S} s"
        time.sleep(0.02)


def interrupt(project: Project, process: subprocess.Popen[str]) -> Outcome:
    """Send SIGINT to the process group, as a terminal does for Ctrl-C."""
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    outcome = project.finish(process)
    assert time.monotonic() - start < LONGEST_S
    return outcome


@pytest.fixture
def slow_project(project: Project) -> Iterator[Project]:
    """Return a project whose second variant takes minutes to build or to answer.

    The file `begun` shows that the build or the query has begun.
    """
    project.write("model/weights.txt", str(project.folder))  # artifacts of its own
    project.suite(
        """
        import os
        import time
        from pathlib import Path
        from pytest_infperf import Echo, Fake, Suite

        class SlowToBuild(Fake):
            def build(self, material, folder):
                Path("begun").touch()
                time.sleep(600)

        class SlowToAnswer(Fake):
            def load(self, artifact, task, threads):
                runner = super().load(artifact, task, threads)
                answered = []

                def infer(features):
                    if answered:
                        Path("begun").touch()
                        time.sleep(600)
                    answered.append(1)
                    return list(features)

                runner.infer = infer
                return runner

        slow = {"build": SlowToBuild, "answer": SlowToAnswer}[os.environ["SLOW_TO"]]
        suite = Suite(
            "echo",
            task=Echo(count=10),
            model="../../model",
            baseline="quick",
            variants=[Fake(id="quick"), slow(id="slow")],
        )
        """
    )
    project.only_tests_of("footprint")
    yield project
    for worker in project.workers():
        worker.kill()


def test_an_interrupt_while_measuring(slow_project: Project) -> None:
    slow_project.environment["SLOW_TO"] = "answer"
    process = slow_project.start()
    wait_for((slow_project.folder / "begun").exists, process)
    assert slow_project.workers()
    outcome = interrupt(slow_project, process)
    assert outcome.ret == pytest.ExitCode.INTERRUPTED
    assert slow_project.workers() == []
    assert outcome.measure("quick", "size")["value"] == 1000
    assert outcome.record("slow")["measures"] == {}
    assert "echo · 2 variants" in outcome.text
    assert "INTERNALERROR" not in outcome.text


def test_an_interrupt_while_building(slow_project: Project) -> None:
    slow_project.environment["SLOW_TO"] = "build"
    process = slow_project.start()
    wait_for((slow_project.folder / "begun").exists, process)
    outcome = interrupt(slow_project, process)
    assert outcome.ret == pytest.ExitCode.INTERRUPTED
    assert slow_project.workers() == []
    assert "INTERNALERROR" not in outcome.text
    unfinished = [path for path in slow_project.cache.glob("*.tmp") if path.is_dir()]
    assert unfinished == []


def test_an_interrupt_under_xdist(slow_project: Project) -> None:
    slow_project.environment["SLOW_TO"] = "answer"
    process = slow_project.start("-n1")
    wait_for((slow_project.folder / "begun").exists, process)
    outcome = interrupt(slow_project, process)
    assert outcome.ret == pytest.ExitCode.INTERRUPTED
    assert outcome.measure("quick", "size")["value"] == 1000
    deadline = time.monotonic() + LONGEST_S  # xdist does not wait for its workers to end
    while slow_project.workers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert slow_project.workers() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_if_the_run_is_terminated_or_killed(
    slow_project: Project, number: signal.Signals
) -> None:
    slow_project.environment["SLOW_TO"] = "answer"
    process = slow_project.start()
    wait_for((slow_project.folder / "begun").exists, process)
    process.send_signal(number)
    outcome = slow_project.finish(process)
    deadline = time.monotonic() + LONGEST_S
    while slow_project.workers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert slow_project.workers() == []
    assert outcome.measure("quick", "size")["value"] == 1000


def test_exitfirst_ends_the_run_at_a_broken_gate(project: Project) -> None:
    project.thresholds('[echo.variants.slow]\nsize = { max = "1 B" }\n')
    project.only_tests_of("footprint")
    result = project.measure_here("-x")
    result.assert_outcomes(failed=1)
    assert result.record("slow")["gates"][0]["verdict"] == "fail"
    assert project.workers() == []


def test_measures_are_written_if_a_test_exits_the_run(project: Project) -> None:
    project.tests(
        """
        import pytest

        def test_footprint(variant):
            variant.footprint()
            pytest.exit("enough", returncode=9)
        """
    )
    result = project.measure_here()
    assert result.ret == 9
    assert Path(result.json_path).exists()
    assert result.measure("slow", "size")["value"] == 1000
    assert project.workers() == []
