"""The record: every measure and verdict of one variant on one host at one revision."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal

from pytest_infperf.records.evidence import Evidence, VariantSettings
from pytest_infperf.records.measure import STRICT, Measure


class Verdict(StrEnum):
    """The verdict on one limit."""

    PASS = "pass"
    FAIL = "fail"
    XFAILED = "xfailed"
    """The limit did not pass in a test that is expected to fail (pytest's marker xfail)."""
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class GateRecord:
    """The verdict on one limit, with its reason and a remedy."""

    __pydantic_config__: ClassVar = STRICT

    measure: str
    """The name of the measure."""
    limit: str
    """The limit as written in thresholds.toml, such as `max = "300 ms"`."""
    verdict: Verdict
    why: str
    """The reason for the verdict: value, interval, limit, number of observations."""
    remedy: str = ""
    """The remedy for a limit that did not pass."""
    source: str = ""
    """File and line of the limit, such as `thresholds.toml:12`."""
    tries: int = 1
    """The number of the try that gave the verdict; 0 if no test judged the limit."""
    more_s: float | None = None
    """Estimated additional measuring time that would decide an inconclusive limit, in seconds; None
    if it is not known."""


@dataclass
class Record:
    """The measures and verdicts of one variant on one host at one revision.

    Parameters
    ----------
    suite : str
        The name of the suite.
    variant : str
        The id of the variant.
    measures : dict of str to Measure
        The measures by name, such as `latency_p99` or `latency_p99@length=512`.
    gates : list of GateRecord
        The verdicts, one per limit: the worst of the tests that judged it.
    settings : VariantSettings
        The settings: threads, decoding, pinning, baseline, seed.
    evidence : Evidence
        Observations: fused operators, thread search, signatures, disturbed blocks, differences of
        quality from the baseline.
    errors : list of str
        The reasons why measures of this variant are missing.
    """

    __pydantic_config__: ClassVar = STRICT

    suite: str
    variant: str
    measures: dict[str, Measure] = field(default_factory=dict)
    gates: list[GateRecord] = field(default_factory=list)
    settings: VariantSettings = field(default_factory=VariantSettings)
    evidence: Evidence = field(default_factory=Evidence)
    errors: list[str] = field(default_factory=list)


@dataclass
class RunRecord:
    """The records of a run on one host, the content of `--infperf-json`."""

    __pydantic_config__: ClassVar = STRICT

    host: dict[str, Any]
    """The fingerprint of the host."""
    revision: dict[str, Any] | None
    """Commit, branch and state of the user's repository; None outside of a repository."""
    records: list[Record] = field(default_factory=list)
    against: dict[str, Any] | None = None
    """Name and commit of the other revision."""
    when: str = ""
    """The begin of the run: ISO 8601, UTC. Older files do not have it."""
    time_s: dict[str, float] = field(default_factory=dict)
    """The time of the run by activity, in seconds: measuring, scoring, building, starting, other.
    With pytest-xdist or a cluster, it is the time of the processes that measured."""
    schema: Literal[1] = 1
    """The version of this format."""
