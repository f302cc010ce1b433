"""The options of a run: one table for the command line, the ini keys and `Settings`.

The table defines how each value is written and parsed. The command `infperf` uses the same parsers
of numbers. `settings` defines how a run uses the values; it is imported only when a run measures.
"""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Number:
    """A parser of numbers within bounds, for the `type` of an argument of argparse."""

    words: str
    """Describes the accepted numbers, such as "a number above 0"."""
    accepts: Callable[[float], bool]
    """Returns whether a finite number is within the bounds."""
    convert: Callable[[str], float] = float

    def __call__(self, text: str) -> Any:
        """Return the number. Raises ArgumentTypeError if it is out of bounds or not finite."""
        try:
            number = self.convert(text)
            if math.isfinite(number) and self.accepts(number):
                return number
        except (ValueError, OverflowError):
            pass
        raise ArgumentTypeError(f"{text!r} is not {self.words}")


seconds = Number("a number of seconds above 0", lambda number: number > 0)
positive = Number("a number above 0", lambda number: number > 0)
not_below_0 = Number("a number of at least 0", lambda number: number >= 0)
fraction = Number("a number above 0 and at most 1", lambda number: 0 < number <= 1)
confidence = Number("a number between 0.5 and 1, such as 0.99", lambda number: 0.5 < number < 1)
percentile = Number("a number between 0 and 100, such as 99", lambda number: 0 < number < 100)
count = Number("a whole number of at least 1", lambda number: number >= 1, int)
non_negative = Number("a whole number of at least 0", lambda number: number >= 0, int)
port = Number("a port from 1 to 65535", lambda number: 1 <= number <= 65_535, int)
port_or_0 = Number("a port from 0 to 65535", lambda number: 0 <= number <= 65_535, int)


def duration(text: str) -> float:
    """Parse a positive duration such as 90s, 10m or 1.5h, and return it in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)", text.strip())
    length_s = float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]] if found else 0.0
    if not 0 < length_s < math.inf:
        raise ArgumentTypeError(f"{text!r} is not a duration above 0, such as 90s, 10m or 1.5h")
    return length_s


def thread_count(text: str) -> int | Literal["best"]:
    """Parse a whole number of at least 1, or the word "best"."""
    try:
        return "best" if text == "best" else int(count(text))
    except ArgumentTypeError as error:
        raise ArgumentTypeError(f'{error} or "best"') from None


@dataclass(frozen=True)
class Option:
    """One option, as a flag of the command line and as a key of the ini file."""

    name: str
    """The name as in `--infperf-<name>`; empty for `--infperf` itself."""
    metavar: str
    """The placeholder of the value in the help text; empty for an option without a value."""
    help: str
    parse: Callable[[str], Any] = str
    """Converts the text of a value. Raises ArgumentTypeError if the text is invalid."""

    @property
    def flag(self) -> str:
        return f"--infperf-{self.name}".removesuffix("-")

    @property
    def key(self) -> str:
        """The key in the ini file, and the attribute of pytest's options."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def is_switch(self) -> bool:
        """Whether the option is a flag without a value."""
        return not self.metavar

    def add_to(self, parser: pytest.Parser, group: pytest.OptionGroup) -> None:
        """Declare the flag and the ini key."""
        if self.is_switch:
            group.addoption(self.flag, action="store_true", help=self.help)
            parser.addini(self.key, f"like {self.flag}", type="bool", default=False)
        else:
            group.addoption(self.flag, type=self.parse, metavar=self.metavar, help=self.help)
            parser.addini(self.key, f"like {self.flag}: {self.help}")

    def value(self, config: pytest.Config) -> Any:
        """Return the value from the command line or the ini file; None or False without one.

        Raises
        ------
        pytest.UsageError
            If the value in the ini file cannot be read.
        """
        import pytest

        given, configured = config.getoption(self.key), config.getini(self.key)
        if self.is_switch:
            return bool(given or configured)
        if given is not None:
            return given if given != "" else None
        try:
            return self.parse(configured) if configured else None
        except ArgumentTypeError as error:
            raise pytest.UsageError(f"{self.key} in {config.inipath}: {error}") from error


ENABLE = Option("", "", "measure the suites; without it they are skipped")

OPTIONS = {
    option.name: option
    for option in (
        ENABLE,
        Option("full", "", "score the whole test sets, not a sample"),
        Option("no-imds", "", "do not ask EC2's metadata service"),
        Option(
            "ray-quality",
            "",
            "measure here, and distribute the quality set over the nodes of --infperf-ray",
        ),
        Option(
            "thresholds",
            "PATH",
            "the file of gates (default: thresholds.toml beside the ini file)",
        ),
        Option("strict", "", "fail if a suite is measured and no limit of it is judged"),
        Option("json", "PATH", "write every measure, gate and verdict to PATH (default: none)"),
        Option("html", "PATH", "write the report as one page to PATH (default: none)"),
        Option(
            "budget",
            "SECONDS",
            "measuring time of one test of one variant (default: budget_s of thresholds.toml)",
            seconds,
        ),
        Option(
            "time",
            "DURATION",
            "measuring time of the whole run, such as 10m (default: a budget for each test)",
            duration,
        ),
        Option(
            "variants",
            "GLOB",
            "only the variants whose id matches GLOB, and the baseline (default: all)",
        ),
        Option(
            "baseline",
            "ID",
            "variant that others are compared with (default: that of thresholds.toml or the suite)",
        ),
        Option(
            "against",
            "REV",
            "also measure each variant at a git revision, in pairs (default: none)",
        ),
        Option(
            "against-python", "PATH", "the interpreter of REV's workers (default: the running one)"
        ),
        Option(
            "threads",
            "N|best",
            "threads of every variant; best: a short search for each (default: the suite's)",
            thread_count,
        ),
        Option("cache", "DIR", "the folder of built variants (default: .infperf_cache)"),
        Option(
            "seed",
            "N",
            "seed of the drawn samples and of the measuring order (default: 0)",
            non_negative,
        ),
        Option(
            "prices",
            "PATH|aws",
            "a price table, or aws to ask AWS (default: the shipped table)",
        ),
        Option(
            "ray",
            "ADDRESS",
            "measure on the nodes of a Ray cluster, once for each type of node "
            "(default: this host)",
        ),
        Option(
            "timeout",
            "SECONDS",
            "seconds without a response after which a worker is ended (default: 300)",
            seconds,
        ),
    )
}
"""All options by name."""


def add(parser: pytest.Parser) -> None:
    """Declare all options and ini keys."""
    group = parser.getgroup("infperf", "inference performance and quality")
    for option in OPTIONS.values():
        option.add_to(parser, group)


def enabled(config: pytest.Config) -> bool:
    """Return whether the run measures."""
    return bool(ENABLE.value(config))
