"""--infperf-against: variants are compared with themselves at another revision of a repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.small_project import Outcome, Project

SUITE = """
    from pytest_infperf import Echo, Fake, Suite

    suite = Suite(
        "echo",
        task=Echo(count=40{task}),
        model="../../model",
        variants=[{variants}],
    )
"""
OLD = ('Fake(id="steady", query_ms=1)', 'Fake(id="slowed", query_ms=1)', 'Fake(id="gone")')
NEW = (
    'Fake(id="steady", query_ms=1)',
    'Fake(id="slowed", query_ms=2.5, wrong=0.5)',
    'Fake(id="new")',
)
LIMITS = """
    [echo.gates]
    regression = { max = "50 %" }
    accuracy = { max_regression = 5 }
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = ["git", *identity, "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(project: Project, message: str = "a step") -> None:
    if not (project.folder / ".git").exists():
        git(project.folder, "init", "--quiet", "-b", "main")
        project.write(".gitignore", "/junit.xml\n/infperf.json\n__pycache__\n")
    git(project.folder, "add", "--all")
    git(project.folder, "commit", "--quiet", "-m", message)


def set_variants(project: Project, *backends: str, task: str = "") -> None:
    project.suite(SUITE.format(variants=", ".join(backends), task=task))


def commit_one_variant(project: Project) -> None:
    """Commit a suite with one variant and one test."""
    set_variants(project, 'Fake(id="only", query_ms=0.5)')
    project.only_tests_of("latency")
    project.thresholds('[echo.gates]\nregression = { max = "50 %" }\n')
    commit(project)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Outcome:
    """Return a run of a dirty tree, with one slower and worse variant, against the last commit."""
    project = Project(tmp_path_factory.mktemp("compared"), shared_cache)
    project.only_tests_of("latency", "quality")
    project.thresholds(LIMITS)
    set_variants(project, *OLD, task=', metrics=("accuracy", "chrf")')
    commit(project, "as it was")
    set_variants(project, *NEW)
    return project.measure("--infperf-against=HEAD", budget_s=4)


def test_only_the_slower_variant_breaks_the_limit(compared: Outcome) -> None:
    failed = {name for name, outcome in compared.outcomes().items() if outcome == "failed"}
    assert failed == {"test_latency[slowed]", "test_quality[slowed]"}, compared.text
    assert compared.ret == 1
    regression = compared.measure("slowed", "regression")
    assert regression["unit"] == "fraction"
    assert 0.5 < regression["low"] <= regression["value"] <= regression["high"]
    assert "is above the limit of 50.0 %" in compared.message("test_latency[slowed]")
    assert "git bisect" in compared.message("test_latency[slowed]")


def test_the_steady_variant_passes(compared: Outcome) -> None:
    regression = compared.measure("steady", "regression")
    assert regression["high"] < 0.5
    assert {gate["verdict"] for gate in compared.record("steady")["gates"]} == {"pass"}


def test_quality_is_compared_with_the_other_revision(compared: Outcome) -> None:
    change = compared.record("slowed")["evidence"]["against"]["changes"]["accuracy"]
    assert change["value"] == -25
    message = compared.message("test_quality[slowed]")
    assert "accuracy loss" in message
    assert "against the other revision" in message
    steady = compared.record("steady")["evidence"]["against"]["changes"]["accuracy"]
    assert steady["value"] == 0
    assert compared.outcomes()["test_quality[steady]"] == "passed"


def test_variants_and_measures_of_one_revision_only_are_listed(compared: Outcome) -> None:
    assert "has gone, and the working tree does not" in compared.words
    (header,) = [line for line in compared.outlines if line.startswith("infperf: ")]
    assert re.search(r", against HEAD \([0-9a-f]{10}\)$", header)
    assert "has no new, so there is nothing to compare with" in compared.words
    assert "scores chrf, and the working tree does not" in compared.words
    evidence = compared.record("steady")["evidence"]["against"]
    assert evidence["variants_only_there"] == ["gone"]
    assert evidence["measures_only_there"] == ["chrf"]
    new = compared.record("new")
    assert new["evidence"]["against"]["only_here"] is True
    assert new["gates"] == [], "a gate on a change has nothing to judge in a new variant"
    assert compared.outcomes()["test_latency[new]"] == "passed"


def test_the_revision_is_named(compared: Outcome) -> None:
    head = git(compared.folder, "rev-parse", "HEAD")
    assert compared.document["against"] == {"name": "HEAD", "commit": head}
    assert f"against HEAD ({head[:10]})" in compared.words
    assert compared.document["revision"]["dirty"] is True


def test_nothing_is_left_in_the_repository(compared: Outcome, shared_cache: Path) -> None:
    assert len(git(compared.folder, "worktree", "list").splitlines()) == 1
    assert list((shared_cache / "revisions").iterdir()) == []


def test_a_regression_is_found_under_xdist(project: Project) -> None:
    commit_one_variant(project)
    set_variants(project, 'Fake(id="only", query_ms=1)')
    result = project.measure("--infperf-against=HEAD", "-n2", budget_s=2)
    assert result.outcomes() == {"test_latency[only]": "failed"}
    assert result.measure("only", "regression")["low"] > 0.5


def test_a_gate_on_regression_is_not_judged_without_the_option(project: Project) -> None:
    commit_one_variant(project)
    result = project.measure_here(budget_s=0.1)
    result.assert_outcomes(passed=1)
    assert result.record("only")["gates"] == []
    assert result.document["against"] is None


def test_a_revision_that_cannot_be_imported_fails_only_its_comparisons(project: Project) -> None:
    project.only_tests_of("latency", "quality")
    project.thresholds('[echo.gates]\nregression = { max = "50 %" }\naccuracy = { min = 90 }\n')
    project.suite('raise ImportError("no module named ancient")')
    commit(project)
    set_variants(project, 'Fake(id="only")')
    result = project.measure("--infperf-against=HEAD")
    assert result.outcomes() == {"test_latency[only]": "failed", "test_quality[only]": "passed"}
    assert "echo cannot be measured at HEAD" in result.words
    assert "no module named ancient" in result.message("test_latency[only]")
    assert "regression was not measured" in result.message("test_latency[only]")
    assert result.measure("only", "latency_p50")["value"] > 0


def test_a_suite_that_is_missing_at_the_other_revision_is_reported(project: Project) -> None:
    project.write("README", "soon")
    (project.folder / "suites/echo/suite.py").unlink()
    commit(project)
    commit_one_variant(project)
    result = project.measure("--infperf-against=HEAD~1")
    result.assert_outcomes(passed=1)
    assert "has no suite echo to compare with" in result.words


def test_revisions_with_different_inputs_are_not_compared(project: Project) -> None:
    commit_one_variant(project)
    project.suite(
        SUITE.format(variants='Fake(id="only")', task="")
        .replace(
            "suite = Suite(",
            """
    from dataclasses import dataclass
    from pytest_infperf.suite.samples import Samples

    @dataclass(frozen=True)
    class Other(Echo):
        def samples(self, folder):
            return Samples(["other"] * 40, ["other"] * 40)

    suite = Suite(""",
        )
        .replace("task=Echo", "task=Other")
    )
    result = project.measure("--infperf-against=HEAD")
    assert result.outcomes() == {"test_latency[only]": "failed"}
    assert "reads other inputs there" in result.message("test_latency[only]")


def test_the_other_revision_imports_its_own_modules(project: Project) -> None:
    """`pythonpath` must lead to the tree of each revision; otherwise no change would be seen."""
    ini = project.folder / "pytest.ini"
    ini.write_text(ini.read_text() + "pythonpath = src\n")
    project.write("src/pace.py", "QUERY_MS = 0.5\n")
    project.suite(
        "from pace import QUERY_MS\n"
        + "\n".join(line[4:] for line in SUITE.splitlines()).format(
            variants='Fake(id="only", query_ms=QUERY_MS)', task=""
        )
    )
    project.only_tests_of("latency")
    project.thresholds('[echo.gates]\nregression = { max = "50 %" }\n')
    commit(project)
    project.write("src/pace.py", "QUERY_MS = 1\n")
    result = project.measure("--infperf-against=HEAD", budget_s=0.5)
    assert result.outcomes() == {"test_latency[only]": "failed"}
    assert result.measure("only", "regression")["low"] > 0.5


def test_another_interpreter_runs_the_other_revision(project: Project, tmp_path: Path) -> None:
    commit_one_variant(project)
    marker = tmp_path / "was-called"
    python = project.write("other-python", f'#!/bin/sh\ntouch {marker}\nexec {sys.executable} "$@"')
    python.chmod(0o755)
    result = project.measure("--infperf-against=HEAD", f"--infperf-against-python={python}")
    result.assert_outcomes(passed=1)
    assert marker.exists()


@pytest.mark.parametrize("target", [".", "suites"])
def test_the_project_behind_a_symbolic_link(project: Project, tmp_path: Path, target: str) -> None:
    """Git and the system report the target of the link, and pytest reports the link."""
    commit_one_variant(project)
    link = tmp_path / "link-to-the-project"
    link.symlink_to(project.folder / target)
    suites = link / "suites" if target == "." else link
    result = project.measure("--infperf-against=HEAD", "--rootdir", link, suites, budget_s=0.5)
    assert result.outcomes() == {"test_latency[only]": "passed"}, result.text
    against = result.record("only")["evidence"]["against"]
    assert (against["only_here"], against.get("unable")) == (False, None)
    assert "regression" in result.record("only")["measures"]


def test_a_repository_of_another_user_is_refused_in_gits_words(project: Project) -> None:
    commit_one_variant(project)
    project.environment = another_users_repository()
    result = project.measure("--infperf-against=HEAD")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "is not in a git repository" not in result.words
    assert "detected dubious ownership" in result.words
    assert "git config --global --add safe.directory" in result.words


def test_the_commit_of_a_repository_of_another_user_is_missing_with_a_word(
    project: Project,
) -> None:
    """This happens in the container of a CI job, which runs as root."""
    commit_one_variant(project)
    project.environment = another_users_repository()
    result = project.measure(budget_s=0.1)
    result.assert_outcomes(passed=1)
    assert result.document["revision"] is None
    (note,) = [line for line in result.outlines if line.startswith("note: the commit")]
    assert "safe.directory" in note


def another_users_repository() -> dict[str, str]:
    """Return an environment in which git treats every repository as another user's."""
    return {
        "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--infperf-against=mian"], "git does not know the commit 'mian'; did you mean main?"),
        (["--infperf-against=HEAD", "--infperf-against-python=none"], "is not an executable file"),
    ],
)
def test_an_unknown_revision_or_interpreter_is_a_usage_error(
    project: Project, options: list[str], message: str
) -> None:
    commit_one_variant(project)
    result = project.collect(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.words


def test_outside_a_repository_the_option_is_a_usage_error(project: Project) -> None:
    result = project.collect("--infperf-against=HEAD")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "is not in a git repository" in result.words


@pytest.mark.parametrize("target", ["absolute", "relative"])
def test_a_suite_behind_a_link_out_of_the_tree_is_inconclusive(
    project: Project, tmp_path_factory: pytest.TempPathFactory, target: str
) -> None:
    """The other revision would use the same files, or none."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "suites"
    commit_one_variant(project)
    git(project.folder, "rm", "-r", "--quiet", "--cached", "suites")
    (project.folder / "suites").rename(elsewhere)
    (project.folder / "model").rename(elsewhere.parent / "model")
    link = elsewhere if target == "absolute" else os.path.relpath(elsewhere, project.folder)
    (project.folder / "suites").symlink_to(link)
    commit(project)
    result = project.measure("--infperf-against=HEAD")
    assert result.ret == 1
    assert result.outcomes() == {"test_latency[only]": "failed"}
    (gate,) = result.record("only")["gates"]
    assert (gate["measure"], gate["verdict"]) == ("regression", "inconclusive")
    assert "is outside the repository" in result.message("test_latency[only]")


def test_a_suite_that_git_ignores_is_inconclusive(project: Project) -> None:
    """No revision can contain the suite, so that its limit would never be judged."""
    commit_one_variant(project)
    git(project.folder, "rm", "-r", "--quiet", "--cached", "suites")
    project.write(".gitignore", "/suites\n")
    commit(project)
    result = project.measure("--infperf-against=HEAD")
    assert result.outcomes() == {"test_latency[only]": "failed"}
    (gate,) = result.record("only")["gates"]
    assert (gate["measure"], gate["verdict"]) == ("regression", "inconclusive")
    assert "git ignores" in result.message("test_latency[only]")


def test_a_suite_in_a_submodule_that_is_missing_at_the_revision_is_inconclusive(
    project: Project, tmp_path: Path
) -> None:
    commit_one_variant(project)
    git(project.folder, "rm", "-r", "--quiet", "--cached", "suites")
    inner = tmp_path / "inner"
    (project.folder / "suites").rename(inner)
    git(inner, "init", "--quiet")
    git(inner, "add", ".")
    git(inner, "commit", "--quiet", "--message=suites")
    git(project.folder, "submodule", "--quiet", "add", str(inner), "suites")
    commit(project)
    # HEAD~1 has a commit of the submodule that its clone here does not have.
    absent = "0123456789" * 4
    git(project.folder, "update-index", "--cacheinfo", f"160000,{absent},suites")
    git(project.folder, "commit", "--quiet", "--message=another")
    git(project.folder, "add", "suites")
    git(project.folder, "commit", "--quiet", "--message=back")
    result = project.measure("--infperf-against=HEAD~1")
    assert result.outcomes() == {"test_latency[only]": "failed"}
    (gate,) = result.record("only")["gates"]
    assert (gate["measure"], gate["verdict"]) == ("regression", "inconclusive")
    assert f"git -C suites fetch origin {absent}" in result.message("test_latency[only]")
