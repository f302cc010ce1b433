"""Thresholds -> text in the layout of the documentation: one line a gate."""

from __future__ import annotations

from typing import Any

import tomli_w

from pytest_infperf.records.points import AT, base_of
from pytest_infperf.thresholds.sections import SCHEMA, Gates, Limits
from pytest_infperf.thresholds.selection import Thresholds


def to_toml(thresholds: Thresholds) -> str:
    """A file that reads back as equal thresholds."""
    blocks = [[_statement("schema", SCHEMA)]]
    if defaults := thresholds.defaults.written():
        blocks.append([_header("defaults"), *_statements(defaults)])
    for name, suite in thresholds.suites.items():
        baseline = {} if suite.baseline is None else {"baseline": suite.baseline}
        blocks.append([_header(name), *_statements(baseline | suite.overrides.written())])
        for path, gates in suite.tables():
            if gates or path != ("gates",):
                lines = [_gate(measure, gates) for measure in dict.fromkeys(map(base_of, gates))]
                blocks.append([_header(name, *path), *lines])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _header(*path: str) -> str:
    table: dict[str, Any] = {}
    for key in reversed(path):
        table = {key: table}
    return tomli_w.dumps(table).strip()


def _gate(measure: str, gates: Gates) -> str:
    """All limits of a measure, those at its points behind the others."""
    bounds = [_statement(limit, bound) for limit, bound in gates.get(measure, {}).items()]
    for name, limits in gates.items():
        base, _, point = name.partition(AT)
        if base == measure and point:
            bounds.append(f"at.{_key(point)}{_inline(limits)}")
    return f"{_key(measure)}{{ {', '.join(bounds)} }}"


def _inline(limits: Limits) -> str:
    return f"{{ {', '.join(_statement(limit, bound) for limit, bound in limits.items())} }}"


def _key(name: str) -> str:
    return _statement(name, 0).removesuffix("0")


def _statements(values: dict[str, Any]) -> list[str]:
    return [_statement(key, value) for key, value in values.items()]


def _statement(key: str, value: object) -> str:
    return tomli_w.dumps({key: value}).removesuffix("\n")
