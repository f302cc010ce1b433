"""Convert tables from tomllib to sections, and check their keys, types and ranges."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Collection, Mapping
from typing import Any, cast, get_args

from pytest_infperf.records.catalogue import LimitRule
from pytest_infperf.records.points import AT, at
from pytest_infperf.thresholds.crossed_limits import report_crossed_limits
from pytest_infperf.thresholds.location import Location
from pytest_infperf.thresholds.problems import ProblemCollector
from pytest_infperf.thresholds.sections import (
    LIMIT_RULES,
    POLICY_KEYS,
    Bound,
    Gates,
    Inconclusive,
    Limits,
    PolicyOverrides,
    SuiteSection,
    VariantSection,
)
from pytest_infperf.thresholds.wording import describe_value, suggest, toml_key, toml_string

Table = Mapping[str, Any]

_SUITE_KEYS = ("baseline", *POLICY_KEYS, "gates", "variants", "imported")
_NUMBERS = {
    "confidence": (0.5, 1.0, "a number greater than 0.5 and less than 1", "0.99"),
    "budget_s": (0.0, math.inf, "a number greater than 0", "20"),
}
"""By key, the bounds between which a number must lie, their description, and an example."""
_CHARACTER_SET = re.compile(r"\[!?+\]?+[^\]]*\]")
"""A set of characters in fnmatch's syntax: a ] directly after its beginning belongs to it."""


