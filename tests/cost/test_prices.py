"""Prices of instance types: from the shipped table, a table of the user, and AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import moto
import pytest
from botocore.stub import Stubber

from pytest_infperf.cost import prices
from pytest_infperf.cost.billing import spot_price_of_host
from pytest_infperf.cost.prices import Price
from pytest_infperf.errors import UserError


def price(instance: str, region: str | None = None) -> Price | str:
    return prices.table(None, Path()).price(instance, region)


def test_the_shipped_table_names_its_date_and_source() -> None:
    found = price("c7i.large", "us-east-1")
    assert isinstance(found, Price)
    shipped = json.loads(prices.SHIPPED.read_text())
    assert found.usd_per_hour == shipped["instances"]["c7i.large"]["usd_per_hour"]
    assert shipped["generated"] in found.source
    assert "AWS Price List" in found.source


def test_a_price_in_another_region_is_not_known() -> None:
    found = price("c7i.large", "eu-west-1")
    assert isinstance(found, str)
    assert "is for us-east-1" in found
    assert "--infperf-prices aws" in found


def test_a_message_about_an_unknown_type_names_the_nearest() -> None:
    found = price("c7i.larg")
    assert isinstance(found, str)
    assert "it has c7i.large" in found


def test_a_table_of_the_user(tmp_path: Path) -> None:
    table = {"region": "eu-west-1", "instances": {"my.box": {"usd_per_hour": 0.5}}}
    (tmp_path / "prices.json").write_text(json.dumps(table))
    found = prices.table("prices.json", tmp_path).price("my.box", "eu-west-1")
    assert isinstance(found, Price)
    assert found.usd_per_hour == 0.5


def test_a_size_of_fargate_has_a_price_with_its_own_date_and_source() -> None:
    found = price("fargate-2vcpu-4gib", "us-east-1")
    assert isinstance(found, Price)
    assert found.usd_per_hour == pytest.approx(2 * 0.04048 + 4 * 0.004445)
    assert "us-east-1, 2026-06-17: 0.04048 USD per vCPU-hour" in found.source


def test_inferentia_has_prices() -> None:
    assert all(isinstance(price(name), Price) for name in ("inf1.xlarge", "inf2.xlarge"))


def test_a_table_can_have_spot_prices(tmp_path: Path) -> None:
    instances = {"a": {"usd_per_hour": 0.5, "spot_usd_per_hour": 0.2}, "b": {"usd_per_hour": 0.5}}
    (tmp_path / "prices.json").write_text(json.dumps({"region": "r", "instances": instances}))
    table = prices.table("prices.json", tmp_path)
    assert table.spot_usd_per_hour == {"a": 0.2}
    assert spot_price_of_host({"instance_type": "a"}, table) == 0.2
    assert spot_price_of_host({"instance_type": "b"}, table) is None
    assert spot_price_of_host({"instance_type": "a", "region": "elsewhere"}, table) is None
    assert spot_price_of_host({"instance_type": "a"}, None) is None


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        '{"region": "x", "instances": {"a": {"usd_per_hour": 1, "spot_usd_per_hour": -1}}}',
        '{"region": "x"}',
        '{"region": "x", "instances": {"a": {"usd_per_hour": 0}}}',
        '{"region": "x", "instances": {"a": {"usd_per_hour": "free"}}}',
    ],
)
def test_a_file_that_is_not_a_price_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices.json").write_text(text)
    with pytest.raises(UserError, match="is not a price table") as raised:
        prices.table("prices.json", tmp_path)
    assert "usd_per_hour" in str(raised.value)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        prices.table("none.json", tmp_path)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.mark.usefixtures("aws")
@pytest.mark.filterwarnings("ignore")
def test_a_refusal_of_aws_is_a_message() -> None:
    """moto has no price list. It returns an error, like AWS without the permission."""
    with moto.mock_aws():
        found = prices.ask_aws("c5.large", "us-east-1")
    assert isinstance(found, str)
    assert "AWS refused the price of c5.large" in found
    assert "pricing:GetProducts" in found


@pytest.mark.usefixtures("aws")
@pytest.mark.filterwarnings("ignore")
def test_the_price_is_read_from_the_list_as_aws_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    product = {
        "terms": {
            "OnDemand": {
                "X.Y": {
                    "effectiveDate": "2026-10-01T00:00:00Z",
                    "priceDimensions": {
                        "X.Y.Z": {"unit": "Hrs", "pricePerUnit": {"USD": "0.0892500000"}}
                    },
                }
            }
        }
    }
    client = boto3.client("pricing", region_name="us-east-1")
    filters = {
        "instanceType": "c7i.large", "regionCode": "eu-west-1", "operatingSystem": "Linux",
        "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used",
    }  # fmt: skip
    request = {
        "ServiceCode": "AmazonEC2",
        "MaxResults": 10,
        "Filters": [{"Type": "TERM_MATCH", "Field": k, "Value": v} for k, v in filters.items()],
    }
    answers: list[Any] = [[json.dumps(product)], []]
    with Stubber(client) as stubber:
        for answer in answers:
            stubber.add_response("get_products", {"PriceList": answer}, request)
        monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
        found = prices.ask_aws("c7i.large", "eu-west-1")
        assert found == Price(0.08925, "AWS price list, effective 2026-10-01")
        assert "has no on-demand price" in str(prices.ask_aws("c7i.large", "eu-west-1"))
