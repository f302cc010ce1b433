"""The result of a method of `variant`: measures by name, and gates, none of which is skipped."""

from __future__ import annotations

import pytest

from pytest_infperf.errors import GateBroken, UserError
from pytest_infperf.gates.result import Result, is_undecided
from pytest_infperf.gates.verdicts import VariantVerdicts
from pytest_infperf.records.catalogue import Catalogue, quality_spec
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import Record, Verdict
from pytest_infperf.thresholds.gate import Gate, Limit

TIMES = Measured({"latency_mean": Measure(0.1, "s", 0.09, 0.11, 60)})


SCORES = Measured(
    {"mae": Measure(0.1, "", 0.09, 0.11, 60)}, undefined={"rho": "rho is not defined"}
)


def result(*gated: str, part: Measured = TIMES) -> Result:
    catalogue = Catalogue(tuple(quality_spec(name, "", False) for name in ("mae", "rho")))
    specs = [catalogue.get(name) for name in gated]
    gates = [
        Gate(spec, Limit("max", 2.0, "max = 2"), "thresholds.toml:4", 0.99, "fail")
        for spec in specs
        if spec
    ]
    verdicts = VariantVerdicts(Record("translation", "onnx"))
    measuring = verdicts.begin("test_latency").measured([part])
    return Result([part], gates, verdicts.record, measuring.keep)


def test_a_result_is_indexed_by_the_name_of_a_measure() -> None:
    assert result()["latency_mean"].value == 0.1
    with pytest.raises(KeyError, match="speedup"):
        result()["speedup"]


@pytest.mark.parametrize("name", ["speedup", "latency_p90"])
def test_a_gate_whose_measure_is_in_no_part_is_inconclusive(name: str) -> None:
    checked = result("latency_mean", name)
    with pytest.raises(GateBroken, match=f"{name} was not measured, so the limit max = 2"):
        checked.check()
    assert [gate.verdict for gate in checked.record.gates] == [Verdict.PASS, Verdict.INCONCLUSIVE]


@pytest.mark.parametrize("gated", [(), ("mae",)])
def test_a_metric_without_a_score_and_without_a_limit_is_an_error(gated: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="rho is not defined"):
        result(*gated, part=SCORES).check()


@pytest.mark.parametrize(
    ("limits", "expected"),
    [([2.0], False), ([0.1], True), ([0.05], False), ([0.1, 0.05], False), ([2.0, 0.1], True)],
)
def test_measures_are_undecided_only_if_no_limit_is_broken(
    limits: list[float], expected: bool
) -> None:
    """The mean is 0.1 s [0.09, 0.11]."""
    spec = Catalogue().get("latency_mean")
    assert spec
    gates = [
        Gate(spec, Limit("max", limit, f"max = {limit}"), "thresholds.toml:4", 0.99, "fail")
        for limit in limits
    ]
    assert is_undecided(gates, TIMES) is expected


def test_a_limit_on_a_metric_without_a_score_is_inconclusive() -> None:
    with pytest.raises(GateBroken, match=r"INCONCLUSIVE .* rho was not measured"):
        result("rho", "mae", part=SCORES).check()
