"""Notes below the table of a load, about how its servers were measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean, stdev

from pytest_infperf.records.evidence import LoadEvidence, LoadWindow
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import Record


def load_notes(load: str, records: Sequence[Record]) -> Iterator[str]:
    """Yield notes on the placement of cores, then on the measuring of each variant."""
    loaded = [
        (record, loads[load])
        for record in records
        if load in (loads := record.evidence.loads or {})
    ]
    yield from _placement_notes([record for record, _ in loaded])
    for record, evidence in loaded:
        for note in _variant_notes(evidence):
            yield f"{record.variant}: {note}"


def _placement_notes(records: Sequence[Record]) -> Iterator[str]:
    """Yield a note per placement: whether server and generator have separate cores."""
    servers = [record.settings.serving for record in records]
    placements = dict.fromkeys(
        (tuple(server.server_cpus), tuple(server.generator_cpus)) for server in servers if server
    )
    for server_cpus, generator_cpus in placements:
        if set(server_cpus) & set(generator_cpus):
            yield "server and generator share their cores: each slows the other"
        elif server_cpus:
            total = len(server_cpus) + len(generator_cpus)
            yield (
                f"the server had {len(server_cpus)} of {total} cores and the generator the rest: "
                "with all cores and a generator on another host, it would answer more requests"
            )


def _variant_notes(evidence: LoadEvidence) -> Iterator[str]:
    """Yield notes on workers that died, a host that became slower, and rejected measurements."""
    if died := evidence.died_workers:
        failed = sum(evidence.errors.values())
        yield (
            f"{died} of its workers died and were restarted; "
            f"{failed} of the load's {evidence.requests} requests failed"
        )
    if len(means_s := evidence.repetition_means_s) > 1:
        low, middle, high, spread = (
            format_value(seconds, "s")
            for seconds in (min(means_s), fmean(means_s), max(means_s), stdev(means_s))
        )
        yield (
            f"means of {len(means_s)} repetitions from {low} to {high}: {middle} on average, with "
            f"a standard deviation of {spread}"
        )
    if evidence.why_no_tokens:
        yield f"times of tokens that are missing: {evidence.why_no_tokens}"
    if set(evidence.broken_limits.values()) - {"latency"}:
        yield f"the first limit to break: {evidence.first_broken}"
    windows = evidence.timeline
    if slow := [window for window in windows if window.slow_host]:
        yield (
            f"the host was slower by a quarter or more in {len(slow)} of {len(windows)} windows "
            f"of {slow[0].seconds:.3g} s, with {_errors(slow)} of {_errors(windows)} errors"
        )
    if rejected := evidence.spoilt_runs:
        yield f"measured {len(rejected) + 1} times, because {rejected[-1]} in the run before"
    if left_out := evidence.samples_left_out:
        why = evidence.left_out_why
        yield f"samples omitted because the server would refuse them: {left_out} ({why})"
    if evidence.doubt:
        yield f"in doubt: {evidence.doubt}"


def _errors(windows: Sequence[LoadWindow]) -> int:
    return sum(window.errors for window in windows)
