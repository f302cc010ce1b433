"""Text -> Thresholds: every mistake that shows without knowing the suites."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.thresholds.problems import (
    Findings,
    Location,
    Problem,
    ThresholdsError,
    described,
    nearest,
)
from pytest_infperf.thresholds.reading import Reader
from pytest_infperf.thresholds.sections import POLICY_KEYS, SCHEMA, PolicyOverrides, SuiteSection
from pytest_infperf.thresholds.selection import Thresholds
from pytest_infperf.thresholds.toml_lines import KeyPath, line_numbers

_WHERE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_UNQUOTED_QUANTITY = re.compile(r"=\s*[\d.]+\s*[A-Za-z%$]")


def read(path: Path, root: Path) -> Thresholds:
    """The file at `path`, which messages name from `root`. Raises UserError where it is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    return parse(text, str(path.relative_to(root) if path.is_relative_to(root) else path))


def parse(text: str, source: str) -> Thresholds:
    """Read a thresholds file; `source` is its name in messages.

    Raises ThresholdsError with everything that is wrong.
    """
    document, lines = _load(text, source)
    findings = Findings(source, lines)
    reader = Reader(findings)
    defaults = PolicyOverrides()
    suites: dict[str, SuiteSection] = {}
    _check_schema(document.pop("schema", None), findings)
    for name, value in document.items():
        if name == "defaults":
            defaults = reader.defaults(value, Location((name,)))
        elif isinstance(value, dict):
            suites[name] = reader.suite(value, Location((name,)))
        else:
            _report_stray(name, value, findings)
    findings.raise_if_any()
    return Thresholds(source, defaults, suites, lines)


def _load(text: str, source: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    try:
        return tomllib.loads(text), line_numbers(text)
    except RecursionError:
        problem = Problem(1, "syntax", "nested too deeply", "A gate is no deeper than six tables.")
    except ValueError as error:
        problem = _syntax_problem(str(error), text)
    raise ThresholdsError(source, [problem])


def _syntax_problem(complaint: str, text: str) -> Problem:
    lines = text.rstrip("\n").split("\n")
    where = _WHERE.search(complaint)
    message = _WHERE.sub("", complaint)
    line = len(lines) if where else 1
    if where and where["line"]:
        line = int(where["line"])
        message += f" at column {where['column']}"
    remedy = "Correct the TOML of this line."
    if line <= len(lines) and _UNQUOTED_QUANTITY.search(lines[line - 1]):
        remedy = 'Put quantities with a unit in quotes: max = "300 ms".'
    return Problem(line, "syntax", message, remedy)


def _check_schema(schema: object, findings: Findings) -> None:
    location = Location().at("schema")
    if schema is None:
        findings.add(location, "missing", f"Write schema = {SCHEMA} on the first line.")
    elif type(schema) is not int or schema != SCHEMA:
        findings.add(
            location,
            f"must be {SCHEMA}, not {described(schema)}",
            f"Write schema = {SCHEMA}, or install a pytest-infperf that reads this file.",
        )


def _report_stray(name: str, value: object, findings: Findings) -> None:
    location = Location().at(name)
    if name in POLICY_KEYS:
        findings.add(location, "stands outside of any table", "Move it below [defaults].")
    elif isinstance(value, list):
        findings.add(location, "a suite is a table, not an array", f"Write {Location((name,))}.")
    else:
        findings.add(location, "unknown key", nearest(name, ("schema", "defaults")))
