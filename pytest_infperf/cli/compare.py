"""`infperf compare A B`: every measure of two saved runs, side by side."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_infperf.history import comparison, fail_on
from pytest_infperf.history.comparison import Change, Comparison
from pytest_infperf.history.fail_on import Finding
from pytest_infperf.history.store import DEFAULT_STORAGE, HistoryStore, storage_folder
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.quantity import format_value


def configure(parser: ArgumentParser) -> None:
    run = "a file, a number, latest, latest~1, or a git revision"
    parser.add_argument("before", metavar="A", help=f"the run before: {run}")
    parser.add_argument("after", metavar="B", help="the run after, likewise")
    parser.add_argument(
        "--storage", default=DEFAULT_STORAGE, help="of pytest-benchmark (default: %(default)s)"
    )
    parser.add_argument("--measures", default="*", metavar="GLOB", help="only these measures")
    parser.add_argument("--variants", default="*", metavar="GLOB", help="only these variants")
    parser.add_argument(
        "--fail-on",
        metavar="LIMITS",
        help='exit with 1 when a change is beyond a limit: "latency_p50:5%%,bleu:-0.5"',
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 also for what is too uncertain to tell"
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
    found = comparison.compare(before, after)
    console.print(f"before: {before}\nafter:  {after}", soft_wrap=True)
    console.print(_about_hosts(found))
    chosen = [
        change
        for change in found.changes
        if fnmatchcase(change.measure, arguments.measures)
        and fnmatchcase(change.variant, arguments.variants)
    ]
    for suite in dict.fromkeys(change.suite for change in chosen):
        its = [change for change in chosen if change.suite == suite]
        console.print()
        for line in _one_sided(its):
            console.print(line)
        console.print(_table(suite, [c for c in its if c.variant in _on_both_sides(its)]))
    if not limits:
        return 0
    judged = list(fail_on.judge([c for c in chosen if c.variant in _on_both_sides(chosen)], limits))
    worst = [one for one in judged if one.finding is not Finding.KEPT]
    console.print()
    for one in worst:
        console.print(f"{_WORDS[one.finding]} {fail_on.describe(one)}", soft_wrap=True)
    console.print(f"{len(judged) - len(worst)} of {len(judged)} limits are kept to")
    broken = any(one.finding is Finding.BROKEN for one in worst)
    return 1 if broken or (arguments.strict and worst) else 0


def _on_both_sides(changes: Sequence[Change]) -> set[str]:
    before, after = (
        {change.variant for change in changes if getattr(change, side)}
        for side in ("before", "after")
    )
    return before & after


def _one_sided(changes: Sequence[Change]) -> Iterator[str]:
    names = dict.fromkeys(c.variant for c in changes if c.variant not in _on_both_sides(changes))
    for side in ("before", "after"):
        its = {change.variant for change in changes if getattr(change, side)}
        if only := [name for name in names if name in its]:
            yield f"only {side}: {', '.join(only)}"


_WORDS = {
    Finding.BROKEN: "FAIL",
    Finding.UNCERTAIN: "UNCERTAIN",
    Finding.NOT_COMPARED: "NOT COMPARED",
}


def _about_hosts(found: Comparison) -> str:
    if found.differing_facts:
        facts = ", ".join(found.differing_facts)
        return (
            f"The hosts differ ({facts}): times, rates and memory are compared as ratios to each "
            "run's own baseline."
        )
    return (
        "The hosts are alike. The intervals hold what each run saw; what the host did between the "
        "two they can't hold: for a verdict, measure both at once with --infperf-against."
    )


def _table(suite: str, changes: Sequence[Change]) -> Table:
    """The measures of a variant stand below its id."""
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
    found = change.change
    if found is None:
        return Text("-"), ""
    interval = ""
    if found.low is not None or found.high is not None:
        low, high = (
            "?" if bound is None else _signed(bound, found.unit)
            for bound in (found.low, found.high)
        )
        interval = f"[{low}, {high}]" if found.low != found.high else ""
    return Text(_signed(found.value, found.unit), "bold" if change.is_clear else ""), interval


def _signed(value: float, unit: str) -> str:
    return f"{'+' if value >= 0 else ''}{format_value(value, unit)}"


def _remark(change: Change) -> str:
    if change.basis is None:
        return "" if change.before is None or change.after is None else "no baseline"
    if change.basis != "values":
        return "to baseline"
    return "clear" if change.is_clear else ""
