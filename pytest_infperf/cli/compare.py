"""`infperf compare A B`: every measure of two saved runs, side by side."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_infperf.errors import UserError
from pytest_infperf.history import comparison, fail_on
from pytest_infperf.history.comparison import Change, Comparison
from pytest_infperf.history.fail_on import Finding
from pytest_infperf.history.series import matches
from pytest_infperf.history.store import DEFAULT_STORAGE, HistoryStore, storage_folder
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.quantity import format_value

_LABELS = {
    Finding.BROKEN: "FAIL",
    Finding.UNCERTAIN: "UNCERTAIN",
    Finding.NOT_COMPARED: "NOT COMPARED",
}


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "before",
        metavar="A",
        help="the earlier run: a file, a number, latest, latest~1, or a git revision",
    )
    parser.add_argument("after", metavar="B", help="the later run, named in the same way")
    parser.add_argument(
        "--storage",
        default=DEFAULT_STORAGE,
        help="storage of pytest-benchmark (default: %(default)s)",
    )
    parser.add_argument("--measures", default="*", metavar="GLOB,GLOB", help="only these measures")
    parser.add_argument("--variants", default="*", metavar="GLOB", help="only these variants")
    parser.add_argument(
        "--fail-on",
        metavar="LIMITS",
        help='exit with 1 if a change is beyond a limit: "latency_p50:5%%,bleu:-0.5"',
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="with --fail-on, exit with 3 if no limit is broken and one cannot be decided",
    )


def run(arguments: Namespace) -> int:
    folder = Path.cwd()
    console = Console(highlight=False, markup=False, emoji=False)
    store = HistoryStore(
        storage_folder(arguments.storage, folder),
        lambda reason: console.print(f"skipped {reason}", soft_wrap=True),
    )
    limits = fail_on.parse(arguments.fail_on) if arguments.fail_on else []
    before, after = (store.find(name, folder) for name in (arguments.before, arguments.after))
    compared = comparison.compare(before, after)
    console.print(f"before: {before}\nafter:  {after}", soft_wrap=True)
    console.print(_describe_hosts(compared))
    for line in _describe_models(compared, arguments.variants):
        console.print(line, soft_wrap=True)
    changes = [
        change
        for change in compared.changes
        if any(fnmatchcase(change.measure, glob) for glob in arguments.measures.split(","))
        and matches(change.variant, arguments.variants)
    ]
    if not changes:
        raise UserError(
            f"no measure of these runs matches --measures {arguments.measures} and "
            f"--variants {arguments.variants}"
        )
    for suite in dict.fromkeys(change.suite for change in changes):
        suite_changes = [change for change in changes if change.suite == suite]
        console.print()
        for line in _one_sided(suite_changes):
            console.print(line)
        console.print(_table(suite, _of_common_variants(suite_changes)))
    if not limits:
        return 0
    judged = list(fail_on.judge(_of_common_variants(changes), limits))
    not_met = [result for result in judged if result.finding is not Finding.KEPT]
    console.print()
    for result in not_met:
        console.print(f"{_LABELS[result.finding]} {fail_on.describe(result)}", soft_wrap=True)
    console.print(f"{len(judged) - len(not_met)} of {len(judged)} limits are met")
    if any(result.finding is Finding.BROKEN for result in not_met):
        return 1
    return 3 if arguments.strict and not_met else 0


def _of_common_variants(changes: Sequence[Change]) -> list[Change]:
    """Return the changes of variants that both runs have."""
    common = _variants(changes, "before") & _variants(changes, "after")
    return [change for change in changes if change.variant in common]


def _variants(changes: Sequence[Change], side: str) -> set[str]:
    return {change.variant for change in changes if getattr(change, side)}


def _one_sided(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each run that has variants which the other lacks."""
    variants = {side: _variants(changes, side) for side in ("before", "after")}
    for side, other in (("before", "after"), ("after", "before")):
        if only := variants[side] - variants[other]:
            names = [name for name in dict.fromkeys(c.variant for c in changes) if name in only]
            yield f"only {side}: {', '.join(names)}"


def _describe_hosts(compared: Comparison) -> str:
    if compared.differing_facts:
        facts = ", ".join(compared.differing_facts)
        return (
            f"The hosts differ ({facts}): times, rates, memory and energy are compared as ratios "
            "to each run's own baseline."
        )
    return (
        "The hosts are alike. The intervals cover the variation within each run, not a change of "
        "the host between the runs: for a verdict, measure both revisions in one run with "
        "--infperf-against."
    )


def _describe_models(compared: Comparison, variants: str) -> Iterator[str]:
    """Yield a line for each change of a model, with the variants that it concerns."""
    concerned: dict[tuple[str, str], list[str]] = {}
    for change in compared.model_changes:
        if matches(change.variant, variants):
            name = f"{change.suite}[{change.variant}]"
            concerned.setdefault((change.before, change.after), []).append(name)
    for (before, after), names in concerned.items():
        yield f"The models differ: {before} before, {after} after, of {', '.join(names)}."


def _table(suite: str, changes: Sequence[Change]) -> Table:
    """Return a table with a header row for each variant and its measures below."""
    table = Table(title=suite, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.padding = (0, 1, 0, 0)
    table.add_column("measure", overflow="fold")
    for name in ("before", "after", "change"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("interval", no_wrap=True)
    table.add_column("", no_wrap=True)
    last = ""
    for change in changes:
        if change.variant != last:
            table.add_row(Text(change.variant, "bold"))
        values = [_value(measure) for measure in (change.before, change.after)]
        table.add_row(f"  {change.measure}", *values, *_change(change), _remark(change))
        last = change.variant
    return table


def _value(measure: Measure | None) -> str:
    if measure is None:
        return "-"
    return format_value(measure.value, measure.unit).replace(" samples/s", "/s")


def _change(change: Change) -> tuple[Text, str]:
    """Return the cells of a change and its interval."""
    measure = change.change
    if measure is None:
        return Text("-"), ""
    interval = ""
    if measure.low is not None or measure.high is not None:
        low, high = (
            "?" if bound is None else _signed(bound, measure.unit)
            for bound in (measure.low, measure.high)
        )
        interval = f"[{low}, {high}]" if measure.low != measure.high else ""
    return Text(_signed(measure.value, measure.unit), "bold" if change.is_clear else ""), interval


def _signed(value: float, unit: str) -> str:
    return f"{'+' if value >= 0 else ''}{format_value(value, unit)}"


def _remark(change: Change) -> str:
    if change.basis is None:
        return "" if change.before is None or change.after is None else "no baseline"
    if change.basis != "values":
        return "to baseline"
    return "clear" if change.is_clear else ""
