"""The mistakes in a thresholds file, collected so that one run reports all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_infperf.errors import UserError
from pytest_infperf.thresholds.location import Location
from pytest_infperf.thresholds.toml_lines import KeyPath


@dataclass(frozen=True)
class Problem:
    """A mistake in a thresholds file."""

    line: int
    """Line number, counted from 1."""
    key: str
    """The table or key as shown in messages, such as `[translation.gates] bleu.min`."""
    message: str
    """Description of the mistake, without a final full stop."""
    remedy: str
    """Instruction that corrects the mistake, as a sentence."""

    def __str__(self) -> str:
        return f"{self.line}: {self.key}: {self.message}. {self.remedy}"


class ThresholdsError(UserError):
    """All problems of a thresholds file, sorted by line."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        return "\n".join(f"{self.source}:{problem}" for problem in self.problems)


class ProblemCollector:
    """Collects the problems of one file and raises them together."""

    def __init__(self, source: str, lines: Mapping[KeyPath, int]) -> None:
        self._source = source
        self._lines = lines
        self._problems: list[Problem] = []

    def add(self, location: Location, message: str, remedy: str) -> None:
        line = location.line(self._lines)
        self._problems.append(Problem(line, str(location), message, remedy))

    def raise_if_any(self) -> None:
        if self._problems:
            raise ThresholdsError(self._source, self._problems)
