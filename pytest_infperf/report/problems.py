"""Problems of a run that every report lists: gates that did not pass, and slow variants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_infperf.records.record import GateRecord, Record, Verdict


def variant_name(record: Record) -> str:
    """Return suite and variant as pytest names them, for example `translation[onnx-int8]`."""
    return f"{record.suite}[{record.variant}]"


def unmet_gates(records: Sequence[Record]) -> Iterator[tuple[Record, GateRecord]]:
    """Yield each gate that did not pass, with its record: failed ones, then inconclusive ones."""
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        for record in records:
            for gate in record.gates:
                if gate.verdict is verdict:
                    yield record, gate


def caught_in(test: str, gates: Sequence[GateRecord]) -> str:
    """Return the message about a test that has caught the errors of limits."""
    return "\n".join(
        [
            f"the error of a limit was caught in {test}: let `check()` raise it, mark the test "
            "with pytest.mark.xfail, or read the measures without `check()`",
            *(f"  {gate.verdict.name} {gate.why} ({gate.source})" for gate in gates),
        ]
    )


def tried_again(records: Sequence[Record]) -> Iterator[tuple[Record, GateRecord]]:
    """Yield each verdict that a test did not give at its first try, with its record."""
    return ((record, gate) for record in records for gate in record.gates if gate.tries > 1)


def unjudged_gates(records: Sequence[Record]) -> Iterator[tuple[Record, GateRecord]]:
    """Yield each limit that no test judged, with its record."""
    return ((record, gate) for record in records for gate in record.gates if gate.tries < 1)


def suites_without_verdict(records: Sequence[Record]) -> list[str]:
    """Return the suites that were measured, but had no limit judged."""
    measured = dict.fromkeys(record.suite for record in records if record.measures)
    judged = {record.suite for record in records if record.gates}
    return [suite for suite in measured if suite not in judged]


def conclusion(records: Sequence[Record]) -> str:
    """Return the conclusion about a run without problems."""
    if not any(record.gates for record in records):
        return "No limit was judged."
    without = suites_without_verdict(records)
    xfailed = any(gate.verdict is Verdict.XFAILED for record in records for gate in record.gates)
    but = ", except in tests that are expected to fail" if xfailed else ""
    return " ".join(
        [f"Every limit is met{but}.", *(f"No limit of {name} was judged." for name in without)]
    )


def at_try(gate: GateRecord) -> str:
    """Return the words for a verdict that a test gave at a later try."""
    return f" at try {gate.tries}" if gate.tries > 1 else ""


def reasons_for_slowness(record: Record) -> list[str]:
    """Return why a variant may be slower than the baseline, as observed when it was built.

    The list is empty for a variant that is not clearly slower. It is also empty if a gate on the
    speed-up did not pass, because the message of that gate gives the reasons.
    """
    speedup = record.measures.get("speedup")
    if speedup is None or speedup.high is None or speedup.high >= 1:
        return []
    if any(g.measure == "speedup" and g.verdict is not Verdict.PASS for g in record.gates):
        return []
    return list(record.evidence.doubts or [])
