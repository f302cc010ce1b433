"""The record: every measure and verdict of one variant on one host at one revision."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal

STRICT = {"extra": "forbid", "allow_inf_nan": False}
"""For reading a file back: a key that nobody knows or a number that isn't one is an error."""


class Verdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Measure:
    """A named quantity: its value with an interval where repeated measuring gives one.

    `low` and `high` bound the value at the suite's confidence; None is no bound.
    """

    __pydantic_config__: ClassVar = STRICT

    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    n: int = 1


@dataclass(frozen=True)
class GateRecord:
    __pydantic_config__: ClassVar = STRICT

    measure: str
    limit: str
    verdict: Verdict
    why: str
    remedy: str = ""
    source: str = ""
    """File and line of the limit, such as `thresholds.toml:12`."""


@dataclass
class Record:
    __pydantic_config__: ClassVar = STRICT

    suite: str
    variant: str
    measures: dict[str, Measure] = field(default_factory=dict)
    gates: list[GateRecord] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    """Threads, decoding, pinning, baseline, seed: what was asked of the variant."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """What was seen: fused operators, thread search, signatures, contaminated blocks, differences
    of quality to the baseline."""
    errors: list[str] = field(default_factory=list)
    """Why something of this variant could not be measured."""

    def keep(self, outcome: GateRecord) -> None:
        """The outcome of a gate, in place of an earlier one of the same."""
        same = (outcome.measure, outcome.limit)
        self.gates = [gate for gate in self.gates if (gate.measure, gate.limit) != same]
        self.gates.append(outcome)


@dataclass
class RunRecord:
    """What `--infperf-json` writes."""

    __pydantic_config__: ClassVar = STRICT

    host: dict[str, Any]
    revision: dict[str, Any] | None
    records: list[Record] = field(default_factory=list)
    against: dict[str, Any] | None = None
    """The revision that was measured beside it: its name and commit."""
    when: str = ""
    """When the run began: ISO 8601, UTC. Older files do not say."""
    schema: Literal[1] = 1
