"""Limits that did not pass as a GitLab Code Quality report, at their lines in thresholds.toml.

GitLab Docs, Code Quality, Code Quality report format, describes the format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_infperf.records.record import RunRecord, Verdict
from pytest_infperf.report.problems import unmet_gates, variant_name

_SEVERITIES = {Verdict.FAIL: "major", Verdict.INCONCLUSIVE: "minor"}


def document(runs: Sequence[RunRecord]) -> str:
    """Return the JSON of a report.

    Parameters
    ----------
    runs : sequence of RunRecord
        The runs, one per host. The sources of their limits are relative to the repository.

    Returns
    -------
    str
        A list with one entry per limit that did not pass; limits without a source are omitted.
    """
    return json.dumps([entry for run in runs for entry in _entries(run)], indent=1) + "\n"


def _entries(run: RunRecord) -> Iterator[dict[str, Any]]:
    host = str(run.host.get("instance_type") or run.host.get("cpu_model") or "")
    for record, gate in unmet_gates(run.records):
        file, _, line = gate.source.rpartition(":")
        if not line.isdecimal():
            continue
        name = variant_name(record)
        key = "\0".join((host, name, gate.measure, gate.limit.partition(" ")[0]))
        yield {
            "description": f"{name} {gate.why}{f' (on {host})' if host else ''}",
            "check_name": f"infperf.{gate.measure}",
            "fingerprint": hashlib.sha256(key.encode()).hexdigest(),
            "severity": _SEVERITIES[gate.verdict],
            "location": {"path": file, "lines": {"begin": int(line)}},
        }
