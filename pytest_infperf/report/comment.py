"""A run as a comment on a pull request: the verdict first, the tables folded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pytest_infperf.history.comparison import Change, Comparison, of_common_variants
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import Record, RunRecord, Verdict
from pytest_infperf.report import markdown
from pytest_infperf.report.markdown import escape, table_row
from pytest_infperf.report.problems import conclusion, variant_name

MAX_CHARACTERS = 65_000
"""Maximum length of a comment. GitHub accepts 65,536 characters, GitLab a million."""

_DIRECTIONS = {
    "worse": ("is worse", "are worse"),
    "changed": ("changed", "changed"),
    "better": ("is better", "are better"),
}
"""Words for one and for several measures, in the order in which they are shown."""

_CAVEAT = (
    "The intervals cover the variation within each run, not a change of the host between the runs. "
    "For a verdict, measure both revisions in one run with `--infperf-against`."
)
_MENTION = re.compile(r"(?<!\w)@(?=\w)")


def body(
    runs: Sequence[RunRecord], comparison: Comparison | None = None, report_url: str = ""
) -> str:
    """Return the Markdown of a comment.

    Parameters
    ----------
    runs : sequence of RunRecord
        The runs, one per host. Each has at least one record.
    comparison : Comparison, optional
        The comparison of a run with a saved run.
    report_url : str, optional
        The address of the whole report.

    Returns
    -------
    str
        At most `MAX_CHARACTERS` characters. All values are escaped.
    """
    records = [record for run in runs for record in run.records]
    head = [f"## {_headline(records)}", "", f"On {'; '.join(_place(run) for run in runs)}."]
    problems = [line for run in runs for line in _problems(run, named=len(runs) > 1)]
    tables = [line for run in runs for line in markdown.tables(run)]
    folded = _folded("Results", tables)
    if comparison:
        common = of_common_variants(comparison.changes)
        changes = [change for change in comparison.main(common) if _is_notable(change)]
        head += ["", f"{_summary_of_changes(comparison, changes)}.", "", _CAVEAT]
        if changes:
            folded = [*_folded("Changed measures", _changes(changes)), *folded]
    foot = ["", f"[Report]({_address(report_url)})"] if report_url else []
    head, problems, folded = map(_without_mentions, (head, problems, folded))
    return _fitting(head, problems, folded, foot)


def _without_mentions(lines: Sequence[str]) -> list[str]:
    """Return the lines with mentions disabled, so that no user is notified."""
    return [_MENTION.sub("@<!-- -->", line) for line in lines]


def _headline(records: Sequence[Record]) -> str:
    errors = sum(bool(record.errors) for record in records)
    verdicts = [gate.verdict for record in records for gate in record.gates]
    broken, undecided = map(verdicts.count, (Verdict.FAIL, Verdict.INCONCLUSIVE))
    parts = [
        _count(broken, "limit is broken", "limits are broken"),
        _count(undecided, "limit is inconclusive", "limits are inconclusive"),
        _count(errors, "variant has an error", "variants have errors"),
    ]
    if not any(parts):
        return f"{'✅' if verdicts else '⚪'} Inference: {escape(conclusion(records))}"
    mark = "❌" if broken else "💥" if errors else "❔"
    return f"{mark} Inference: {', '.join(part for part in parts if part)}"


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}" if number else ""


def _place(run: RunRecord) -> str:
    commit = str((run.revision or {}).get("commit") or "")
    return f"{markdown.place(run)}{f', at {escape(commit[:10])}' if commit else ''}"


def _problems(run: RunRecord, *, named: bool) -> list[str]:
    lines = [*markdown.problems(run.records), *_regressions(run.records)]
    return ["", f"On {markdown.place(run)}:", "", *lines] if named and lines else lines


def _regressions(records: Sequence[Record]) -> Iterator[str]:
    """Yield a list item for each variant that is slower than at the other revision."""
    for record in records:
        found = record.measures.get("regression")
        if found and found.low is not None and found.low > 0:
            text = f"{variant_name(record)} is slower by {_signed(found)}"
            yield f"- 🐢 {escape(text)}"


def _is_notable(change: Change) -> bool:
    """Return whether a change is larger than what either run cannot tell from noise."""
    is_exact = change.change is not None and change.is_exact and change.change.value != 0
    return is_exact or change.is_beyond_both_intervals


def _summary_of_changes(comparison: Comparison, changes: Sequence[Change]) -> str:
    counts = [
        _count(
            sum(_direction(change) == direction for change in changes),
            f"measure {words[0]}",
            f"measures {words[1]}",
        )
        for direction, words in _DIRECTIONS.items()
    ]
    found = ", ".join(count for count in counts if count)
    if not any(change.change for change in comparison.changes):
        found = "no measure could be compared"
    return (
        f"Compared with the saved run {escape(str(comparison.before))}: "
        f"{found or 'no measure changed beyond its interval'}"
    )


def _direction(change: Change) -> str:
    """Return whether a measure is better or worse; "changed" if that is not known."""
    if change.change is None or change.higher_is_better is None:
        return "changed"
    return "better" if (change.change.value > 0) == change.higher_is_better else "worse"


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    """Yield the lines of a table of changes, the worse ones first."""
    yield ""
    yield table_row(["variant", "measure", "before", "after", "change", ""])
    yield "|---|---|---:|---:|---:|---|"
    order = [*_DIRECTIONS]
    for change in sorted(changes, key=lambda change: order.index(_direction(change))):
        values = [
            format_value(measure.value, measure.unit) if measure else "-"
            for measure in (change.before, change.after)
        ]
        basis = "" if change.basis == "values" else f", {change.basis}"
        cells = [
            f"{change.suite}[{change.variant}]",
            change.measure,
            *values,
            _signed(change.change) if change.change else "-",
            f"{_direction(change)}{basis}",
        ]
        yield table_row([escape(cell) for cell in cells])


def _signed(measure: Measure) -> str:
    """Return a change with its sign and its interval."""
    value, *bounds = (
        "none" if each is None else f"{'+' if each >= 0 else ''}{format_value(each, measure.unit)}"
        for each in (measure.value, measure.low, measure.high)
    )
    if measure.low == measure.high:
        return value
    return f"{value} [{', '.join(bounds)}]"


def _folded(title: str, lines: Iterator[str] | Sequence[str]) -> list[str]:
    return ["", f"<details><summary>{title}</summary>", *lines, "", "</details>"]


def _address(url: str) -> str:
    """Return the address without characters that could end a Markdown link."""
    return "".join(f"%{ord(c):02X}" if c in "()<>[] \\\n\r\t" else c for c in url)


def _fitting(
    head: Sequence[str], problems: Sequence[str], folded: Sequence[str], foot: Sequence[str]
) -> str:
    """Return the whole text; without tables and with fewer problems if it is too long."""
    shown = [*head, "", *problems] if problems else [*head]
    text = "\n".join([*shown, *folded, *foot]) + "\n"
    if len(text) <= MAX_CHARACTERS:
        return text
    foot = ["", "The tables are too long for a comment.", *foot]
    while len(text := "\n".join([*shown, *foot]) + "\n") > MAX_CHARACTERS and problems:
        problems = problems[: len(problems) // 2]
        shown = [*head, "", *problems, "- and more"]
    return text[:MAX_CHARACTERS]
