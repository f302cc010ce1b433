"""Loads in a run: servers are started, loaded, measured, gated, and stopped at the end."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from pytest_infperf.serving.load.open_loop import arrivals
from tests.plugin.small_project import Project

SUITE = """
    from pytest_infperf import ClosedLoop, Echo, Fake, OpenLoop, Server, Serving, SingleStream
    from pytest_infperf import MultiStream, Offline, Suite

    suite = Suite(
        "echo",
        task=Echo(count=40),
        model="../../model",
        baseline="slow",
        variants=[Fake(id="slow", query_ms=20), Fake(id="fast", query_ms=1)],
        serving=Serving(queue=16),
        loads=[
            ClosedLoop(2, seconds=1),
            OpenLoop(20.0, seconds=1),
            SingleStream(seconds=0.5),
            MultiStream(seconds=0.5),
            Offline(seconds=0.5),
            Server(limit_s=0.2, trial_s=0.5, seconds=0.5, precision=0.5),
        ],
    )
"""


@pytest.fixture
def loaded(project: Project) -> Project:
    """Return a project with loads, on a host whose proxy does not answer and has no exceptions."""
    project.suite(SUITE)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        project.environment[name] = "http://127.0.0.1:9"
    project.environment.update(no_proxy="", NO_PROXY="")
    return project


def tests_of(project: Project, *names: str) -> None:
    lines = [
        f"def test_{i}(variant): variant.load({name!r}).check()" for i, name in enumerate(names)
    ]
    project.tests("\n".join(lines) + "\n")


def test_users_of_a_closed_loop_wait_for_each_other(loaded: Project) -> None:
    tests_of(loaded, "users=2", "SingleStream")
    outcome = loaded.measure("--infperf-variants=slow")
    outcome.assert_outcomes(passed=2)
    record = outcome.record("slow")
    measures = record["measures"]
    # One query takes 20 ms of the processor, and two users wait for each other.
    assert measures["latency_min@SingleStream"]["value"] >= 0.02
    assert measures["latency_p50@users=2"]["value"] >= 0.03
    assert 0 < measures["requests_per_hour@users=2"]["value"] <= 180_000
    assert 0 < measures["cpu_usage@users=2"]["value"] < 1.5
    assert measures["error_rate@users=2"]["value"] == 0
    assert measures["peak_memory@users=2"]["value"] > 1e7
    evidence = record["evidence"]["loads"]["users=2"]
    assert evidence["answered"] == evidence["requests"]
    assert 0 <= evidence["steady"]["first"] < evidence["steady"]["end"] <= evidence["answered"]
    assert record["settings"]["serving"]["workers"] == 1
    assert record["settings"]["serving"]["max_body_bytes"] == 262_144


def test_mlperf_scenarios_send_many_samples_per_request(loaded: Project) -> None:
    tests_of(loaded, "MultiStream", "Offline")
    measures = loaded.measure("--infperf-variants=fast").record("fast")["measures"]
    for load in ("MultiStream", "Offline"):
        requests = measures[f"requests_per_hour@{load}"]["value"] / 3600
        assert measures[f"throughput@{load}"]["value"] == pytest.approx(8 * requests)
    # Eight samples of a millisecond each; four such requests wait at the server.
    assert measures["latency_min@MultiStream"]["value"] >= 0.008
    assert measures["latency_p50@Offline"]["value"] >= 0.024


def test_an_open_loop_sends_the_requests_of_its_rate_and_seed(loaded: Project) -> None:
    tests_of(loaded, "rate=20")
    seed = 6
    outcome = loaded.measure("--infperf-variants=fast", f"--infperf-seed={seed}")
    record = outcome.record("fast")
    measures, evidence = record["measures"], record["evidence"]["loads"]["rate=20"]
    planned = list(arrivals(20.0, 1.0, seed))
    assert evidence["requests"] == evidence["answered"] == len(planned)
    # From the first request to the last answer, which comes soon after the last request.
    lasted_s = planned[-1] - planned[0]
    assert lasted_s < evidence["seconds"] < lasted_s + 2
    assert measures["requests_per_hour@rate=20"]["value"] == pytest.approx(
        3600 * len(planned) / evidence["seconds"]
    )
    assert measures["latency_min@rate=20"]["value"] >= 0.001


def test_the_highest_rate_within_the_latency_limit(loaded: Project) -> None:
    tests_of(loaded, "Server")
    loaded.thresholds(
        """
        [defaults]
        inconclusive = "warn"      # the generator may be late on a busy host
        [echo.gates]
        error_rate.at."Server" = { max = 0 }
        [echo.variants.slow]
        highest_rate.at."Server" = { min = 1000 }
        """
    )
    outcome = loaded.measure()
    assert outcome.outcomes() == {"test_0[slow]": "failed", "test_0[fast]": "passed"}
    slow = outcome.record("slow")["measures"]["highest_rate@Server"]["value"]
    assert 0 < slow < 100  # its capacity is 50 per second; a short trial can exceed it
    assert outcome.record("fast")["measures"]["highest_rate@Server"]["value"] > slow
    assert "highest_rate@Server" in outcome.message("test_0[slow]")
    assert "serve a faster variant" in outcome.message("test_0[slow]")
    assert "a server under load Server" in outcome.text


def test_a_killed_worker_loses_its_requests_and_is_reported(
    loaded: Project,
) -> None:
    loaded.suite(
        SUITE.replace("Serving(queue=16)", "Serving(workers=2)").replace(
            "ClosedLoop(2, seconds=1)", "ClosedLoop(4, seconds=4)"
        )
    )
    tests_of(loaded, "users=4")
    loaded.thresholds('[echo.gates]\nerror_rate.at."users=4" = { max = 0 }\n')
    process = loaded.start("--infperf-variants=slow")
    kill_a_worker_under_load(loaded)
    outcome = loaded.finish(process)
    record = outcome.record("slow")
    evidence = record["evidence"]["loads"]["users=4"]
    assert evidence["died_workers"] == 1
    # Each of the four users has one request in flight at most.
    assert 1 <= sum(evidence["errors"].values()) <= 4
    assert evidence["answered"] > 20
    assert "1 of its workers died and were restarted" in outcome.words
    assert outcome.outcomes() == {"test_0[slow]": "failed"}


def test_a_server_that_ends_under_load_has_no_latency_that_passes(loaded: Project) -> None:
    """The answers before its end are no measure of the server's performance."""
    loaded.suite(
        """
        import os
        import signal
        import sys
        from pytest_infperf import ClosedLoop, Echo, Fake, Suite

        class Ending(Fake):
            def load(self, artifact, task, threads):
                runner = super().load(artifact, task, threads)
                infer, queries = runner.infer, 0

                def infer_or_end(features):
                    nonlocal queries
                    queries += 1
                    if queries > 20 and "uvicorn" in sys.modules:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return infer(features)

                runner.infer = infer_or_end
                return runner

        suite = Suite(
            "echo",
            task=Echo(count=40),
            model="../../model",
            variants=[Ending(id="ending", query_ms=1)],
            loads=[ClosedLoop(2, seconds=1)],
        )
        """
    )
    tests_of(loaded, "users=2")
    loaded.thresholds('[echo.gates]\nlatency_p50.at."users=2" = { max = "1 s" }\n')
    outcome = loaded.measure()
    assert outcome.outcomes() == {"test_0[ending]": "failed"}
    assert "the server of ending was killed by SIGKILL" in outcome.words
    assert outcome.record("ending")["measures"] == {}


