"""An error in a worker fails the tests of its variant with the reason, and no others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.plugin.small_project import Outcome, Project

TIMEOUT_S = 4
LAST_OUTPUT = "this was its last output"


@dataclass(frozen=True)
class Trouble:
    """An error that the backend `Troublesome` makes, and the message that is expected."""

    way: str
    at: str
    words: tuple[str, ...]
    last_words: bool = True
    """Whether the message quotes the worker's output to stderr."""
    queries_before: int = 0
    """Number of queries before the error. After 0 the start of the worker fails, whose first query
    comes before any test; after 1 a test fails."""


TROUBLES = {
    "killed": Trouble("be_killed", "infer", ("was killed by SIGKILL", "out-of-memory")),
    "killed-loading": Trouble("be_killed", "load", ("was killed by SIGKILL",)),
    "crashed": Trouble("crash", "infer", ("was killed by SIGSEGV",), queries_before=1),
    "left": Trouble("leave", "load", ("ended with exit code 7",)),
    "left-politely": Trouble("leave_politely", "infer", ("ended with exit code 5",)),
    "raised": Trouble("fail", "infer", ("ValueError: the weights are upside down",)),
    "raised-later": Trouble(
        "fail", "infer", ("ValueError: the weights are upside down",), queries_before=1
    ),
    "raised-loading": Trouble("fail", "load", ("ValueError: the weights are upside down",)),
    "raised-building": Trouble("fail", "build", ("ValueError: the weights are upside down",)),
    "not-installed": Trouble(
        "import_what_is_missing", "load", ("No module named 'a_runtime_that_nobody_has'",), False
    ),
    "hung": Trouble("hang", "infer", (f"did not answer within {TIMEOUT_S} s", "--infperf-timeout")),
    "killed-building": Trouble("be_killed", "build", ("was killed by SIGKILL",)),
    "refused": Trouble("refuse", "build", ("this graph has nothing to fuse",), False),
    "nonsense": Trouble("say_nonsense", "infer", ("broke the protocol", "who is there?"), False),
    "misunderstood": Trouble(
        "answer_another_question", "infer", ("it replied to request 0, not ",), False, 1
    ),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> tuple[Project, Outcome]:
    """Return one run with all errors, between two variants that work."""
    project = Project(tmp_path_factory.mktemp("trouble"), shared_cache)
    project.write("troublesome.py", Path(__file__).with_name("troublesome.py").read_text())
    variants = [
        f'Troublesome(id="{name}", way="{t.way}", at="{t.at}", queries_before={t.queries_before})'
        for name, t in TROUBLES.items()
    ]
    project.suite(
        f"""
        from pytest_infperf import Echo, Fake, Suite
        from troublesome import Troublesome

        suite = Suite(
            "echo",
            task=Echo(count=10),
            model="../../model",
            baseline="first",
            variants=[Fake(id="first"), {", ".join(variants)}, Fake(id="last")],
        )
        """
    )
    project.only_tests_of("quality", "footprint")
    return project, project.measure(f"--infperf-timeout={TIMEOUT_S}")


@pytest.fixture
def outcome(run: tuple[Project, Outcome]) -> Outcome:
    return run[1]


@pytest.mark.parametrize("name", TROUBLES)
def test_each_test_of_the_variant_has_the_reason(outcome: Outcome, name: str) -> None:
    trouble = TROUBLES[name]
    expected = "failed" if trouble.queries_before else "error"
    for test in (f"test_quality[{name}]", f"test_footprint[{name}]"):
        assert outcome.outcomes()[test] == expected
        message = outcome.message(test)
        for words in trouble.words:
            assert words in message
        if trouble.last_words:
            assert LAST_OUTPUT in message
            assert name in message


@pytest.mark.parametrize("name", TROUBLES)
def test_the_record_has_the_error_once(outcome: Outcome, name: str) -> None:
    errors = outcome.record(name)["errors"]
    assert len(set(errors)) == len(errors)
    assert all(words in errors[0] for words in TROUBLES[name].words)


def test_other_variants_pass(outcome: Outcome) -> None:
    for name in ("first", "last"):
        assert outcome.outcomes()[f"test_quality[{name}]"] == "passed"
        assert outcome.outcomes()[f"test_footprint[{name}]"] == "passed"
        assert outcome.record(name)["errors"] == []
    assert outcome.measure("last", "agreement")["value"] == 1
    assert outcome.ret == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in outcome.text


def test_errors_are_below_the_table(outcome: Outcome) -> None:
    for name, trouble in TROUBLES.items():
        assert f"ERROR echo[{name}]" in outcome.text
        assert trouble.words[0] in outcome.words


def test_tracebacks_have_no_frames_of_the_plugin(outcome: Outcome) -> None:
    for name in TROUBLES:
        message = outcome.message(f"test_quality[{name}]")
        assert not re.search(r"pytest_infperf/\S+\.py:\d", message)
        assert "During handling" not in message, "the same message twice"


def test_no_worker_remains_after_the_run(run: tuple[Project, Outcome]) -> None:
    assert run[0].workers() == []


def test_a_baseline_that_cannot_start_fails_comparisons_only(project: Project) -> None:
    project.write("troublesome.py", Path(__file__).with_name("troublesome.py").read_text())
    project.suite(
        """
        from pytest_infperf import Echo, Fake, Suite
        from troublesome import Troublesome

        suite = Suite(
            "echo",
            task=Echo(count=10),
            model="../../model",
            baseline="base",
            variants=[Troublesome(id="base", way="leave", at="load"), Fake(id="other")],
        )
        """
    )
    project.only_tests_of("quality", "footprint")
    result = project.measure()
    assert result.outcomes() == {
        "test_quality[base]": "error",
        "test_footprint[base]": "error",
        "test_quality[other]": "failed",
        "test_footprint[other]": "passed",
    }
    assert "the worker of base ended with exit code 7" in result.message("test_quality[other]")


def test_a_missing_model_is_an_error_with_a_remedy(project: Project) -> None:
    pytest.importorskip("huggingface_hub")
    suite = project.folder / "suites/echo/suite.py"
    suite.write_text(suite.read_text().replace("../../model", "models/nowhere"))
    project.only_tests_of("footprint")
    project.environment["HF_HUB_OFFLINE"] = "1"
    result = project.measure("--infperf-variants=fast")
    assert result.outcomes() == {"test_footprint[fast]": "error"}
    message = result.message("test_footprint[fast]")
    assert "cannot get the model 'models/nowhere'" in message
    assert "hf download" in message


RUNNERS = {
    "NoThreads": ("decoding = {}", "error", "has no attribute 'threads'"),
    "NoDecoding": ("threads = 1", "error", "has no attribute 'decoding'"),
    "NoInfer": ("threads = 1; decoding = {}", "error", "has no attribute 'infer'"),
    "TooFew": (
        "threads = 1; decoding = {}; infer = lambda self, f: list(f)[1:]",
        "failed",
        "a query of 4 samples returned 3 outputs",
    ),
    "NotJson": (
        "threads = 1; decoding = {}; infer = lambda self, f: [{1} for _ in f]",
        "failed",
        "set is not JSON serializable",
    ),
}
"""The body of a runner's class, how the test of its variant ends, and what the message says."""


def test_an_incomplete_backend_is_an_error_that_names_what_is_missing(project: Project) -> None:
    classes = [
        f"""
class {name}Runner:
    {body}

class {name}(Fake):
    def load(self, artifact, task, threads):
        return {name}Runner()
"""
        for name, (body, *_) in RUNNERS.items()
    ]
    variants = [f'{name}(id="{name}")' for name in RUNNERS]
    project.write(
        "suites/echo/suite.py",
        "from pytest_infperf import Echo, Fake, Suite\n"
        + "".join(classes)
        + f'suite = Suite("echo", task=Echo(count=10), model="../../model", '
        f"variants=[{', '.join(variants)}])\n",
    )
    project.only_tests_of("quality")
    result = project.measure()
    for name, (_, how, words) in RUNNERS.items():
        assert result.outcomes()[f"test_quality[{name}]"] == how
        (error,) = result.record(name)["errors"]
        for message in (result.message(f"test_quality[{name}]"), error):
            assert f"the worker of {name} failed: " in message
            assert words in message
