"""The cache of artifacts: reused, repaired, shared by runs, or not writable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

from pytest_infperf.artifacts import blueprint as blueprint_module
from tests.plugin.small_project import VARIANTS, Project

MANIFEST = "infperf-artifact.json"


@pytest.fixture
def own_cache(project: Project) -> Project:
    """Return a project with a cache of its own."""
    project.write("pytest.ini", "[pytest]\n")
    project.cache = project.folder / ".infperf_cache"
    project.only_tests_of("footprint")
    return project


def artifacts(project: Project) -> list[Path]:
    return sorted(path.parent for path in project.cache.glob(f"*/{MANIFEST}"))


def test_artifacts_are_kept_in_a_folder_that_git_ignores(own_cache: Project) -> None:
    first = own_cache.measure("-vv")
    first.assert_outcomes(passed=3)
    assert first.text.count("] building fake") == len(VARIANTS)
    assert len(artifacts(own_cache)) == len(VARIANTS)
    assert (own_cache.cache / ".gitignore").read_text() == "*\n"
    before = {path: path.stat().st_mtime_ns for path in artifacts(own_cache)}
    again = own_cache.measure()
    again.assert_outcomes(passed=3)
    assert {path: path.stat().st_mtime_ns for path in artifacts(own_cache)} == before
    assert "building" not in again.text


def test_a_damaged_artifact_is_built_again_with_one_note(own_cache: Project) -> None:
    own_cache.measure_here().assert_outcomes(passed=3)
    changed, lost, garbled = artifacts(own_cache)
    weights = bytearray((changed / "weights.bin").read_bytes())
    weights[100] ^= 1
    (changed / "weights.bin").write_bytes(weights)
    (lost / "weights.bin").unlink()
    (garbled / MANIFEST).write_text(json.dumps({"files": 3}))

    result = own_cache.measure()
    result.assert_outcomes(passed=3)
    for artifact, damage in (
        (changed, "weights.bin has changed"),
        (lost, "weights.bin is missing"),
        (garbled, f"{MANIFEST} cannot be read"),
    ):
        (note,) = [line for line in result.outlines if artifact.name in line]
        assert note.startswith(f"note: the artifact {artifact.name} is damaged ({damage}")
        assert note.endswith("and is built again")
    assert result.measure("fast", "size")["value"] == 1000

    again = own_cache.measure_here()
    again.assert_outcomes(passed=3)
    assert "is damaged" not in again.text


def test_notes_of_an_xdist_worker_are_shown(own_cache: Project) -> None:
    own_cache.measure_here("--infperf-variants=fast").assert_outcomes(passed=1)
    for artifact in artifacts(own_cache):
        (artifact / "weights.bin").unlink()
    result = own_cache.measure("-n1", "--infperf-variants=fast")
    result.assert_outcomes(passed=1)
    assert result.text.count("is damaged (weights.bin is missing) and is built again") == 2


def test_a_changed_model_or_recipe_builds_a_new_artifact(own_cache: Project) -> None:
    own_cache.measure_here("--infperf-variants=fast")
    first = set(artifacts(own_cache))
    own_cache.write("model/weights.txt", "another model\n")
    own_cache.measure("--infperf-variants=fast").assert_outcomes(passed=1)
    second = set(artifacts(own_cache)) - first
    assert len(second) == len(first)
    suite = own_cache.folder / "suites/echo/suite.py"
    suite.write_text(suite.read_text().replace("query_ms=0.2)", "query_ms=0.2, size_bytes=70)"))
    result = own_cache.measure("--infperf-variants=fast")
    assert result.measure("fast", "size")["value"] == 70


def test_another_instruction_set_is_another_artifact(
    own_cache: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host without VNNI uses a cache that a host with VNNI has filled."""
    own_cache.suite(
        """
        from pytest_infperf import Echo, Fake, Suite

        suite = Suite("echo", task=Echo(), model="../../model", variants=[Fake()])
        """
    )
    for known in (("avx2", "avx512_vnni"), ("avx2",), ("avx2", "avx512_vnni")):
        monkeypatch.setattr(blueprint_module, "instruction_sets", lambda known=known: known)
        own_cache.measure_here().assert_outcomes(passed=1)
    assert len(artifacts(own_cache)) == 2