class SectionParser:
    """Parses tables; invalid entries are left out and added to the problems."""

    def __init__(self, problems: ProblemCollector) -> None:
        self._problems = problems

    def defaults(self, value: object, location: Location) -> PolicyOverrides:
        table = self._table(value, location)
        self._reject_unknown(table, POLICY_KEYS, location)
        return self._overrides(table, location)

    def suite(self, table: Table, location: Location) -> SuiteSection:
        self._reject_unknown(table, _SUITE_KEYS, location)
        gates, variants = location.in_table("gates"), location.in_table("variants")
        return SuiteSection(
            baseline=self._baseline(table, location),
            overrides=self._overrides(table, location),
            gates=self._gates(self._suite_gates(table, gates), gates),
            variants={
                variant: self._variant(value, variants.in_table(variant))
                for variant, value in self._table(table.get("variants", {}), variants).items()
            },
            imported=self._imported(table, location),
        )

    def _suite_gates(self, suite: Table, location: Location) -> Table:
        table = dict(self._table(suite.get("gates", {}), location))
        if "on" in table:
            del table["on"]
            self._problems.add(
                location.at_key("on"),
                "limits for a host must belong to a variant",
                f'Move them to [{toml_key(location.table[0])}.variants.ID.on."GLOB"].',
            )
        return table

    def _variant(self, value: object, location: Location) -> VariantSection:
        table = dict(self._table(value, location))
        hosts = self._table(table.pop("on", {}), location.in_table("on"))
        on: dict[str, Gates] = {}
        for glob, gates in hosts.items():
            host_location = location.in_table("on", glob)
            self._check_glob(glob, host_location)
            on[glob] = self._gates(self._table(gates, host_location), host_location)
        return VariantSection(self._gates(table, location), on)

    def _check_glob(self, glob: str, location: Location) -> None:
        """Reject globs that match no host; fnmatch matches an unclosed bracket literally."""
        if not glob.strip():
            self._problems.add(location, "the glob is empty", 'Write on."c7i.*" or on."*Xeon*".')
        elif "[" in _CHARACTER_SET.sub("", glob):
            self._problems.add(
                location,
                "the glob has a [ that is not closed",
                "Close the set of characters with ], or write [[] for the character itself.",
            )

    def _gates(self, table: Table, location: Location) -> Gates:
        gates: dict[str, Limits] = {}
        for measure, value in table.items():
            measure_location = location.at_key(measure)
            if AT in measure:
                base, _, point = measure.partition(AT)
                example = f"{toml_key(base)}.at.{toml_key(point)} = ..."
                self._problems.add(
                    measure_location, "measure names contain no @", f"Write {example}"
                )
                continue
            own_limits, points = _split_points(value)
            if own_limits or not points:
                gates[measure] = self._limits(own_limits, measure_location)
            for point, limits in points.items():
                points_location = measure_location.at_key("at")
                if point:
                    gates[at(measure, point)] = self._limits(limits, points_location.at_key(point))
                else:
                    example = 'Write at."length=512" = ...'
                    self._problems.add(points_location, "the name of a point is empty", example)
        return gates

    def _limits(self, value: object, location: Location) -> Limits:
        measure = toml_key(location.keys[-1])
        if not isinstance(value, dict):
            bound = describe_value(value) if isinstance(value, str | int | float) else "..."
            self._problems.add(
                location,
                f"a gate must be a table of limits, not {describe_value(value)}",
                f"Write {measure} = {{ min = {bound} }} or {measure} = {{ max = {bound} }}.",
            )
            return {}
        if not value:
            self._problems.add(
                location,
                "the gate has no limit",
                f"Add one of {', '.join(LIMIT_RULES)}, or remove the gate.",
            )
        limits: dict[LimitRule, Bound] = {
            cast(LimitRule, key): bound
            for key, bound in value.items()
            if self._is_limit(key, bound, location)
        }
        numbers = {rule: float(b) for rule, b in limits.items() if not isinstance(b, str)}
        report_crossed_limits(limits, numbers, location, self._problems)
        return limits

    def _is_limit(self, key: str, bound: object, location: Location) -> bool:
        limit_location = location.at_key(key)
        if key in LIMIT_RULES:
            if isinstance(bound, str) or _finite_float(bound) is not None:
                return True
            self._problems.add(
                limit_location,
                f"must be a finite number or a quantity in quotes, not {describe_value(bound)}",
                f'Write {key} = 1.5 or {key} = "300 ms".',
            )
        elif key == "at":
            self._problems.add(
                limit_location,
                f"must be a table of points, not {describe_value(bound)}",
                f'Write {toml_key(location.keys[-1])}.at."length=512" = {{ max = ... }}.',
            )
        elif key.isdecimal() and isinstance(bound, dict):
            quoted_name = toml_string(f"{location.keys[-1]}.{key}")
            self._problems.add(
                limit_location,
                "an unquoted dot separates two keys",
                f"Write {quoted_name} = ...",
            )
        else:
            self._problems.add(limit_location, "unknown limit", suggest(key, LIMIT_RULES))
        return False

    def _baseline(self, table: Table, location: Location) -> str | None:
        baseline = table.get("baseline")
        if baseline is None or isinstance(baseline, str):
            return baseline
        self._problems.add(
            location.at_key("baseline"),
            f"must be a variant's id, not {describe_value(baseline)}",
            'Write it in quotes: baseline = "torch".',
        )
        return None

    def _imported(self, table: Table, location: Location) -> bool:
        value = table.get("imported", False)
        if not isinstance(value, bool):
            self._problems.add(
                location.at_key("imported"),
                f"must be true or false, not {describe_value(value)}",
                "Write imported = true.",
            )
        return value is True

    def _overrides(self, table: Table, location: Location) -> PolicyOverrides:
        confidence, budget_s = (
            self._number(table, key, location) for key in ("confidence", "budget_s")
        )
        return PolicyOverrides(confidence, budget_s, self._inconclusive(table, location))

    def _number(self, table: Table, key: str, location: Location) -> float | None:
        low, high, description, example = _NUMBERS[key]
        number = _finite_float(table.get(key))
        if key in table and (number is None or not low < number < high):
            self._problems.add(
                location.at_key(key),
                f"must be {description}, not {describe_value(table[key])}",
                f"Write {key} = {example}.",
            )
        return number

    def _inconclusive(self, table: Table, location: Location) -> Inconclusive | None:
        choices: tuple[Inconclusive, ...] = get_args(Inconclusive)
        value = table.get("inconclusive")
        for choice in choices:
            if value == choice:
                return choice
        if value is not None:
            self._problems.add(
                location.at_key("inconclusive"),
                f"must be {' or '.join(map(toml_string, choices))}, not {describe_value(value)}",
                suggest(value if isinstance(value, str) else "", choices),
            )
        return None

    def _table(self, value: object, location: Location) -> Table:
        if isinstance(value, dict):
            return value
        self._problems.add(
            location,
            f"must be a table, not {describe_value(value)}",
            f"Write {location} on a line of its own.",
        )
        return {}

    def _reject_unknown(self, table: Table, known: Collection[str], location: Location) -> None:
        for key, value in table.items():
            if key in known:
                continue
            message, remedy = "unknown key", suggest(key, known)
            if "gates" in known and isinstance(value, dict) and set(value) & set(LIMIT_RULES):
                message = "a gate outside the table of gates"
                remedy = f"Move it to {location.in_table('gates')}."
            self._problems.add(location.at_key(key), message, remedy)


def _split_points(value: object) -> tuple[object, Table]:
    """Return the limits of the measure itself, and the table of its limits at points."""
    if not isinstance(value, dict) or not isinstance(value.get("at"), dict):
        return value, {}
    return {key: bound for key, bound in value.items() if key != "at"}, value["at"]


def _finite_float(value: object) -> float | None:
    """Return the value as a float, or None if it is not a number, not finite, or too large."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= sys.float_info.max else None
