"""The page of a run: verdicts and problems, then a section per suite, then the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from pytest_infperf.errors import UserError
from pytest_infperf.host.fingerprint import host_names
from pytest_infperf.records.record import Record, RunRecord, Verdict
from pytest_infperf.records.time_spent import in_words
from pytest_infperf.report.history_panels import HistoryPanels
from pytest_infperf.report.html.host_facts import host_facts
from pytest_infperf.report.html.page_tables import MARKS
from pytest_infperf.report.html.suite_section import suite_section
from pytest_infperf.report.html.templates import template
from pytest_infperf.report.problems import (
    at_try,
    conclusion,
    tried_again,
    unmet_gates,
    variant_name,
)

_REQUIRED = ("jinja2", "matplotlib")
_MARKS = {verdict: str(verdict) for verdict in Verdict}


@dataclass(frozen=True)
class Problem:
    """A gate that did not pass, or an error."""

    mark: str
    """Kind of problem, which is also its class in the style sheet."""
    variant: str
    """Suite and variant."""
    why: str
    remedy: str = ""
    source: str = ""
    """File and line of the gate's limit."""


def check_available(option: str = "--infperf-html") -> None:
    """Raise UserError if a package that pages need is not installed; `option` is in its message."""
    missing = [name for name in _REQUIRED if find_spec(name) is None]
    if missing:
        raise UserError(
            f"{option} needs {' and '.join(missing)}: pip install 'pytest-infperf[html]'"
        )


def page(run: RunRecord, histories: Mapping[str, HistoryPanels] = {}) -> str:
    """Return the page as HTML text with all values escaped.

    Parameters
    ----------
    run
        The run with its records.
    histories
        The history panels of each suite, for suites with earlier runs.
    """
    gates = [gate.verdict for record in run.records for gate in record.gates]
    counts = {mark: gates.count(verdict) for verdict, mark in _MARKS.items()}
    counts["error"] = sum(len(record.errors) for record in run.records)
    suites = dict.fromkeys(record.suite for record in run.records)
    return str(
        template("page.html.j2", beside=__name__).render(
            run=run,
            counts=counts,
            verdict=_verdict(counts),
            conclusion=conclusion(run.records),
            problems=list(_problems(run.records)),
            retried=list(_retried(run.records)),
            suites=[
                suite_section(suite, run, histories.get(suite, {}), f"suite-{place}")
                for place, suite in enumerate(suites, 1)
            ],
            time_spent=in_words(run.time_s) if run.time_s else "",
            host_name=", ".join(host_names(run.host)) or "unknown CPU",
            host=host_facts(run.host),
        )
    )


def _verdict(counts: Mapping[str, int]) -> str:
    return next((mark for mark in MARKS if counts[mark]), "none")


def _problems(records: Sequence[Record]) -> Iterator[Problem]:
    for record, gate in unmet_gates(records):
        why = f"{gate.why}{at_try(gate)}"
        yield Problem(_MARKS[gate.verdict], variant_name(record), why, gate.remedy, gate.source)
    for record in records:
        for error in record.errors:
            yield Problem("error", variant_name(record), error)


def _retried(records: Sequence[Record]) -> Iterator[Problem]:
    """Yield the limits that passed, but not at the first try."""
    for record, gate in tried_again(records):
        if gate.verdict is Verdict.PASS:
            why = f"{gate.why}, passed{at_try(gate)}"
            yield Problem("pass", variant_name(record), why, source=gate.source)
