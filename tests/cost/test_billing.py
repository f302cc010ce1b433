"""The price of a host: added to the record of a run, and read from a record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_infperf.cost import billing, prices
from pytest_infperf.cost.merged import merge
from pytest_infperf.cost.prices import Price, PriceTable
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record, RunRecord

TABLE = PriceTable(Path("own.json"), "eu-west-1", "2026-01-01", "a list", {"my.box": 0.5})


def test_a_host_without_a_known_price_has_one_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFPERF_INSTANCE", "own.box")
    notices: list[str] = []
    facts = billing.billing(
        ask_metadata=False, price_source=None, root=Path(), notice=notices.append
    )
    assert facts["instance_type"] == "own.box"
    assert "usd_per_hour" not in facts
    (notice,) = notices
    assert "the price of own.box is not in" in notice


def test_a_recorded_price_is_read_back_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFPERF_INSTANCE", "c7i.large")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    host = billing.billing(ask_metadata=False, price_source=None, root=Path(), notice=pytest.fail)
    expected = prices.table(None, Path()).price("c7i.large", "us-east-1")
    assert billing.price_of_host(host, None) == expected


@pytest.mark.parametrize(
    ("host", "price"),
    [
        ({"instance_type": "my.box", "usd_per_hour": 2.0}, Price(2.0, "")),
        ({"instance_type": "my.box"}, Price(0.5, "eu-west-1, 2026-01-01: a list")),
        ({"instance_type": "my.box", "region": "us-east-1"}, None),
        ({"instance_type": "other.box"}, None),
        ({"instance_type": None}, None),
        ({}, None),
    ],
)
def test_the_price_of_a_recorded_host(host: dict[str, Any], price: Price | None) -> None:
    assert billing.price_of_host(host, TABLE) == price


def test_a_run_without_a_cost_gets_it_from_its_throughput_and_price() -> None:
    throughput = Measure(10.0, "samples/s", 8.0, 12.5)
    run = RunRecord(
        {"instance_type": "my.box"}, None, [Record("a", "b", {"throughput": throughput})]
    )
    (row,) = merge([run], TABLE)
    assert row.cost
    usd_per_million_seconds = 0.5 / 3600 * 1e6
    assert row.cost.value == pytest.approx(usd_per_million_seconds / 10)
    assert row.cost.low == pytest.approx(usd_per_million_seconds / 12.5)
    assert row.cost.high == pytest.approx(usd_per_million_seconds / 8)
    assert row.price_source == "eu-west-1, 2026-01-01: a list"


def test_two_runs_of_one_host_have_a_row_each() -> None:
    runs = [
        RunRecord(
            {"instance_type": "my.box"},
            {"commit": commit * 40},
            [Record("a", "b", {"throughput": Measure(rate, "samples/s")})],
            when="2026-11-01T00:00:00+00:00",
        )
        for commit, rate in (("c", 10.0), ("d", 20.0))
    ]
    rows = merge([*runs, runs[0]], TABLE)
    assert [row.host for row in rows] == [
        "my.box (cccccccccc, 2026-11-01 00:00:00)",
        "my.box (dddddddddd, 2026-11-01 00:00:00)",
    ]
    assert [row.record.measures["throughput"].value for row in rows] == [10.0, 20.0]


def test_runs_of_one_host_with_other_variants_share_its_name() -> None:
    runs = [RunRecord({"instance_type": "my.box"}, None, [Record("a", name)]) for name in "xy"]
    assert [(row.host, row.record.variant) for row in merge(runs, TABLE)] == [
        ("my.box", "x"),
        ("my.box", "y"),
    ]


def test_runs_without_commit_and_time_are_numbered() -> None:
    rows = [Record("a", "b", {"throughput": Measure(rate, "samples/s")}) for rate in (10.0, 20.0)]
    runs = [RunRecord({"instance_type": "my.box"}, None, [record]) for record in rows]
    assert [row.host for row in merge(runs, TABLE)] == ["my.box (run 1)", "my.box (run 2)"]
