"""Interrupted runs: workers and builds end, and the measures so far are on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_asks_the_run_to_end_keeps_what_was_measured(
    slow_project: Project, number: signal.Signals
) -> None:
    slow_project.environment["SLOW_TO"] = "answer"
    before = signal.signal(number, signal.SIG_DFL)  # nohup has SIGHUP ignored
    try:
        process = slow_project.start("--infperf-html=page.html")
    finally:
        signal.signal(number, before)
    wait_for((slow_project.folder / "begun").exists, process)
    process.send_signal(number)
    outcome = slow_project.finish(process)
    assert slow_project.workers() == []
    assert outcome.ret == pytest.ExitCode.INTERRUPTED
    assert outcome.measure("quick", "size")["value"] == 1000
    assert f"Terminated: {number.name}" in outcome.text
    assert "echo · 2 variants" in outcome.text
    assert (slow_project.folder / "page.html").exists()
    assert "INTERNALERROR" not in outcome.text


def test_workers_end_with_a_run_that_is_killed(slow_project: Project) -> None:
    slow_project.environment["SLOW_TO"] = "answer"
    process = slow_project.start()
    wait_for((slow_project.folder / "begun").exists, process)
    process.kill()
    outcome = slow_project.finish(process)
    wait_until_ended(slow_project)
    assert outcome.measure("quick", "size")["value"] == 1000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_and_its_load_end_with_the_run(project: Project, number: signal.Signals) -> None:
    project.suite(
        """
        from pytest_infperf import ClosedLoop, Echo, Fake, Serving, Suite

        suite = Suite(
            "echo",
            task=Echo(count=10),
            model="../../model",
            variants=[Fake(query_ms=1)],
            serving=Serving(workers=2),
            loads=[ClosedLoop(2, seconds=60, generators=2)],
        )
        """
    )
    project.tests(
        """
        def test_footprint(variant): variant.footprint()
        def test_load(variant): variant.load("users=2")
        """
    )
    process = project.start()
    try:
        # Locust's master and its two workers, the server with two workers, pytest, a worker.
        wait_for(lambda: sum("locust" in words for words in commands(project)) >= 3, process)
        assert len(commands(project)) >= 8
        process.send_signal(number)
        outcome = project.finish(process)
        wait_until_ended(project)
    finally:
        for left in processes(project):
            left.kill()
    assert outcome.measure("fake", "size")["value"] == 1000
    if number is signal.SIGTERM:
        assert outcome.ret == pytest.ExitCode.INTERRUPTED
        assert "INTERNALERROR" not in outcome.text


def processes(project: Project) -> list[psutil.Process]:
    """Return all processes that run in the project's folder, except this one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            elsewhere = process.pid == os.getpid() or Path(process.cwd()) != project.folder
            if not elsewhere and process.status() != "zombie":
                found.append(process)
    return found


def commands(project: Project) -> list[list[str]]:
    found = []
    for process in processes(project):
        with suppress(psutil.Error):
            found.append(process.cmdline())
    return found


def wait_until_ended(project: Project) -> None:
    deadline = time.monotonic() + LONGEST_S
    while processes(project) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert commands(project) == []


def test_a_handler_of_somebody_else_is_kept(project: Project) -> None:
    """The tests of a run, and whoever calls pytest, may want to see the signals themselves."""
    project.write(
        "conftest.py",
        """
        import signal

        def mine(number, frame):
            pass

        signal.signal(signal.SIGTERM, mine)
        """,
    )
    project.tests(
        """
        import signal

        def test_footprint(variant):
            assert signal.getsignal(signal.SIGTERM).__name__ == "mine"
            assert signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
        """
    )
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    try:
        project.measure_here("--infperf-variants=fast").assert_outcomes(passed=1)
        assert signal.getsignal(signal.SIGHUP) == before[1]
    finally:
        signal.signal(signal.SIGTERM, before[0])


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