def kill_a_worker_under_load(project: Project) -> None:
    """Kill the first server process that has more than one connection for half a second.

    The requests that are sent one by one before a load take less.
    """
    deadline = monotonic() + 60
    while monotonic() < deadline:
        for process in psutil.process_iter(["cmdline", "cwd"]):
            with suppress(psutil.Error):
                parent = process.parent()
                if (
                    process.info["cwd"] == str(project.folder)
                    and parent
                    and "pytest_infperf.serving.server" in parent.cmdline()
                    and "resource_tracker" not in " ".join(process.info["cmdline"])
                    and stays_connected(process)
                ):
                    process.kill()
                    return
        sleep(0.1)
    raise AssertionError("no server process had connections within 60 s")


def stays_connected(process: psutil.Process) -> bool:
    if connections(process) < 2:
        return False
    sleep(0.5)
    return connections(process) > 1


def connections(process: psutil.Process) -> int:
    return sum(c.status == psutil.CONN_ESTABLISHED for c in process.net_connections())


def test_the_highest_rate_is_zero_if_one_request_exceeds_the_limit(loaded: Project) -> None:
    loaded.suite(SUITE.replace("limit_s=0.2", "limit_s=0.01"))
    tests_of(loaded, "Server")
    outcome = loaded.measure("--infperf-variants=slow")
    outcome.assert_outcomes(passed=1)
    highest = outcome.measure("slow", "highest_rate@Server")
    assert (highest["value"], highest["low"]) == (0, 0)
    assert highest["high"] > 0


