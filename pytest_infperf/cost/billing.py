"""Instance type and hourly price of a host, written to the record and read from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytest_infperf.cost import prices
from pytest_infperf.cost.prices import Price, PriceTable
from pytest_infperf.host import ec2


def billing(
    *, ask_metadata: bool, price_source: str | None, root: Path, notice: Callable[[str], None]
) -> dict[str, Any]:
    """Return instance type, region, price and its source, for the host of a record.

    Type and region are None if unknown. If the price is unknown, its two keys are missing and
    `notice` is called with the reason. Raises UserError if the price table cannot be read.
    """
    instance = ec2.instance(ask=ask_metadata)
    if instance.trouble:
        notice(instance.trouble)
    facts: dict[str, Any] = {"instance_type": instance.type, "region": instance.region}
    table = prices.table(price_source, root) if price_source != "aws" else None
    if instance.type is None:
        return facts
    price = (
        table.price(instance.type, instance.region)
        if table
        else prices.ask_aws(instance.type, instance.region or "us-east-1")
    )
    if isinstance(price, str):
        notice(price)
        return facts
    return {**facts, "usd_per_hour": price.usd_per_hour, "price_source": price.source}


def price_of_host(host: Mapping[str, Any], table: PriceTable | None) -> Price | None:
    """Return the hourly price of a recorded host, or None if it is not known.

    The recorded price has precedence; `table` is used for runs without one.
    """
    if usd_per_hour := host.get("usd_per_hour"):
        return Price(float(usd_per_hour), str(host.get("price_source") or ""))
    instance_type = host.get("instance_type")
    if table is None or not instance_type:
        return None
    price = table.price(instance_type, host.get("region"))
    return price if isinstance(price, Price) else None


def spot_price_of_host(host: Mapping[str, Any], table: PriceTable | None) -> float | None:
    """Return the hourly spot price of a recorded host in US dollars, if the table has one."""
    if table is None or host.get("region") not in (None, table.region):
        return None
    return table.spot_usd_per_hour.get(str(host.get("instance_type")))
