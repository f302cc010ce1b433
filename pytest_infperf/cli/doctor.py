"""`infperf doctor`: what on this host, and in a record of it, stands in the way of good numbers."""

from __future__ import annotations

import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from pytest_infperf.history.store import read
from pytest_infperf.host import doctor
from pytest_infperf.host.doctor import Advice
from pytest_infperf.records.record import Record, RunRecord
from pytest_infperf.run.run import LIBRARIES

_MANY_CONTAMINATED = 0.1
"""Of all blocks: a sixth are measured again at most (`SecondChances`)."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="*", metavar="RECORD", help="also look into records of --infperf-json"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 when there is a finding")


def run(arguments: Namespace) -> int:
    records = [read(Path(name)).run for name in arguments.files]
    found = doctor.diagnose(LIBRARIES)
    for record in records:
        found += in_records(record)
    console = Console(highlight=False, markup=False, emoji=False)
    for advice in found:
        for lead, text in (("", advice.seen), ("  why: ", advice.why), ("  do:  ", advice.do)):
            indent = " " * (len(lead) or 2)
            wrapped = textwrap.wrap(
                lead + text,
                max(40, console.width),
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
            console.print("\n".join(wrapped), soft_wrap=True)
        console.print()
    word = "finding" if len(found) == 1 else "findings"
    console.print(f"{len(found)} {word}" if found else "nothing in the way of measuring")
    return 1 if found and arguments.strict else 0


def in_records(run: RunRecord) -> Iterator[Advice]:
    """What a run's records show: unfused graphs, spoilt blocks, more threads than the quota."""
    quota = run.host.get("cgroup_cpu_cores")
    for record in run.records:
        name = f"{record.suite}[{record.variant}]"
        for doubt in record.evidence.doubts or ():
            yield Advice(
                f"{name}: {doubt}",
                "its optimisation may change little, or nothing",
                "see the settings of its backend in the suite, and compare its speed-up",
            )
        if (share := _contaminated(record)) > _MANY_CONTAMINATED:
            yield Advice(
                f"{name}: {share:.0%} of its blocks were disturbed by other work on the host",
                "they were measured again until the allowance was spent",
                "measure on a quieter host; `infperf doctor` there says what is busy",
            )
        threads = record.settings.threads
        if quota and threads and threads > quota:
            yield Advice(
                f"{name}: {threads} threads under a quota of {quota:g} cores",
                "they use the quota up early in each period, and then all stand still",
                "lower its threads, or raise the quota",
            )


def _contaminated(record: Record) -> float:
    blocks = record.evidence.contaminated_blocks
    return blocks.again / (blocks.again + blocks.measured) if blocks and blocks.again else 0.0
