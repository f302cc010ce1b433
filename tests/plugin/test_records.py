"""The file of --infperf-json: valid, complete, and reproducible for a seed."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import pytest_infperf
from tests.plugin.small_project import VARIANTS, Outcome, Project

SCHEMA = Path(pytest_infperf.__file__).parent / "records/record.schema.json"
QUERIES_FOR_BOUNDS = {"latency_p90": 51, "latency_p95": 104}
"""The queries from which both bounds exist at a confidence of 99 %; a busy host may allow fewer."""


def test_the_file_is_valid_for_the_shipped_schema(measured: Outcome) -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(measured.document, schema)
    assert measured.document["schema"] == 1


def test_each_variant_has_one_record_in_the_order_of_measuring(measured: Outcome) -> None:
    records = measured.document["records"]
    assert [(r["suite"], r["variant"]) for r in records] == [("echo", v) for v in VARIANTS]
    assert not any(record["errors"] for record in records)


@pytest.mark.parametrize(
    ("name", "unit", "with_interval"),
    [
        ("latency_p50", "s", True),
        ("latency_p90", "s", True),
        ("latency_p95", "s", True),
        ("latency_p99", "s", False),
        ("latency_mean", "s", False),
        ("latency_min", "s", False),
        ("latency_max", "s", False),
        ("latency_first", "s", False),
        ("load_time", "s", False),
        ("model_time_p50", "s", False),
        ("cpu_time", "s", False),
        ("speedup", "ratio", True),
        ("throughput", "samples/s", False),
        ("accuracy", "points", True),
        ("agreement", "fraction", False),
        ("size", "bytes", False),
        ("peak_memory", "bytes", False),
        ("loaded_memory", "bytes", False),
    ],
)
def test_a_measure_has_value_unit_interval_and_count(
    measured: Outcome, name: str, unit: str, with_interval: bool
) -> None:
    measure = measured.measure("wrong", name)
    assert set(measure) == {"value", "unit", "low", "high", "n"}
    assert measure["value"] > 0
    assert measure["unit"] == unit
    assert measure["n"] >= 1
    if with_interval and measure["n"] >= QUERIES_FOR_BOUNDS.get(name, 1):
        assert measure["low"] <= measure["value"] <= measure["high"]


def test_values_are_plausible(measured: Outcome) -> None:
    """Fakes take 1 ms and 0.2 ms per sample; one variant spoils a quarter of the 40 samples."""
    assert 1e-3 <= measured.measure("slow", "latency_min")["value"] < 2e-3
    assert 2e-4 <= measured.measure("fast", "latency_min")["value"] < 1e-3
    assert measured.measure("fast", "speedup")["value"] > 2
    assert (
        measured.measure("fast", "throughput")["value"]
        > 1.5 * (measured.measure("slow", "throughput")["value"])
    )
    assert measured.measure("wrong", "accuracy")["value"] == 75
    assert measured.measure("wrong", "agreement")["value"] == 0.75
    assert measured.measure("fast", "size")["value"] == 1000
    assert measured.measure("slow", "load_time")["value"] < 10


def test_the_baseline_is_not_compared_with_itself(measured: Outcome) -> None:
    record = measured.record("slow")
    assert not {"speedup", "agreement"} & set(record["measures"])
    assert [gate["measure"] for gate in record["gates"]] == ["accuracy"]


def test_a_gate_has_verdict_reason_limit_and_source(measured: Outcome) -> None:
    gates = {gate["measure"]: gate for gate in measured.record("wrong")["gates"]}
    assert gates["speedup"]["verdict"] == "pass"
    assert gates["accuracy"] == {
        "measure": "accuracy",
        "limit": "min = 90",
        "verdict": "fail",
        "why": "accuracy 75.00 is below the limit of 90.00 (40 samples)",
        "remedy": gates["accuracy"]["remedy"],
        "source": "thresholds.toml:3",
        "tries": 1,
        "more_s": None,
    }
    assert "thresholds.toml:3" in gates["accuracy"]["remedy"]


def test_settings_of_the_run_are_recorded(measured: Outcome) -> None:
    settings = measured.record("wrong")["settings"]
    assert settings["baseline_id"] == "slow"
    assert settings["baseline"] is False
    assert settings["threads"] == 1
    assert settings["samples"] == 40
    assert settings["confidence"] == 0.99
    assert settings["seed"] == 0
    assert settings["recipe"]["wrong"] == 0.5
    assert settings["recipe"]["backend"] == "pytest_infperf.backends.fake:Fake"


def test_evidence_of_the_run_is_recorded(measured: Outcome) -> None:
    evidence = measured.record("wrong")["evidence"]
    assert evidence["signatures"] == {"accuracy": "exact match"}
    assert evidence["differences"]["accuracy"]["value"] == -25
    assert set(evidence["contaminated_pairs"]) == {"measured", "again", "disturbed"}
    assert evidence["contaminated_pairs"]["measured"] >= 12
    assert evidence["processes_compared"] >= 1
    assert evidence["prior"].keys() == {"deviation", "processes", "comparisons"}
    assert 0.01 <= evidence["prior"]["deviation"] <= 0.03


def test_the_host_is_described(measured: Outcome) -> None:
    host = measured.document["host"]
    assert host["logical_cores"] >= 1
    assert host["memory_bytes"] > 0
    assert {"cpu_model", "instruction_sets", "affinity", "kernel", "governor"} <= set(host)
    assert {"pytest", "numpy", "pytest-benchmark"} <= set(host["libraries"])


def test_a_folder_outside_a_repository_has_no_revision(measured: Outcome) -> None:
    assert measured.document["revision"] is None


def test_the_revision_of_the_users_repository_is_recorded(project: Project) -> None:
    assert project.pytester
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "-b", "trunk"], ["add", "-A"], ["commit", "-qm", "first"]):
        assert project.pytester.run("git", *identity, *command).ret == 0
    project.only_tests_of("footprint")
    revision = project.measure_here("--infperf-variants=fast").document["revision"]
    assert (revision["branch"], revision["dirty"]) == ("trunk", True)
    assert len(revision["commit"]) == 40


def test_the_commit_of_a_model_from_the_hub_is_recorded(project: Project) -> None:
    """A branch can move, and only the commit shows it."""
    suite, commit = project.folder / "suites/echo/suite.py", "a" * 40
    suite.write_text(suite.read_text().replace("../../model", "owner/name@main"))
    project.only_tests_of("footprint")
    project.environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(project.folder / "hub")}
    project.write(f"hub/models--owner--name/snapshots/{commit}/config.json", "{}")
    project.write("hub/models--owner--name/refs/main", commit)
    settings = project.measure("-k", "fast", "--benchmark-disable").record("fast")["settings"]
    assert (settings["model"], settings["model_commit"]) == ("owner/name@main", commit)


def test_the_search_for_the_best_number_of_threads_is_evidence(project: Project) -> None:
    project.only_tests_of("footprint")
    result = project.measure_here("--infperf-threads=best", "--infperf-variants=fast")
    record = result.record("fast")
    search_s = record["evidence"]["thread_search_s"]
    cores = len(result.document["host"]["affinity"])
    assert {"1", str(cores)} == set(search_s) & {"1", str(cores)}
    assert str(record["settings"]["threads"]) in search_s
    assert all(0 < seconds < 1 for seconds in search_s.values())


def test_the_seed_decides_which_samples_are_scored(project: Project) -> None:
    project.suite(
        """
        from pytest_infperf import Echo, Fake, Suite

        task = Echo(count=400, sample_size=50)
        suite = Suite("echo", task=task, model="../../model", variants=[Fake(wrong=0.75)])
        """
    )
    project.tests("def test_quality(variant): variant.quality()")
    scores = []
    for seed in (1, 1, 2):
        result = project.measure_here(f"--infperf-seed={seed}")
        assert result.record("fake")["settings"]["seed"] == seed
        scores.append(result.measure("fake", "accuracy"))
    assert scores[0]["n"] == 50
    assert scores[0] == scores[1] != scores[2]


def test_a_file_that_cannot_be_written_is_a_usage_error(project: Project) -> None:
    result = project.collect("--infperf-json=pytest.ini/infperf.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "pytest.ini/infperf.json: the record was not written" in result.words
    assert "a part of the path is a file: choose another folder" in result.words


def test_a_file_that_becomes_unwritable_fails_the_run_after_its_table(
    project: Project,
) -> None:
    project.tests(
        """
        from pathlib import Path

        def test_footprint(variant):
            variant.footprint().check()
            Path("record").rename("elsewhere")
            Path("record").write_text("a file in the folder's place")
        """
    )
    result = project.measure_here("--infperf-json=record/infperf.json", "--infperf-variants=fast")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "record/infperf.json: the record was not written" in result.words
    assert "echo · 1 variant" in result.text
    assert "INTERNALERROR" not in result.text


def test_a_file_of_an_earlier_run_is_replaced(project: Project) -> None:
    project.write("infperf.json", "from yesterday")
    project.only_tests_of("footprint")
    assert len(project.measure_here("--infperf-variants=fast").document["records"]) == 1
    assert not list(project.folder.glob(".infperf.json*"))
