"""The examples without transformers: tables, a graph from elsewhere, and functions.

Limits on time are not judged here, as a busy host breaks them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.examples.running import run_example
from tests.plugin.small_project import Outcome


def measured(name: str, tmp_path: Path, tests: set[str], variants: set[str]) -> Outcome:
    """Run an example and check the outcome of each test of each variant."""
    outcome = run_example(name, tmp_path)
    outcomes = outcome.outcomes()
    assert outcomes.keys() == {f"test_{test}[{id}]" for test in tests for id in variants}
    not_passed = [test for test, result in outcomes.items() if result != "passed"]
    assert all(test.startswith("test_latency") for test in not_passed), outcome.text
    for record in outcome.document["records"]:
        assert record["measures"]["latency_p50"]["value"] > 0
    return outcome


def accuracy(outcome: Outcome, suite: str, variant: str) -> float:
    return float(outcome.record(variant, suite)["measures"]["accuracy"]["value"])


ALL = {"quality", "latency", "footprint"}


@pytest.mark.parametrize("name", ["tabular", "function", "onnx_file"])
def test_a_suite_has_at_most_25_lines(name: str) -> None:
    text = Path(__file__).parents[2].joinpath("examples", name, "suite.py").read_text("utf-8")
    written = [line for line in text.splitlines() if line.strip()]
    assert len(written) <= 25


@pytest.mark.skipif(
    not all(map(find_spec, ("skops", "torch", "onnxruntime", "onnx"))), reason="needs the libraries"
)
def test_tabular(tmp_path: Path) -> None:
    variants = {"sklearn", "torch", "onnx"}
    outcome = measured("tabular", tmp_path, ALL, variants)
    for variant in variants:
        assert 95 <= accuracy(outcome, "wine", variant) <= 100
    assert accuracy(outcome, "wine", "torch") == accuracy(outcome, "wine", "onnx")
    size = outcome.record("sklearn", "wine")["measures"]["size"]["value"]
    assert size == (outcome.folder / "pipeline.skops").stat().st_size


@pytest.mark.skipif(
    not all(map(find_spec, ("magika", "openvino", "onnxruntime"))), reason="needs the libraries"
)
def test_onnx_file(tmp_path: Path) -> None:
    variants = {"onnx-file", "openvino-file"}
    outcome = measured("onnx_file", tmp_path, ALL, variants)
    for variant in variants:
        assert accuracy(outcome, "filetypes", variant) > 90


def test_function(tmp_path: Path) -> None:
    outcome = measured("function", tmp_path, ALL - {"footprint"}, {"difflib", "trigrams"})
    assert accuracy(outcome, "search", "difflib") == pytest.approx(98)
    assert accuracy(outcome, "search", "trigrams") == pytest.approx(100 * 149 / 150)
