"""Limits that did not pass and errors of variants, as a GitLab Code Quality report.

GitLab Docs, Code Quality, Code Quality report format, describes the format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from pytest_infperf.records.record import Record, RunRecord, Verdict
from pytest_infperf.report.characters import printable
from pytest_infperf.report.problems import unmet_gates, variant_name

_SEVERITIES = {Verdict.FAIL: "major", Verdict.INCONCLUSIVE: "minor"}
_NO_LIMITS = ("thresholds.toml", 1)
"""The place of an error in a run without limits: GitLab requires a file and a line."""


def document(runs: Sequence[RunRecord]) -> str:
    """Return the JSON of a report.

    Parameters
    ----------
    runs : sequence of RunRecord
        The runs, one per host. The sources of their limits are relative to the repository.

    Returns
    -------
    str
        A list with one entry per limit that did not pass, at its line, and one per error of a
        variant, at the line of a limit of its suite. Limits without a source are omitted.
    """
    entries = chain.from_iterable((*_unmet(run), *_errors(run)) for run in runs)
    return json.dumps(list(entries), indent=1) + "\n"


def _unmet(run: RunRecord) -> Iterator[dict[str, Any]]:
    for record, gate in unmet_gates(run.records):
        if place := _place(gate.source):
            key = (gate.measure, gate.limit.partition(" ")[0])
            severity = _SEVERITIES[gate.verdict]
            yield _entry(run, record, gate.why, gate.measure, severity, place, key)


def _errors(run: RunRecord) -> Iterator[dict[str, Any]]:
    """Yield the errors: blockers of variants without any measure, critical ones of others."""
    for record in run.records:
        place = _place_of_suite(run, record)
        severity = "critical" if record.measures else "blocker"
        for number, error in enumerate(record.errors):
            first, *more = [line.strip() for line in error.splitlines() if line.strip()] or [
                "error"
            ]
            reason = printable("; ".join([first, *more[-1:]]))
            yield _entry(run, record, reason, "error", severity, place, ("error", str(number)))


def _place_of_suite(run: RunRecord, record: Record) -> tuple[str, int]:
    """Return the place of a limit of the variant, or else of its suite, or else of the run."""
    same_suite = [other for other in run.records if other.suite == record.suite]
    gates = chain.from_iterable(each.gates for each in (record, *same_suite, *run.records))
    return next(filter(None, (_place(gate.source) for gate in gates)), _NO_LIMITS)


def _place(source: str) -> tuple[str, int] | None:
    """Return file and line of a limit; None if its source has no line."""
    file, _, line = source.rpartition(":")
    return (file, int(line)) if line.isdecimal() else None


def _entry(
    run: RunRecord,
    record: Record,
    reason: str,
    check: str,
    severity: str,
    place: tuple[str, int],
    key: Sequence[str],
) -> dict[str, Any]:
    """Return one entry; host, variant and `key` identify it across runs."""
    host = str(run.host.get("instance_type") or run.host.get("cpu_model") or "")
    name, (file, line) = variant_name(record), place
    return {
        "description": f"{name} {reason}{f' (on {host})' if host else ''}",
        "check_name": f"infperf.{check}",
        "fingerprint": hashlib.sha256("\0".join((host, name, *key)).encode()).hexdigest(),
        "severity": severity,
        "location": {"path": file, "lines": {"begin": line}},
    }
