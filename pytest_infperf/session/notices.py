"""Notices at the end of a run: what was not measured or written, and remarks on verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_infperf.records.record import Record
from pytest_infperf.report.problems import (
    suites_without_verdict,
    tried_again,
    unjudged_gates,
    variant_name,
)
from pytest_infperf.session import limits_file
from pytest_infperf.settings import Settings
from pytest_infperf.thresholds import Thresholds


def of_unused(settings: Settings, thresholds: Thresholds) -> Iterator[str]:
    """Yield a notice for each requested file and for limits if no test of a suite ran."""
    reason = (
        "no test of a suite ran (a test with the fixture `variant`, in a folder with a "
        "suite.py, or with `infperf_benchmark`)"
    )
    for path in filter(None, (settings.json, settings.html)):
        older = ", and contains an earlier run" if path.exists() else ""
        yield f"{path} was not written{older}, because {reason}"
    if suites := thresholds.measured_suites:
        names = ", ".join(f"[{name}]" for name in suites)
        yield f"the limits of {names} in {settings.thresholds} were not judged: {reason}"


def of_verdicts(records: Sequence[Record], settings: Settings) -> Iterator[str]:
    """Yield notices about the verdicts: repeated tries, and limits that were not judged."""
    for record, gate in tried_again(records):
        words = {
            "pass": "passed",
            "fail": "failed",
            "xfailed": "failed as expected",
            "inconclusive": "was inconclusive",
        }
        yield f"{variant_name(record)} {gate.measure} {words[gate.verdict]} at try {gate.tries}"
    for record, gate in unjudged_gates(records):
        yield f"{variant_name(record)} {gate.why} ({gate.source}): the run fails"
    for suite in suites_without_verdict(records):
        yield limits_file.measured_without(suite, settings)
