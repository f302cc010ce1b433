"""`infperf judge FILE --suite NAME --variant ID`: judge the results of another load generator."""

from __future__ import annotations

import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from pytest_infperf.cli.measures_table import measures_table
from pytest_infperf.errors import GateBroken, InconclusiveGate, UserError
from pytest_infperf.gates.result import Result
from pytest_infperf.imported.files import read_runs
from pytest_infperf.imported.run import ServedRun
from pytest_infperf.records.catalogue import Catalogue
from pytest_infperf.records.evidence import VariantSettings
from pytest_infperf.records.file import write
from pytest_infperf.records.points import at, point_of
from pytest_infperf.records.record import Record, RunRecord, Verdict
from pytest_infperf.repository.revision import revision
from pytest_infperf.settings import THRESHOLDS_FILE
from pytest_infperf.thresholds import Thresholds, read
from pytest_infperf.thresholds.gate import Gate
from pytest_infperf.thresholds.wording import suggest, toml_key, toml_string

_SHOWN = (
    "latency_mean", "latency_p99", "ttft_p50", "ttft_p99", "tpot_p50", "tpot_p99", "itl_p50",
    "itl_p99", "throughput", "token_throughput", "error_rate",
)  # fmt: skip
"""The measures that are printed; the record has all of them."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        help="results of vllm bench serve (--save-result --save-detailed), GuideLLM "
        "(benchmarks.json) or AIPerf (profile_export.jsonl)",
    )
    parser.add_argument(
        "--suite", required=True, metavar="NAME", help="suite in thresholds.toml and in the record"
    )
    parser.add_argument(
        "--variant", required=True, metavar="ID", help="variant in thresholds.toml and the record"
    )
    parser.add_argument(
        "--load",
        metavar="NAME",
        help="name of the load in limits, such as users=16 (default: as in the file)",
    )
    parser.add_argument(
        "--host", default="", metavar="NAME",
        help="name of the server's host, for limits that apply to a host only",
    )  # fmt: skip
    parser.add_argument(
        "--thresholds",
        type=Path,
        metavar="PATH",
        help=f"file with the limits (default: {THRESHOLDS_FILE} if it exists)",
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the record to this file")


def run(arguments: Namespace) -> int:
    """Print the measures and verdicts; return 1 if a limit is broken or inconclusive.

    Limits on what the file does not measure, such as quality, are named and not judged.
    """
    runs = _renamed(read_runs(arguments.file), arguments.load, arguments.file)
    thresholds = _thresholds(arguments.thresholds)
    _check_suite(thresholds, arguments.suite)
    loads = [run.load for run in runs]
    catalogue = Catalogue(points=dict.fromkeys(loads, "load"), generates=True, tokens_at=loads)
    others: list[str] = []

    def is_of_file(measure: str) -> bool:
        if point_of(measure) in loads:
            return True
        others.append(measure)
        return False

    gates = thresholds.gates_for(
        arguments.suite,
        arguments.variant,
        catalogue,
        [arguments.host],
        baseline=None,
        concerns=is_of_file,
    )
    record = Record(arguments.suite, arguments.variant)
    record.settings = VariantSettings(model=runs[0].model or None)
    confidence = thresholds.policy(arguments.suite).confidence
    met = [_enter(record, served, gates, confidence) for served in runs]
    if not record.gates:
        raise UserError(
            f"{thresholds.source or THRESHOLDS_FILE} has no limit that {arguments.file} can judge: "
            "write one on a measure at its load, such as\n"
            f"{_example(thresholds, arguments.suite, runs[0].load)}"
        )
    if arguments.json:
        host = {"instance_type": arguments.host or None, "results of": runs[0].tool}
        when = datetime.now(UTC).isoformat(timespec="seconds")
        write(arguments.json, RunRecord(host, revision(Path.cwd()), [record], when=when))
    _show(runs, record, confidence)
    if others:
        print(f"not judged, because the file does not measure them: {', '.join(others)}")
    for warning in _warnings(thresholds, record, runs):
        print(f"warning: {warning}")
    return int(not all(met))


def _renamed(runs: list[ServedRun], name: str | None, file: Path) -> list[ServedRun]:
    if name is None:
        return runs
    if len(runs) > 1:
        raise UserError(
            f"--load {name}: {file} has {len(runs)} loads: {', '.join(run.load for run in runs)}"
        )
    return [replace(runs[0], load=name)]


def _thresholds(named: Path | None) -> Thresholds:
    path = named or Path(THRESHOLDS_FILE)
    return read(path, Path.cwd()) if named or path.is_file() else Thresholds.empty()


def _check_suite(thresholds: Thresholds, suite: str) -> None:
    """Raise UserError if the file has limits, but none of this suite."""
    if thresholds.suites and suite not in thresholds.suites:
        raise UserError(
            f"--suite {suite}: {thresholds.source} has no table [{toml_key(suite)}]. "
            f"{suggest(suite, thresholds.suites)}"
        )


def _example(thresholds: Thresholds, suite: str, load: str) -> str:
    """Return the lines of a limit that the file lacks."""
    name = toml_key(suite)
    table = [] if suite in thresholds.suites else [f"[{name}]", "imported = true"]
    gate = f'ttft_p99.at.{toml_string(load)} = {{ max = "500 ms" }}'
    return "\n".join([*table, f"[{name}.gates]", gate])


def _warnings(thresholds: Thresholds, record: Record, runs: list[ServedRun]) -> Iterator[str]:
    """Yield what a run without a broken limit may hide: failed requests, and a misspelt variant."""
    suite = toml_key(record.suite)
    judged = {gate.measure for gate in record.gates}
    for served in runs:
        if served.failed and at("error_rate", served.load) not in judged:
            requests = len(served.requests) + served.failed
            yield (
                f"{served.failed} of {requests} requests under load {served.load} failed, and no "
                "limit judges them: write "
                f'error_rate.at.{toml_string(served.load)} = {{ max = "1 %" }} in [{suite}.gates]'
            )
    section = thresholds.suites[record.suite]
    if section.variants and record.variant not in section.variants:
        yield (
            f"no limit is for the variant {record.variant} alone: [{suite}.variants] has "
            f"{', '.join(map(toml_key, section.variants))}"
        )


def _enter(record: Record, served: ServedRun, gates: list[Gate], confidence: float) -> bool:
    """Add the measures and verdicts of a run to the record; return whether its limits are met."""
    at_load = [gate for gate in gates if point_of(gate.measure) == served.load]
    percentiles = [gate.measure for gate in at_load if gate.spec.percentile]
    measured = served.measured(percentiles, confidence)
    record.measures |= measured.measures
    with warnings.catch_warnings():  # `_show` prints all verdicts
        warnings.simplefilter("ignore", InconclusiveGate)
        try:
            Result([measured], at_load, record, record.gates.append).check()
        except GateBroken:
            return False
    return True


def _show(runs: list[ServedRun], record: Record, confidence: float) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    for served in runs:
        title = f"{record.suite}[{record.variant}] under load {served.load}, by {served.tool}"
        console.print(title, soft_wrap=True)
        shown = {
            name: measure
            for name in (at(name, served.load) for name in _SHOWN)
            if (measure := record.measures.get(name))
        }
        console.print(measures_table(shown, confidence))
    for outcome in record.gates:
        passed = outcome.verdict is Verdict.PASS
        word = "pass" if passed else outcome.verdict.upper()
        console.print(f"{word} {outcome.why} ({outcome.source})", soft_wrap=True)
        if outcome.remedy and not passed:
            console.print(f"  {outcome.remedy}", soft_wrap=True)
