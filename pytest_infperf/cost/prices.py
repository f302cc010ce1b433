"""Hourly prices of instance types: from the shipped table, the user's own table, or AWS.

The shipped table is data/ec2-us-east-1.json, which contains its date and source. Prices are
on-demand prices of Linux, in US dollars. Fargate sizes are types such as `fargate-2vcpu-4gib`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pytest_infperf.errors import UserError

SHIPPED = Path(__file__).with_name("data") / "ec2-us-east-1.json"
_FORMAT = (
    '{"region": "us-east-1", "generated": "2026-01-19", "source": "...", '
    '"instances": {"c7i.large": {"usd_per_hour": 0.08925}}}'
)


@dataclass(frozen=True)
class Price:
    """Price of an instance."""

    usd_per_hour: float
    """Price of an hour, in US dollars."""
    source: str
    """Region, date and origin of the price."""


@dataclass(frozen=True)
class PriceTable:
    """Prices of the instance types of one region."""

    path: Path
    region: str
    generated: str
    """Date of the prices."""
    source: str
    """Origin of the prices."""
    usd_per_hour: dict[str, float]
    """Price of an hour by instance type, in US dollars."""
    spot_usd_per_hour: Mapping[str, float] = field(default_factory=dict)
    """Price of an hour of a spot instance by instance type, in US dollars, where it is known."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Date and origin, by instance type, of prices from another source than the table's."""

    def price(self, instance_type: str, region: str | None) -> Price | str:
        """Return the price, or a message with the reason and a remedy if the table has none.

        An unknown region counts as the region of the table.
        """
        if region and region != self.region:
            return (
                f"the price of {instance_type} in {region} is not known: {self.path.name} is for "
                f"{self.region}. Ask AWS with --infperf-prices aws, or name your own table with "
                "--infperf-prices PATH"
            )
        usd_per_hour = self.usd_per_hour.get(instance_type)
        if usd_per_hour is None:
            near = get_close_matches(instance_type, self.usd_per_hour, 1)
            hint = f" (it has {near[0]})" if near else ""
            return (
                f"the price of {instance_type} is not in {self.path.name}{hint}. Ask AWS with "
                "--infperf-prices aws, or name your own table with --infperf-prices PATH"
            )
        origin = self.origins.get(instance_type) or f"{self.generated}: {self.source}"
        return Price(usd_per_hour, f"{self.region}, {origin}")


def table(name: str | None, root: Path) -> PriceTable:
    """Read the table at a path relative to `root`, or the shipped one if `name` is empty.

    Raises UserError if the file cannot be read or is not a price table.
    """
    path = root / name if name else SHIPPED
    try:
        return _parse(path, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"--infperf-prices: cannot read {path} ({error.strerror or error}); name a JSON file "
            f"like {_FORMAT}, or aws"
        ) from error
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"--infperf-prices: {path} is not a price table ({reason}); it should look like "
            f"{_FORMAT}"
        ) from error


def _parse(path: Path, text: str) -> PriceTable:
    from pydantic import BaseModel, Field

    Usd = Annotated[float, Field(gt=0, allow_inf_nan=False)]

    class Entry(BaseModel):
        usd_per_hour: Usd
        spot_usd_per_hour: Usd | None = None
        generated: str = "no date"
        source: str | None = None

    class File(BaseModel):
        region: str
        generated: str = "no date"
        source: str = "no source"
        instances: dict[str, Entry]

    file = File.model_validate_json(text)
    entries = file.instances
    return PriceTable(
        path,
        file.region,
        file.generated,
        file.source,
        {name: e.usd_per_hour for name, e in entries.items()},
        {name: e.spot_usd_per_hour for name, e in entries.items() if e.spot_usd_per_hour},
        {name: f"{e.generated}: {e.source}" for name, e in entries.items() if e.source},
    )


def ask_aws(instance_type: str, region: str) -> Price | str:
    """Return the on-demand price from the AWS Price List Query API (pricing:GetProducts).

    If AWS refuses or has no price, return a message with the reason, because a run can continue
    without a price. Raises UserError if boto3 is missing.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise UserError(
            "--infperf-prices aws needs boto3: pip install 'pytest-infperf[aws]'"
        ) from error
    product = {
        "instanceType": instance_type,
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    filters = [{"Type": "TERM_MATCH", "Field": k, "Value": v} for k, v in product.items()]
    try:
        # Few regions have an endpoint of the price list; us-east-1 has the prices of all regions.
        client = boto3.client("pricing", region_name="us-east-1")
        answer = client.get_products(ServiceCode="AmazonEC2", Filters=filters, MaxResults=10)
    except (BotoCoreError, ClientError) as error:
        return (
            f"AWS refused the price of {instance_type}: {error}. The role needs "
            "pricing:GetProducts; without --infperf-prices the shipped table is used"
        )
    for entry in answer["PriceList"]:
        if price := _on_demand(json.loads(entry)):
            return price
    return f"AWS has no on-demand price of {instance_type} in {region}"


def _on_demand(product: dict[str, Any]) -> Price | None:
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", 0))
            if dimension["unit"] == "Hrs" and usd > 0:
                return Price(usd, f"AWS price list, effective {term['effectiveDate'][:10]}")
    return None