def test_a_run_leaves_no_server_no_temporary_file_and_traces_nothing(loaded: Project) -> None:
    """coverage is set to start in each Python process that inherits its variable."""
    loaded.suite(SUITE.replace("Serving(queue=16)", "Serving(workers=2)"))
    tests_of(loaded, "SingleStream", "users=2")
    temporary = loaded.folder / "temporary"
    temporary.mkdir()
    traced = traced_processes(loaded)
    loaded.environment.update(TMPDIR=str(temporary), COVERAGE_PROCESS_START=".coveragerc")
    loaded.measure("--infperf-variants=fast").assert_outcomes(passed=2)
    assert list(temporary.iterdir()) == []
    started = traced.read_text().splitlines()
    assert started  # pytest itself
    assert [line for line in started if "-m pytest_infperf" in line or "-m locust" in line] == []
    left = [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if "pytest_infperf.serving.server" in (process.info["cmdline"] or ())
        and process.info["cwd"] == str(loaded.folder)
    ]
    assert left == []


def traced_processes(project: Project) -> Path:
    """Start a coverage tool in each Python process; return the file with the traced commands."""
    traced = project.folder / "traced.txt"
    project.write(
        "site/sitecustomize.py",
        f"""
        import os
        import sys

        if os.environ.get("COVERAGE_PROCESS_START"):
            with open({str(traced)!r}, "a") as file:
                file.write(" ".join(sys.orig_argv) + "\\n")
        """,
    )
    paths = [str(project.folder / "site"), os.environ.get("PYTHONPATH", "")]
    project.environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return traced


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ("requests_per_hour = { min = 1 }", "needs the name of a load"),
        ('error_rate.at."users=3" = { max = 0 }', "unknown point"),
        ('growth.at."users=2" = { max = 1 }', "unknown measure"),
        ('size.at."users=2" = { max = "1 MB" }', "size is not measured at users=2"),
    ],
)
def test_limits_at_unknown_loads_or_measures_are_refused(
    loaded: Project, gate: str, words: str
) -> None:
    tests_of(loaded, "users=2")
    loaded.thresholds(f"[echo.gates]\n{gate}\n")
    outcome = loaded.collect()
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: thresholds.toml:3: " in outcome.text
    assert words in outcome.words


def test_an_unknown_load_is_an_error_that_names_the_loads(loaded: Project) -> None:
    tests_of(loaded, "users=9")
    outcome = loaded.measure("--infperf-variants=slow")
    outcome.assert_outcomes(failed=1)
    assert "the suite echo has no load 'users=9', only users=2, rate=20" in outcome.words


PAYLOAD = """
    from pydantic import BaseModel

    from pytest_infperf import Payload


    class Word(BaseModel):
        word: str


    class Said(BaseModel):
        said: str


    class WordPayload(Payload):
        request = Word
        response = Said
        name = "words"

        def path(self, suite):
            return "/word"

        def samples(self, request):
            return [request.word]

        def respond(self, request, answers, about):
            return Said(said=answers[0].output)

        def ask(self, samples):
            [word] = samples
            return Word(word=word)
"""


def suite_of_payload(project: Project, load: str) -> None:
    """Write the suite with one load, and with a payload of its own."""
    project.write("suites/echo/words.py", PAYLOAD)
    begin, end = SUITE.index("loads=["), SUITE.rindex("]")
    suite = f"{SUITE[:begin]}loads=[{load}{SUITE[end:]}"
    suite = suite.replace("Serving(queue=16)", "Serving(payloads=[WordPayload()])")
    imported = "from suites.echo.words import WordPayload\n    from pytest"
    project.suite(suite.replace("from pytest", imported, 1))


