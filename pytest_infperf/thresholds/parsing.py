"""The text of thresholds.toml -> Thresholds, or all mistakes that need no suites to be found."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.thresholds.location import Location
from pytest_infperf.thresholds.problems import Problem, ProblemCollector, ThresholdsError
from pytest_infperf.thresholds.section_parser import SectionParser
from pytest_infperf.thresholds.sections import POLICY_KEYS, SCHEMA, PolicyOverrides, SuiteSection
from pytest_infperf.thresholds.thresholds import Thresholds
from pytest_infperf.thresholds.toml_lines import KeyPath, line_numbers
from pytest_infperf.thresholds.wording import describe_value, suggest

_TOMLLIB_POSITION = re.compile(
    r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$"
)
_UNQUOTED_QUANTITY = re.compile(r"=\s*[\d.]+\s*[A-Za-z%$]")


def read(path: Path, root: Path) -> Thresholds:
    """Read and parse a thresholds file; messages name it relative to `root` if it is below.

    Raises UserError if the file cannot be read, and ThresholdsError if it has mistakes.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    return parse(text, str(path.relative_to(root) if path.is_relative_to(root) else path))


def parse(text: str, source: str) -> Thresholds:
    """Parse the text of a thresholds file; `source` is the file's name in messages.

    Raises ThresholdsError with every mistake that can be found without the suites.
    """
    document, lines = _load(text, source)
    problems = ProblemCollector(source, lines)
    parser = SectionParser(problems)
    defaults = PolicyOverrides()
    suites: dict[str, SuiteSection] = {}
    _check_schema(document.pop("schema", None), problems)
    for name, value in document.items():
        if name == "defaults":
            defaults = parser.defaults(value, Location((name,)))
        elif isinstance(value, dict):
            suites[name] = parser.suite(value, Location((name,)))
        else:
            _report_stray_key(name, value, problems)
    problems.raise_if_any()
    return Thresholds(source, defaults, suites, lines)


def _load(text: str, source: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    try:
        return tomllib.loads(text), line_numbers(text)
    except RecursionError:
        problem = Problem(1, "syntax", "nested too deeply", "A gate is at most six tables deep.")
    except ValueError as error:
        problem = _syntax_problem(str(error), text)
    raise ThresholdsError(source, [problem])


def _syntax_problem(message: str, text: str) -> Problem:
    lines = text.rstrip("\n").split("\n")
    position = _TOMLLIB_POSITION.search(message)
    message = _TOMLLIB_POSITION.sub("", message)
    line = len(lines) if position else 1
    if position and position["line"]:
        line = int(position["line"])
        message += f" at column {position['column']}"
    remedy = "Correct the TOML of this line."
    if line <= len(lines) and _UNQUOTED_QUANTITY.search(lines[line - 1]):
        remedy = 'Put quantities with a unit in quotes: max = "300 ms".'
    return Problem(line, "syntax", message, remedy)


def _check_schema(schema: object, problems: ProblemCollector) -> None:
    location = Location().at_key("schema")
    if schema is None:
        problems.add(location, "missing", f"Write schema = {SCHEMA} on the first line.")
    elif type(schema) is not int or schema != SCHEMA:
        problems.add(
            location,
            f"must be {SCHEMA}, not {describe_value(schema)}",
            f"Write schema = {SCHEMA}, or install a version of pytest-infperf that supports "
            "this schema.",
        )


def _report_stray_key(name: str, value: object, problems: ProblemCollector) -> None:
    location = Location().at_key(name)
    if name in POLICY_KEYS:
        problems.add(location, "is outside any table", "Move it to [defaults].")
    elif isinstance(value, list):
        remedy = f"Write {Location((name,))}."
        problems.add(location, "a suite must be a table, not an array", remedy)
    else:
        problems.add(location, "unknown key", suggest(name, ("schema", "defaults")))
