"""Notes on how servers were measured under a load, for the lines below its table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_infperf.records.record import Record


def load_notes(load: str, records: Sequence[Record]) -> Iterator[str]:
    """Yield notes on the placement of cores, then on the measuring of each variant."""
    loaded = [record for record in records if load in record.evidence.get("loads", {})]
    yield from _placement_notes(loaded)
    for record in loaded:
        for note in _variant_notes(record.evidence["loads"][load]):
            yield f"{record.variant}: {note}"


def _placement_notes(records: Sequence[Record]) -> Iterator[str]:
    """Yield a note per placement: whether server and generator have separate cores."""
    placements = dict.fromkeys(
        (tuple(s.get("server_cpus", ())), tuple(s.get("generator_cpus", ())))
        for s in (r.settings.get("serving", {}) for r in records)
    )
    for server_cpus, generator_cpus in placements:
        if set(server_cpus) & set(generator_cpus):
            yield "server and generator share their cores: each slows the other"
        elif server_cpus:
            total = len(server_cpus) + len(generator_cpus)
            yield (
                f"the server had {len(server_cpus)} of {total} cores and the generator the rest: "
                "with all of them, and load from elsewhere, it would answer more"
            )


def _variant_notes(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Yield notes on workers that died, a host that became slower, and rejected measurements."""
    if died := evidence.get("died_workers"):
        failed = sum(evidence.get("errors", {}).values())
        yield (
            f"{died} of its workers died and were restarted; "
            f"{failed} of {evidence['requests']} requests failed"
        )
    windows = evidence.get("timeline", ())
    if slow := [window for window in windows if window["slow_host"]]:
        yield (
            f"the host was slower by a quarter or more in {len(slow)} of {len(windows)} windows "
            f"of {slow[0]['seconds']:.3g} s, with {_errors(slow)} of {_errors(windows)} errors"
        )
    if rejected := evidence.get("spoilt_runs"):
        yield f"measured {len(rejected) + 1} times, because {rejected[-1]} in the run before"
    if doubt := evidence.get("doubt"):
        yield f"in doubt: {doubt}"


def _errors(windows: Sequence[Mapping[str, Any]]) -> int:
    return sum(window["errors"] for window in windows)
