"""`infperf compare A B`: compare the measures of two saved runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pytest_infperf.errors import UserError
from pytest_infperf.history import comparison, fail_on
from pytest_infperf.history.comparison import Change, Comparison, of_common_variants
from pytest_infperf.history.fail_on import Finding
from pytest_infperf.history.selection import matches, require_matches
from pytest_infperf.history.series import DEFAULT_IN_WORDS
from pytest_infperf.history.store import (
    DEFAULT_STORAGE,
    HistoryStore,
    no_saved_run,
    storage_folder,
    with_records,
)
from pytest_infperf.records.catalogue import is_quality
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.points import AT, base_of, point_of
from pytest_infperf.records.quantity import format_value
from pytest_infperf.report.tables.grouped import Group, table_lines

_LABELS = {
    Finding.BROKEN: "FAIL",
    Finding.INCONCLUSIVE: "INCONCLUSIVE",
    Finding.NOT_COMPARED: "NOT COMPARED",
}
_HEADERS = ("measure", "before", "after", "change", "", "interval", "")
_MARK, _BEYOND = "*", "beyond both intervals"
_NO_BOUND = "?"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "before",
        nargs="?",
        metavar="A",
        help="the earlier run: a file, a number, latest, latest~1, or a git revision",
    )
    parser.add_argument(
        "after", nargs="?", metavar="B", help="the later run, specified in the same way"
    )
    parser.add_argument("--list", action="store_true", help="list the saved runs and exit")
    parser.add_argument(
        "--storage",
        default=DEFAULT_STORAGE,
        help="storage of pytest-benchmark (default: %(default)s)",
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--measures",
        default="",
        metavar="GLOB,GLOB",
        help=f"measures to show (default: {DEFAULT_IN_WORDS})",
    )
    shown.add_argument("--all", action="store_true", help="show all measures")
    parser.add_argument(
        "--variants", default="*", metavar="GLOB", help="only these variants (default: all)"
    )
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
    if arguments.list:
        return _list(store, console)
    if not arguments.after:
        raise UserError(
            "specify two runs, such as `infperf compare latest~1 latest`; "
            "`infperf compare --list` lists the saved runs"
        )
    if arguments.strict and arguments.fail_on is None:
        raise UserError("--strict: name the limits with --fail-on")
    limits = [] if arguments.fail_on is None else fail_on.parse(arguments.fail_on)
    before, after = (
        with_records(store.find(name, folder)) for name in (arguments.before, arguments.after)
    )
    compared = comparison.compare(before, after)
    changes = _of_variants(compared, arguments.variants)
    shown = _selected(compared, changes, arguments)
    console.print(f"before: {before}\nafter:  {after}", soft_wrap=True)
    console.print(_describe_hosts(compared))
    for line in _describe_settings(compared, arguments.variants):
        console.print(line, soft_wrap=True)
    for suite in dict.fromkeys(change.suite for change in changes):
        console.print()
        for line in _one_sided([change for change in changes if change.suite == suite]):
            console.print(line, soft_wrap=True)
        groups = _groups([change for change in shown if change.suite == suite])
        if groups:
            console.print(Text(suite, "italic"))
            lines = table_lines(_HEADERS, groups, ("before", "after", "change"), console.width)
            for text in lines:
                console.print(text, soft_wrap=True)
    console.print()
    for line in _notes(shown):
        console.print(line)
    if not (arguments.all or arguments.measures):
        for line in _hidden([c for c in of_common_variants(changes) if c not in shown]):
            console.print(line)
    if not limits:
        return 0
    earlier = _variants(changes, "before")
    judged = list(fail_on.judge([c for c in changes if (c.suite, c.variant) in earlier], limits))
    not_met = [result for result in judged if result.finding is not Finding.KEPT]
    for result in not_met:
        console.print(f"{_LABELS[result.finding]} {fail_on.describe(result)}", soft_wrap=True)
    console.print(f"{len(judged) - len(not_met)} of {len(judged)} limits are met")
    if any(result.finding is Finding.BROKEN for result in not_met):
        return 1
    return 3 if arguments.strict and not_met else 0


def _list(store: HistoryStore, console: Console) -> int:
    """Print each saved run with its suites, the oldest first."""
    if not store.runs:
        raise no_saved_run(store.folder)
    for saved in store.runs:
        suites: dict[str, int] = {}
        for record in saved.run.records:
            suites[record.suite] = suites.get(record.suite, 0) + 1
        counts = (f"{suite} ({n} variant{'' if n == 1 else 's'})" for suite, n in suites.items())
        console.print(f"{saved}: {', '.join(counts)}", soft_wrap=True)
    return 0


def _of_variants(compared: Comparison, glob: str) -> list[Change]:
    """Return the changes of matching variants. Raises UserError if there is none."""
    require_matches("--variants", [glob], {change.variant for change in compared.changes})
    return [change for change in compared.changes if matches(change.variant, glob)]


def _selected(
    compared: Comparison, changes: Sequence[Change], arguments: Namespace
) -> list[Change]:
    """Return the changes to show, of variants that both runs have."""
    common = of_common_variants(changes)
    if arguments.all:
        return common
    if globs := [glob for glob in arguments.measures.split(",") if glob]:
        require_matches("--measures", globs, {change.measure for change in changes})
        return [each for each in common if any(matches(each.measure, glob) for glob in globs)]
    return compared.main(common)


def _variants(changes: Sequence[Change], side: str) -> set[tuple[str, str]]:
    return {(change.suite, change.variant) for change in changes if getattr(change, side)}


def _one_sided(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each run with variants that are missing in the other."""
    variants = {side: _variants(changes, side) for side in ("before", "after")}
    for side, other in (("before", "after"), ("after", "before")):
        if only := variants[side] - variants[other]:
            names = (f"{c.suite}[{c.variant}]" for c in changes if (c.suite, c.variant) in only)
            yield f"only {side}: {', '.join(dict.fromkeys(names))}"


