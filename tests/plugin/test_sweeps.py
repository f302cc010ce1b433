"""Sweeps and protocols in a run: measures, tables, gates and errors."""

from __future__ import annotations

import pytest

from tests.plugin.small_project import Project

SUITE = """
    from pytest_infperf import Echo, Fake, Suite, Sweep

    suite = Suite(
        "echo",
        task=Echo(count=40),
        model="../../model",
        baseline="slow",
        variants=[Fake(id="slow", query_ms=0.4), Fake(id="fast", query_ms=0.1)],
        sweeps=[
            Sweep("batch", (1, 2, 4, 8)),
            Sweep("length", (10, 100), variants="fa*"),
            Sweep("threads", (1, 2)),
        ],
    )
"""


@pytest.fixture
def swept(project: Project) -> Project:
    project.suite(SUITE)
    project.tests('def test_batch(variant): variant.sweep("batch").check()\n')
    return project


def test_each_value_has_latencies_and_the_sweep_has_a_growth(swept: Project) -> None:
    outcome = swept.measure_here()
    outcome.assert_outcomes(passed=2)
    measures = outcome.record("slow")["measures"]
    for batch in (1, 2, 4, 8):
        # More if the host was busy.
        assert measures[f"latency_p50@batch={batch}"]["value"] >= 0.95 * 0.4e-3 * batch
        throughput = measures[f"throughput@batch={batch}"]["value"]
        assert throughput == pytest.approx(batch / measures[f"latency_mean@batch={batch}"]["value"])
        assert throughput <= 2500  # less if the host was busy
    growth = measures["growth@batch"]
    assert growth["low"] <= growth["value"] <= growth["high"]
    assert growth["value"] == pytest.approx(1, abs=0.2)
    assert growth["n"] >= 12


def test_the_terminal_has_a_column_for_each_value(swept: Project) -> None:
    text = swept.measure_here().text
    table = text[text.index("p50 by batch") :].splitlines()
    assert table[1].split() == ["variant", "1", "2", "4", "8", "growth"]
    assert table[3].startswith("slow *")
    assert table[4].startswith("fast")


def test_limits_at_a_point_and_on_growth_fail_the_sweeps_test(swept: Project) -> None:
    swept.thresholds(
        """
        [echo.gates]
        latency_p50.at."batch=8" = { max = "2 ms" }
        latency_p90 = { at."batch=1" = { max = "1 s" } }
        growth.at.batch = { max = 0.5 }
        """
    )
    swept.tests('def test_batch(variant): variant.sweep("batch").check()\n')
    outcome = swept.measure_here(budget_s=2)
    outcome.assert_outcomes(failed=2)
    slow, fast = outcome.message("test_batch[slow]"), outcome.message("test_batch[fast]")
    assert "FAIL echo[slow] latency_p50@batch=8: " in slow
    assert "limit: max = 0.5 (thresholds.toml:5)" in fast
    assert "latency_p50" not in fast
    verdicts = {g["measure"]: g["verdict"] for g in outcome.record("slow")["gates"]}
    assert verdicts == {
        "latency_p50@batch=8": "fail",
        "latency_p90@batch=1": "pass",
        "growth@batch": "fail",
    }


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ('latency_p99.at."batch=9" = { max = "1 s" }', ["unknown point", '"batch=8"']),
        ('latency_p9x.at."batch=8" = { max = "1 s" }', ["unknown measure", '"latency_p99"']),
        ('size.at."batch=8" = { max = "1 MB" }', ["size is not measured at batch=8"]),
        ("growth = { max = 1 }", ["needs the name of a sweep", "growth.at.batch"]),
        ("latency_p99.at = 3", ["must be a table of points, not 3"]),
        ('latency_p50.at."jmeter-60x12" = { max = "1 s" }', ["none calls variant.protocol()"]),
        ('latency_p50.at."length=10" = { max = "1 s" }', ['none calls variant.sweep("length")']),
    ],
)
def test_an_invalid_point_is_a_usage_error(swept: Project, gate: str, words: list[str]) -> None:
    swept.thresholds(f"[echo.gates]\n{gate}\n")
    outcome = swept.collect()
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    assert "thresholds.toml:3" in outcome.words
    for word in words:
        assert word in outcome.words


