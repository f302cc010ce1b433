"""`infperf doctor`: conditions of this host that disturb measurements or slow inference."""

from __future__ import annotations

import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from pytest_infperf.history.store import read
from pytest_infperf.host import doctor
from pytest_infperf.host.doctor import Advice
from pytest_infperf.records.record import Record, RunRecord
from pytest_infperf.report.problems import variant_name
from pytest_infperf.run.run import LIBRARIES

_MANY_CONTAMINATED = 0.1
"""Fraction of contaminated blocks that is a finding, whether they were measured again or not."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        metavar="RECORD",
        help="records to examine as well, written by `pytest --infperf-json`",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 if there is a finding")


def run(arguments: Namespace) -> int:
    records = [read(Path(name)).run for name in arguments.files]
    findings = doctor.diagnose(LIBRARIES)
    findings += findings_in(records)
    console = Console(highlight=False, markup=False, emoji=False)
    for advice in findings:
        for label, text in (("", advice.seen), ("  why: ", advice.why), ("  do:  ", advice.do)):
            wrapped = textwrap.wrap(
                label + text,
                max(40, console.width),
                subsequent_indent=" " * (len(label) or 2),
                break_long_words=False,
                break_on_hyphens=False,
            )
            console.print("\n".join(wrapped), soft_wrap=True)
        console.print()
    word = "finding" if len(findings) == 1 else "findings"
    console.print(f"{len(findings)} {word}" if findings else "nothing disturbs measurements")
    return 1 if findings and arguments.strict else 0


def findings_in(runs: Sequence[RunRecord]) -> Iterator[Advice]:
    """Yield each finding in records once, with the names of its variants."""
    names: dict[Advice, list[str]] = {}
    for run in runs:
        for record in run.records:
            for finding in _findings_of(record, run.host.get("cgroup_cpu_cores")):
                names.setdefault(finding, []).append(variant_name(record))
    for finding, concerned in names.items():
        yield replace(finding, seen=f"{', '.join(dict.fromkeys(concerned))}: {finding.seen}")


def _findings_of(record: Record, quota: float | None) -> Iterator[Advice]:
    """Yield advice on unfused graphs, contaminated blocks, and more threads than the quota."""
    for doubt in record.evidence.doubts or ():
        yield Advice(
            doubt,
            "the optimisation may have little or no effect",
            "check the settings of the backend in the suite, and the variant's speed-up",
        )
    if (share := _contaminated_share(record)) > _MANY_CONTAMINATED:
        yield Advice(
            f"{share:.0%} of the blocks were disturbed by other work on the host",
            "disturbed blocks are measured again only until the allowance is spent",
            "measure on a quieter host; `infperf doctor` lists its busy processes",
        )
    threads = record.settings.threads
    if quota and threads and threads > quota:
        yield Advice(
            f"{threads} threads under a quota of {quota:g} cores",
            "the threads exhaust the quota early in each period, and then all of them wait",
            "use fewer threads, or raise the quota",
        )


def _contaminated_share(record: Record) -> float:
    blocks = record.evidence.contaminated_blocks
    if not blocks or not blocks.measured:
        return 0.0
    return (blocks.again + blocks.disturbed) / (blocks.again + blocks.measured)