def _describe_hosts(compared: Comparison) -> str:
    if compared.differing_facts:
        facts = ", ".join(compared.differing_facts)
        return (
            f"The hosts differ ({facts}): times, rates, memory and energy are compared as ratios "
            "to the baseline of the same run."
        )
    return (
        "The hosts are equal. The intervals cover the variation within each run, not a change of "
        "the host between the runs: for a verdict, measure both revisions in one run with "
        "--infperf-against."
    )


def _describe_settings(compared: Comparison, variants: str) -> Iterator[str]:
    """Yield a line for each changed setting, with its variants."""
    concerned: dict[tuple[str, str, str], list[str]] = {}
    for change in compared.setting_changes:
        if matches(change.variant, variants):
            key = change.setting, change.before, change.after
            concerned.setdefault(key, []).append(f"{change.suite}[{change.variant}]")
    every = {(c.suite, c.variant) for c in of_common_variants(compared.changes)}
    for (setting, before, after), names in concerned.items():
        of = "all variants" if len(names) == len(every) > 1 else ", ".join(names)
        what = "The models differ" if setting == "model" else f"The settings of {setting} differ"
        yield f"{what}: {before} before, {after} after, of {of}."


def _groups(changes: Sequence[Change]) -> list[Group]:
    """Return a group per variant, and per point of a sweep, a protocol or a load."""
    groups: dict[tuple[str, str], Group] = {}
    for change in changes:
        point = point_of(change.measure)
        heading = f"{change.variant} {AT}{point}" if point else change.variant
        group = groups.setdefault((change.variant, point), Group(heading))
        group.rows.append(_row(change))
    return list(groups.values())


def _row(change: Change) -> list[Text]:
    name = base_of(change.measure)
    values = [_value(measure) for measure in (change.before, change.after)]
    style = "bold" if change.is_beyond_both_intervals else ""
    measure = change.change
    signed = _signed(measure.value, measure.unit) if measure else "-"
    mark = _MARK if change.is_beyond_both_intervals else ""
    return [
        *map(Text, (f"  {name}", *values)),
        Text(signed, style),
        *map(Text, (mark, _interval(change), _remark(change))),
    ]


def _value(measure: Measure | None) -> str:
    if measure is None:
        return "-"
    return format_value(measure.value, measure.unit).replace(" samples/s", "/s")


def _signed(value: float, unit: str) -> str:
    return f"{'+' if value >= 0 else ''}{format_value(value, unit)}"


def _interval(change: Change) -> str:
    """Return both bounds, followed by their unit; empty for an exact or a missing interval."""
    measure = change.change
    if measure is None or measure.low == measure.high:
        return ""
    percent = " %" if measure.unit == "fraction" else ""
    low, high = (
        _NO_BOUND if bound is None else _signed(bound, measure.unit).removesuffix(percent)
        for bound in (measure.low, measure.high)
    )
    return f"[{low}, {high}]{percent}"


def _remark(change: Change) -> str:
    """Return the basis of the change, or why there is none; empty for a change of the values."""
    if change.change is None:
        return _why_not_compared(change)
    if change.basis == "ratios to the baseline":
        return "to baseline"
    is_of_samples = change.is_exact and change.change.value and is_quality(change.measure)
    return "same samples" if is_of_samples else ""


def _why_not_compared(change: Change) -> str:
    before, after = change.before, change.after
    if before is None or after is None:
        return "only after" if before is None else "only before"
    if before.unit != after.unit:
        return f"{before.unit} and {after.unit}"
    return "not positive" if min(before.value, after.value) <= 0 else "other host"


def _notes(changes: Sequence[Change]) -> Iterator[str]:
    """Yield an explanation of each mark in the tables of these changes."""
    if any(change.is_beyond_both_intervals for change in changes):
        yield f"{_MARK} {_BEYOND}: each value is outside the interval of the other run's value."
    if any(_remark(change) == "same samples" for change in changes):
        yield "same samples: both runs scored the same samples, so the difference is exact."
    if any(_NO_BOUND in _interval(change) for change in changes):
        yield f"{_NO_BOUND} in an interval: a run had too few observations for that bound."


def _hidden(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line about changes that are not shown."""
    beyond = sum(change.is_beyond_both_intervals for change in changes)
    if changes:
        yield (
            f"{len(changes)} changes of other measures are not shown, {beyond} of them {_BEYOND}: "
            "show them with --all, or some with --measures."
        )