def test_a_limit_on_a_sweep_that_is_for_other_variants_is_a_usage_error(swept: Project) -> None:
    swept.tests('def test_length(variant): variant.sweep("length").check()\n')
    swept.thresholds('[echo.variants.slow]\nlatency_p50.at."length=10" = { max = "1 s" }\n')
    outcome = swept.collect()
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    words = (
        'thresholds.toml:3: [echo.variants.slow] latency_p50.at."length=10": the sweep of length'
    )
    assert f"{words} is not measured for this variant, only for fa*" in outcome.words


def test_a_sweep_for_no_variant_is_a_usage_error(swept: Project) -> None:
    swept.suite(SUITE.replace('"fa*"', '"onnx-*"'))
    outcome = swept.collect()
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    assert (
        "suites/echo/suite.py: Sweep('length', variants='onnx-*') matches none of slow, fast"
        in (outcome.words)
    )


def test_a_sweep_of_lengths_is_measured_for_the_variants_that_it_names(swept: Project) -> None:
    swept.tests('def test_length(variant): variant.sweep("length").check()\n')
    outcome = swept.measure_here("-rs")
    outcome.assert_outcomes(passed=1, skipped=1)
    assert "the sweep of length is for the variants fa*" in outcome.words
    assert "latency_p50@length=100" in outcome.record("fast")["measures"]
    assert outcome.record("slow")["measures"] == {}
    assert outcome.record("fast")["measures"]["growth@length"]["value"] == pytest.approx(0, abs=0.3)


def test_a_sweep_of_threads_starts_a_worker_for_each_number(swept: Project) -> None:
    swept.tests('def test_threads(variant): variant.sweep("threads").check()\n')
    outcome = swept.measure_here("--infperf-variants=fast")
    outcome.assert_outcomes(passed=1)
    assert {"latency_p50@threads=1", "latency_p50@threads=2"} <= {
        *outcome.record("fast")["measures"]
    }
    assert swept.workers() == []


def test_an_unknown_sweep_is_an_error_that_names_the_sweeps(swept: Project) -> None:
    swept.tests('def test_x(variant): variant.sweep("lengths").check()\n')
    outcome = swept.measure_here("--infperf-variants=fast")
    outcome.assert_outcomes(failed=1)
    message = outcome.message("test_x[fast]")
    assert "has no sweep of 'lengths', only batch, length, threads" in message


def test_a_protocol_has_the_columns_of_its_study(swept: Project) -> None:
    swept.tests('def test_study(variant): variant.protocol("jmeter-60x12").check()\n')
    outcome = swept.measure_here()
    outcome.assert_outcomes(passed=2)
    mean = outcome.record("slow")["measures"]["latency_mean@jmeter-60x12"]
    assert mean["n"] == 720
    assert 0.4e-3 <= mean["value"] < 2e-3  # more if the host was busy
    text = outcome.text
    assert "a JMeter thread group of 60 requests, 12 times" in outcome.words
    table = text[text.index("protocol jmeter-60x12") :].splitlines()
    assert table[1].split() == [
        "variant", "requests", "average", "p90", "p99", "min", "max", "samples/s",
    ]  # fmt: skip


def test_an_unknown_protocol_is_an_error_that_names_the_protocols(swept: Project) -> None:
    swept.tests('def test_study(variant): variant.protocol("jmeter").check()\n')
    outcome = swept.measure_here("--infperf-variants=fast")
    assert "no protocol 'jmeter'; there are jmeter-60x12" in outcome.message("test_study[fast]")


@pytest.mark.parametrize("values", ["(4, 2)", "(1,)", "(0, 1)"])
def test_invalid_values_of_a_sweep_are_refused(swept: Project, values: str) -> None:
    swept.suite(SUITE.replace("(1, 2, 4, 8)", values))
    outcome = swept.collect()
    assert outcome.ret == pytest.ExitCode.INTERRUPTED
    assert "ascending order" in outcome.words


def test_a_variant_is_skipped_without_its_hardware(project: Project) -> None:
    project.suite(
        """
        from pytest_infperf import Echo, Fake, Suite

        class OnQuantum(Fake):
            def missing_hardware(self):
                return "this host has no qubits"

            def build(self, material, folder):
                raise RuntimeError("was built")

        suite = Suite(
            "echo", task=Echo(), model="../../model", variants=[Fake(), OnQuantum(id="quantum")]
        )
        """
    )
    project.only_tests_of("latency")
    outcome = project.measure("-rs")
    outcome.assert_outcomes(passed=1, skipped=1)
    assert "this host has no qubits" in outcome.text
    assert outcome.record("quantum")["evidence"]["skipped"] == "this host has no qubits"
    assert "skipped" in next(line for line in outcome.result.outlines if line[:7] == "quantum")
