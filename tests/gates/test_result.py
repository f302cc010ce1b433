"""The result of a method of `variant`: measures by name, and gates, none of which is skipped."""

from __future__ import annotations

import pytest

from pytest_infperf.errors import GateBroken
from pytest_infperf.gates.result import Result
from pytest_infperf.gates.verdicts import VariantVerdicts
from pytest_infperf.records.catalogue import Catalogue
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import Record, Verdict
from pytest_infperf.thresholds.gate import Gate, Limit

TIMES = Measured({"latency_mean": Measure(0.1, "s", 0.09, 0.11, 60)})


def result(*gated: str) -> Result:
    specs = [Catalogue().get(name) for name in gated]
    gates = [
        Gate(spec, Limit("max", 2.0, "max = 2"), "thresholds.toml:4", 0.99, "fail")
        for spec in specs
        if spec
    ]
    verdicts = VariantVerdicts(Record("translation", "onnx"))
    measuring = verdicts.begin("test_latency").measured([TIMES])
    return Result([TIMES], gates, verdicts.record, measuring.keep)


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