@pytest.mark.parametrize("place", ["pytest.ini", "pytest.ini/below"])
def test_a_cache_that_cannot_be_written_is_a_clear_error(own_cache: Project, place: str) -> None:
    result = own_cache.measure_here(f"--infperf-cache={place}", "--infperf-variants=fast")
    result.assert_outcomes(errors=1)
    message = result.message("test_footprint[fast]")
    assert f"cannot write the artifact cache {own_cache.folder / place}" in message
    assert "--infperf-cache" in message
    assert "Traceback" not in result.text
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_two_runs_at_once_build_once_and_both_pass(own_cache: Project) -> None:
    """Both runs are ready to build before the first one has built."""
    own_cache.suite(
        """
        import time
        from pathlib import Path
        from pytest_infperf import Echo, Fake, Suite

        class Logged(Fake):
            def build(self, material, folder):
                with Path("builds.txt").open("a") as builds:
                    builds.write("built\\n")
                while not Path("both-are-here").exists():
                    time.sleep(0.01)
                return super().build(material, folder)

        suite = Suite("echo", task=Echo(), model="../../model", variants=[Logged()])
        """
    )
    own_cache.write(
        "conftest.py",
        """
        import os
        from pathlib import Path

        def pytest_runtest_setup():
            Path(f"about-to-build.{os.getpid()}").touch()
        """,
    )
    folder, builds = own_cache.folder, own_cache.folder / "builds.txt"
    runs = [own_cache.start("--infperf-json", f"{name}.json") for name in ("left", "right")]
    try:
        wait_for(lambda: builds.exists() and len([*folder.glob("about-to-build.*")]) == 2)
        until = monotonic() + 1  # for a second build, if nothing keeps it back
        while monotonic() < until and builds.read_text() == "built\n":
            sleep(0.02)
        (folder / "both-are-here").touch()
        outcomes = [own_cache.finish(run) for run in runs]
    finally:
        for run in runs:
            run.kill()
    for outcome in outcomes:
        outcome.assert_outcomes(passed=1)
        assert "is damaged" not in outcome.text
    assert builds.read_text() == "built\n"
    assert len(artifacts(own_cache)) == 1
    assert not list(own_cache.cache.glob("*.tmp"))


def wait_for(condition: Callable[[], bool]) -> None:
    until = monotonic() + 30
    while not condition():
        assert monotonic() < until, "it does not happen"
        sleep(0.02)


def test_an_artifact_built_from_another_shares_it(own_cache: Project) -> None:
    own_cache.suite(
        """
        from pytest_infperf import Echo, Fake, Slowed, Suite

        plain = Fake(query_ms=0.1)
        variants = [plain, Slowed(plain, by=1.0), Slowed(plain, by=2.0, id="slower")]
        suite = Suite("echo", task=Echo(), model="../../model", variants=variants, baseline="fake")
        """
    )
    result = own_cache.measure_here()
    result.assert_outcomes(passed=3)
    assert [path.name.rpartition("-")[0] for path in artifacts(own_cache)] == [
        "fake",
        "fake-slowed",
        "fake-slowed",
    ]
    assert result.record("slower")["evidence"]["slowed_by"] == 2.0


def test_variants_that_share_an_artifact_build_it_once(own_cache: Project) -> None:
    own_cache.suite(
        """
        from pytest_infperf import Echo, Fake, Suite

        variants = [Fake(id=name) for name in ("a", "b", "c")]
        suite = Suite("echo", task=Echo(), model="../../model", variants=variants)
        """
    )
    result = own_cache.measure("-vv")
    result.assert_outcomes(passed=3)
    assert result.text.count("] building fake") == 1
    assert len(artifacts(own_cache)) == 1


def test_a_failed_build_is_tried_once_and_fails_all_dependent_variants(
    own_cache: Project,
) -> None:
    own_cache.suite(
        """
        from pathlib import Path
        from pytest_infperf import Echo, Fake, Slowed, Suite
        from pytest_infperf.errors import BuildError

        class Broken(Fake):
            def build(self, material, folder):
                with Path("builds.txt").open("a") as builds:
                    builds.write("built\\n")
                raise BuildError("it cannot be exported")

        plain = Broken(query_ms=0.1)
        variants = [Fake(id="whole", query_ms=1), Slowed(plain, by=1.0, id="a")]
        variants += [Slowed(plain, by=2.0, id="b"), Slowed(plain, by=3.0, id="c")]
        suite = Suite("echo", task=Echo(), model="../../model", variants=variants)
        """
    )
    result = own_cache.measure()
    result.assert_outcomes(passed=1, errors=3)
    for variant in "abc":
        assert "it cannot be exported" in result.message(f"test_footprint[{variant}]")
    assert (own_cache.folder / "builds.txt").read_text() == "built\n"


def test_only_the_variants_of_selected_tests_are_built(own_cache: Project) -> None:
    result = own_cache.measure("-k", "fast")
    result.assert_outcomes(passed=1)
    assert len(artifacts(own_cache)) == 2, "the variant and its baseline"


def test_a_path_that_moves_the_root_is_refused(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """pytest takes the word after an option that it does not know yet for the path of a test."""
    cache = tmp_path_factory.mktemp("elsewhere") / "a cache"
    cache.mkdir()
    result = project.collect("--infperf-cache", str(cache))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"write --infperf-cache={cache}" in result.words
    for arguments in ([f"--infperf-cache={cache}"], ["--infperf-cache", str(cache), "suites"]):
        assert project.collect(*arguments).ret == pytest.ExitCode.OK
