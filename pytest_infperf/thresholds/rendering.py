"""Render suites as TOML in the layout of the documentation: one line per measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.items import InlineTable

from pytest_infperf.records.points import AT
from pytest_infperf.thresholds.sections import Gates, SuiteSection

Table = dict[str, Any]


def to_toml(suites: Mapping[str, SuiteSection]) -> str:
    """Return the tables of `suites` as TOML, which parses to equal sections."""
    return tomlkit.dumps({name: _suite_table(section) for name, section in suites.items()})


def _suite_table(section: SuiteSection) -> Table:
    table: Table = {} if section.baseline is None else {"baseline": section.baseline}
    if section.imported:
        table["imported"] = True
    table |= section.overrides.settings()
    if section.gates:
        table["gates"] = _gates_table(section.gates)
    for variant, below in section.variants.items():
        variant_table = table.setdefault("variants", {})[variant] = _gates_table(below.gates)
        for glob, gates in below.on.items():
            variant_table.setdefault("on", {})[glob] = _gates_table(gates)
    return table


def _gates_table(gates: Gates) -> Table:
    """Return an inline table for each measure, including its limits at points."""
    measures: dict[str, Table] = {}
    for name, limits in gates.items():
        measure, _, point = name.partition(AT)
        table = measures.setdefault(measure, {})
        if point:
            table.setdefault("at", {})[point] = dict(limits)
        else:
            table.update(limits.items())
    return {measure: _inline_table(table) for measure, table in measures.items()}


def _inline_table(values: Table) -> InlineTable:
    """Return `{ key = value, ... }`, with the spaces that tomlkit leaves out by default."""
    table = tomlkit.inline_table()
    table.add(tomlkit.ws(" "))
    for key, value in values.items():
        table.add(key, _inline_table(value) if isinstance(value, dict) else value)
    table.add(tomlkit.ws(" "))
    return table
