"""The facts of a host as text."""

from __future__ import annotations

import pytest

from pytest_infperf.report.html.host_facts import host_facts


@pytest.mark.parametrize(
    ("fact", "shown"),
    [
        ({"memory_bytes": 25276502016}, ("memory", "25.3 GB")),
        ({"steal_fraction": 0.0021}, ("steal", "0.2 %")),
        ({"steal_fraction": 0.0}, ("steal", "0.0 %")),
        ({"frequency_max_hz": 3.5e9}, ("highest frequency", "3.5 GHz")),
        ({"turbo": False}, ("turbo", "off")),
        ({"affinity": [0, 1]}, ("cores of the run", "0, 1")),
        ({"cgroup_cpu_cores": 1.5}, ("CPU limit", "1.5 cores")),
        ({"usd_per_hour": 0.0892}, ("price", "0.0892 USD an hour")),
        ({"libraries": {"numpy": "2.4", "torch": "2.13"}}, ("libraries", "numpy 2.4, torch 2.13")),
        ({"fact_of_later": 7}, ("fact of later", "7")),
    ],
)
def test_values_are_readable(fact: dict[str, object], shown: tuple[str, str]) -> None:
    assert host_facts(fact) == [shown]


def test_unknown_facts_are_left_out_and_hardware_comes_first() -> None:
    host = {"kernel": "6.1", "governor": None, "environment": {}, "cpu_model": "AMD EPYC"}
    assert host_facts(host) == [("CPU", "AMD EPYC"), ("kernel", "6.1")]
