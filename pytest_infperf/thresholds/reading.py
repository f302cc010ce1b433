"""Tables as tomllib gives them -> sections: keys, types and ranges are checked on the way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast, get_args

from pytest_infperf.records.catalogue import LimitRule
from pytest_infperf.records.points import AT, at
from pytest_infperf.thresholds.problems import (
    Findings,
    Location,
    described,
    finite,
    nearest,
    quoted,
    shown_key,
)
from pytest_infperf.thresholds.sections import (
    LIMIT_KINDS,
    POLICY_KEYS,
    Bound,
    Gates,
    Inconclusive,
    Limits,
    PolicyOverrides,
    SuiteSection,
    VariantSection,
    crossed_limits,
)

Table = Mapping[str, Any]

_SUITE_KEYS = ("baseline", *POLICY_KEYS, "gates", "variants")


class Reader:
    """Reads tables; what cannot be read is left out and added to the findings."""

    def __init__(self, findings: Findings) -> None:
        self._add = findings.add

    def defaults(self, value: object, location: Location) -> PolicyOverrides:
        table = self._table(value, location)
        self._reject_unknown(table, POLICY_KEYS, location)
        return self._overrides(table, location)

    def suite(self, table: Table, location: Location) -> SuiteSection:
        self._reject_unknown(table, _SUITE_KEYS, location)
        gates, variants = location.within("gates"), location.within("variants")
        return SuiteSection(
            baseline=self._baseline(table, location),
            overrides=self._overrides(table, location),
            gates=self._gates(self._suite_gates(table, gates), gates),
            variants={
                variant: self._variant(value, variants.within(variant))
                for variant, value in self._table(table.get("variants", {}), variants).items()
            },
        )

    def _suite_gates(self, suite: Table, location: Location) -> Table:
        table = dict(self._table(suite.get("gates", {}), location))
        if "on" in table:
            del table["on"]
            self._add(
                location.at("on"),
                "limits of a host belong to a variant",
                f'Move them to [{shown_key(location.table[0])}.variants.ID.on."GLOB"].',
            )
        return table

    def _variant(self, value: object, location: Location) -> VariantSection:
        table = dict(self._table(value, location))
        hosts = self._table(table.pop("on", {}), location.within("on"))
        on: dict[str, Gates] = {}
        for glob, gates in hosts.items():
            there = location.within("on", glob)
            on[glob] = self._gates(self._table(gates, there), there)
        return VariantSection(self._gates(table, location), on)

    def _gates(self, table: Table, location: Location) -> Gates:
        found = {}
        for measure, value in table.items():
            if AT in measure:
                base, _, point = measure.partition(AT)
                example = f"{shown_key(base)}.at.{shown_key(point)} = ..."
                self._add(
                    location.at(measure), "no measure has an @ in its name", f"Write {example}"
                )
                continue
            points = value.get("at") if isinstance(value, dict) else None
            if isinstance(points, dict):
                there = location.at(measure, "at")
                for point, limits in points.items():
                    if not point:
                        self._add(there, "a point without a name", 'Write at."length=512" = ...')
                        continue
                    found[at(measure, point)] = self._limits(limits, there.at(point))
                value = {key: limit for key, limit in value.items() if key != "at"}
                if not value and points:
                    continue
            found[measure] = self._limits(value, location.at(measure))
        return found

    def _limits(self, value: object, location: Location) -> Limits:
        measure = shown_key(location.key[-1])
        if not isinstance(value, dict):
            given = described(value) if isinstance(value, str | int | float) else "..."
            self._add(
                location,
                f"a gate is a table of limits, not {described(value)}",
                f"Write {measure} = {{ min = {given} }} or {measure} = {{ max = {given} }}.",
            )
            return {}
        if not value:
            self._add(
                location,
                "a gate without a limit",
                f"Give it one of {', '.join(LIMIT_KINDS)}, or remove it.",
            )
        limits: dict[LimitRule, Bound] = {
            cast(LimitRule, key): bound
            for key, bound in value.items()
            if self._is_limit(key, bound, location)
        }
        numbers = {spec: float(b) for spec, b in limits.items() if not isinstance(b, str)}
        for low, high in crossed_limits(numbers):
            self._add(
                location.at(low),
                f"{described(limits[low])} is over {high} = {described(limits[high])}",
                f"Lower {low} or raise {high}.",
            )
        return limits

    def _is_limit(self, key: str, bound: object, location: Location) -> bool:
        there = location.at(key)
        if key in LIMIT_KINDS:
            if isinstance(bound, str) or finite(bound) is not None:
                return True
            self._add(
                there,
                f"a limit is a number or a quantity in quotes, not {described(bound)}",
                f'Write {key} = 1.5 or {key} = "300 ms".',
            )
        elif key == "at":
            self._add(
                there,
                f"must be a table of points, not {described(bound)}",
                f'Write {shown_key(location.key[-1])}.at."length=512" = {{ max = ... }}.',
            )
        elif key.isdecimal() and isinstance(bound, dict):
            whole = quoted(f"{location.key[-1]}.{key}")
            self._add(there, "a dot outside of quotes divides a key", f"Write {whole} = ...")
        else:
            self._add(there, "no such limit", nearest(key, LIMIT_KINDS))
        return False

    def _baseline(self, table: Table, location: Location) -> str | None:
        baseline = table.get("baseline")
        if baseline is None or isinstance(baseline, str):
            return baseline
        self._add(
            location.at("baseline"),
            f"must be a variant's id, not {described(baseline)}",
            'Write it in quotes: baseline = "torch".',
        )
        return None

    def _overrides(self, table: Table, location: Location) -> PolicyOverrides:
        confidence = self._number(table, "confidence", location)
        budget_s = self._number(table, "budget_s", location)
        if confidence is not None and not 0.5 < confidence < 1:
            self._add(
                location.at("confidence"),
                f"must be over 0.5 and under 1, not {described(table['confidence'])}",
                "Write confidence = 0.99.",
            )
        if budget_s is not None and budget_s <= 0:
            self._add(
                location.at("budget_s"),
                f"must be over 0 seconds, not {described(table['budget_s'])}",
                "Write budget_s = 20.",
            )
        return PolicyOverrides(confidence, budget_s, self._inconclusive(table, location))

    def _number(self, table: Table, key: str, location: Location) -> float | None:
        number = finite(table.get(key))
        if number is None and key in table:
            example = {"confidence": "confidence = 0.99", "budget_s": "budget_s = 20"}[key]
            self._add(
                location.at(key),
                f"must be a number, not {described(table[key])}",
                f"Write {example}.",
            )
        return number

    def _inconclusive(self, table: Table, location: Location) -> Inconclusive | None:
        choices: tuple[Inconclusive, ...] = get_args(Inconclusive)
        given = table.get("inconclusive")
        for choice in choices:
            if given == choice:
                return choice
        if given is not None:
            self._add(
                location.at("inconclusive"),
                f"must be {' or '.join(map(quoted, choices))}, not {described(given)}",
                nearest(given if isinstance(given, str) else "", choices),
            )
        return None

    def _table(self, value: object, location: Location) -> Table:
        if isinstance(value, dict):
            return value
        self._add(
            location,
            f"must be a table, not {described(value)}",
            f"Write {location} on a line of its own.",
        )
        return {}

    def _reject_unknown(self, table: Table, known: Collection[str], location: Location) -> None:
        for key, value in table.items():
            if key in known:
                continue
            if "gates" in known and isinstance(value, dict) and set(value) & set(LIMIT_KINDS):
                remedy = f"Move it below {location.within('gates')}."
                self._add(location.at(key), "a gate outside of the gates", remedy)
            else:
                self._add(location.at(key), "unknown key", nearest(key, known))
