"""What the measured host is called and what an hour of it costs: facts for the record's host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_infperf.cost import prices
from pytest_infperf.host import ec2


def billing(
    *, ask_metadata: bool, price_source: str | None, root: Path, notice: Callable[[str], None]
) -> dict[str, Any]:
    """Instance type, region, and the price with its source; null for what is not known.

    Raises UserError when the price table that was named cannot be read.
    """
    found = ec2.instance(ask=ask_metadata)
    if found.trouble:
        notice(found.trouble)
    facts: dict[str, Any] = {"instance_type": found.type, "region": found.region}
    table = prices.table(price_source, root) if price_source != "aws" else None
    if found.type is None:
        return facts
    price = (
        table.price(found.type, found.region)
        if table
        else prices.ask_aws(found.type, found.region or "us-east-1")
    )
    if isinstance(price, str):
        notice(price)
        return facts
    return {**facts, "usd_per_hour": price.usd_per_hour, "price_source": price.source}