@pytest.mark.parametrize("name", ["words", "WordPayload"])
def test_a_load_sends_another_payload(loaded: Project, name: str) -> None:
    suite_of_payload(loaded, f'SingleStream(requests=12, repeats=3, payload="{name}")')
    load = f"SingleStream-12x3:{name}"
    tests_of(loaded, load)
    loaded.thresholds(f'[echo.gates]\nerror_rate.at."{load}" = {{ max = 0 }}\n')
    outcome = loaded.measure("--infperf-variants=fast")
    outcome.assert_outcomes(passed=1)
    record = outcome.record("fast")
    evidence = record["evidence"]["loads"][load]
    assert evidence["requests"] == evidence["answered"] == 36
    assert evidence["steady"] == {"first": 0, "end": 36, "of": 36}
    means_s = evidence["repetition_means_s"]
    assert len(means_s) == 3
    mean = record["measures"][f"latency_mean@{load}"]
    assert (mean["value"], mean["n"]) == (pytest.approx(sum(means_s) / 3), 36)
    assert f"a server under load {load}" in outcome.text
    assert "means of 3 repetitions from" in outcome.text


def test_users_of_another_payload_have_a_table_of_their_own(loaded: Project) -> None:
    suite_of_payload(loaded, 'ClosedLoop(2, seconds=1), ClosedLoop(2, seconds=1, payload="words")')
    tests_of(loaded, "users=2", "users=2:words")
    outcome = loaded.measure("--infperf-variants=fast", "--infperf-html=page.html")
    outcome.assert_outcomes(passed=2)
    for load in ("users=2", "users=2:words"):
        assert f"a server under load {load}" in [line.strip() for line in outcome.outlines]
        assert outcome.measure("fast", f"requests_per_hour@{load}")["value"] > 0
        assert outcome.measure("fast", f"error_rate@{load}")["value"] == 0
    assert "users=2:words" in (loaded.folder / "page.html").read_text()


def test_a_payload_that_is_not_served_is_an_error_that_names_those_that_are(
    loaded: Project,
) -> None:
    suite_of_payload(loaded, 'ClosedLoop(1, payload="wrods")')
    tests_of(loaded, "users=1:wrods")
    outcome = loaded.collect()
    assert outcome.ret != 0
    assert "the load users=1:wrods: none of the payloads" in outcome.words
    assert "there are words, and that of the task" in outcome.words


def test_a_payload_that_has_no_request_of_several_samples(loaded: Project) -> None:
    suite_of_payload(loaded, 'MultiStream(seconds=0.5, payload="words")')
    tests_of(loaded, "MultiStream:words")
    outcome = loaded.measure("--infperf-variants=fast")
    outcome.assert_outcomes(failed=1)
    assert "a request of WordPayload cannot contain 8 samples" in outcome.words


def test_a_percentile_that_the_number_of_requests_cannot_bound(loaded: Project) -> None:
    suite_of_payload(loaded, "SingleStream(requests=100)")
    tests_of(loaded, "SingleStream-100")
    gate = 'latency_p99.at."SingleStream-100" = { max = "1 s" }'
    loaded.thresholds(f"[echo.gates]\n{gate}\n")
    outcome = loaded.collect()
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    assert "SingleStream-100 has 100. Gate a lower percentile." in outcome.words


def test_a_server_that_cannot_start_says_why(loaded: Project) -> None:
    """The payload fails in the server only; workers do not use it."""
    loaded.write(
        "suites/echo/broken.py",
        """
        from pytest_infperf import Echo

        class Broken(Echo):
            def payload(self, codec):
                raise RuntimeError("no payload today")
        """,
    )
    loaded.suite(
        SUITE.replace(
            "from pytest", "from suites.echo.broken import Broken\n    from pytest"
        ).replace("task=Echo(", "task=Broken(")
    )
    tests_of(loaded, "SingleStream")
    outcome = loaded.measure("--infperf-variants=slow")
    outcome.assert_outcomes(failed=1)
    assert "no payload today" in outcome.text
    assert outcome.record("slow")["measures"] == {}
