"""What an hour of an instance type costs: the shipped table, one of the user's, or AWS itself.

The shipped table is data/ec2-us-east-1.json; it names its date and where it comes from. Prices are
those of Linux on demand, in US dollars.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
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
    usd_per_hour: float
    source: str
    """Region, date and origin, for whoever doubts the number."""


@dataclass(frozen=True)
class PriceTable:
    path: Path
    region: str
    generated: str
    source: str
    usd_per_hour: dict[str, float]

    def price(self, instance_type: str, region: str | None) -> Price | str:
        """The price, or why there is none and what to do about it."""
        if region and region != self.region:
            return (
                f"the price of {instance_type} in {region} is not known: {self.path.name} is of "
                f"{self.region}. Ask AWS with --infperf-prices aws, or name a table of yours"
            )
        found = self.usd_per_hour.get(instance_type)
        if found is None:
            near = get_close_matches(instance_type, self.usd_per_hour, 1)
            hint = f" (it has {near[0]})" if near else ""
            return (
                f"the price of {instance_type} is not in {self.path.name}{hint}. Ask AWS with "
                "--infperf-prices aws, or name a table of yours with --infperf-prices PATH"
            )
        return Price(found, f"{self.region}, {self.generated}: {self.source}")


def table(named: str | None, root: Path) -> PriceTable:
    """The user's table or the shipped one. Raises UserError for a file that is no price table."""
    path = root / named if named else SHIPPED
    try:
        return _parsed(path, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"--infperf-prices: cannot read {path} ({error.strerror or error}); name a JSON file "
            f"such as {_FORMAT}, or aws"
        ) from error
    except ValueError as error:
        told = " ".join(str(error).split())
        raise UserError(
            f"--infperf-prices: {path} is no price table ({told}); it should look like {_FORMAT}"
        ) from error


def _parsed(path: Path, text: str) -> PriceTable:
    from pydantic import BaseModel, Field

    class Entry(BaseModel):
        usd_per_hour: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    class File(BaseModel):
        region: str
        generated: str = "no date"
        source: str = "no source"
        instances: dict[str, Entry]

    file = File.model_validate_json(text)
    prices = {name: entry.usd_per_hour for name, entry in file.instances.items()}
    return PriceTable(path, file.region, file.generated, file.source, prices)


def ask_aws(instance_type: str, region: str) -> Price | str:
    """The on-demand price by the AWS Price List Query API (pricing:GetProducts).

    Raises UserError where boto3 is missing; what AWS refuses is told, for the run can go on.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise UserError(
            "--infperf-prices aws needs boto3: pip install 'pytest-infperf[aws]'"
        ) from error
    wanted = {
        "instanceType": instance_type,
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    filters = [{"Type": "TERM_MATCH", "Field": k, "Value": v} for k, v in wanted.items()]
    try:
        # The price list has its endpoints in few regions; us-east-1 knows all of them.
        client = boto3.client("pricing", region_name="us-east-1")
        answer = client.get_products(ServiceCode="AmazonEC2", Filters=filters, MaxResults=10)
    except (BotoCoreError, ClientError) as error:
        return (
            f"AWS did not tell the price of {instance_type}: {error}. The role needs "
            "pricing:GetProducts; or leave --infperf-prices away for the shipped table"
        )
    for product in answer["PriceList"]:
        if found := _on_demand(json.loads(product)):
            return Price(*found)
    return f"AWS has no on-demand price of {instance_type} in {region}"


def _on_demand(product: dict[str, Any]) -> tuple[float, str] | None:
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            price = float(dimension["pricePerUnit"].get("USD", 0))
            if dimension["unit"] == "Hrs" and price > 0:
                return price, f"AWS price list, effective {term['effectiveDate'][:10]}"
    return None
