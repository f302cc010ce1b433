"""Every place that shows a verdict shows the same: over random tests, outcomes and tries."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import example, given, settings, strategies as st

from pytest_infperf.errors import GateBroken
from pytest_infperf.gates.result import Result
from pytest_infperf.gates.verdicts import VariantVerdicts
from pytest_infperf.records.catalogue import Catalogue, quality_spec
from pytest_infperf.records.file import from_document, to_document
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import Record, RunRecord, Verdict
from pytest_infperf.report import html, junit, markdown
from pytest_infperf.report.terminal import render
from pytest_infperf.thresholds.gate import Gate, Limit

QUALITIES = ("accuracy", "f1")
CATALOGUE = Catalogue(tuple(quality_spec(name, "points", True) for name in QUALITIES))
INTERVALS = {
    Verdict.PASS: (95, 96, 97),
    Verdict.FAIL: (70, 71, 72),
    Verdict.INCONCLUSIVE: (80, 90.5, 99),
}
"""Lower bound, value and upper bound of a score whose limit is 90."""
SCORES = {verdict: {score} for verdict, (_, score, _) in INTERVALS.items()}
SCORES[Verdict.XFAILED] = SCORES[Verdict.FAIL] | SCORES[Verdict.INCONCLUSIVE]
GREEN = (Verdict.PASS, Verdict.XFAILED)
"""Verdicts that do not fail a run."""
RANK = {None: -1, Verdict.PASS: 0, Verdict.XFAILED: 1, Verdict.INCONCLUSIVE: 2, Verdict.FAIL: 3}
CROSSED = (
    {"accuracy": Verdict.FAIL, "f1": Verdict.PASS},
    {"accuracy": Verdict.PASS, "f1": Verdict.FAIL},
)
"""Two checks of which each has the worst verdict on one limit."""
ERRORS = ("the worker died", "the data is gone")


@dataclass(frozen=True)
class Attempt:
    """One try of a test: the checks that it makes, one after the other, and an error."""

    checks: tuple[dict[str, Verdict], ...]
    error: str | None = None
    is_xfail: bool = False
    """Whether the test's marker xfail expects a broken limit, and nothing else, in this try."""


@dataclass
class Outcome:
    """The results of a test in pytest and in JUnit's file."""

    failed: bool
    properties: list[tuple[str, str]]


verdict = st.sampled_from(list(INTERVALS))
attempts = st.builds(
    Attempt,
    st.lists(st.fixed_dictionaries(dict.fromkeys(QUALITIES, verdict)), max_size=2).map(tuple),
    st.sampled_from([None, None, None, *ERRORS]),
    st.booleans(),
)
tests_of_a_variant = st.lists(st.lists(attempts, min_size=1, max_size=3), min_size=1, max_size=3)
runs = st.dictionaries(st.sampled_from(["torch", "onnx", "int8"]), tests_of_a_variant, min_size=1)


def gates(gated: set[str]) -> list[Gate]:
    specs = [CATALOGUE.get(name) for name in QUALITIES if name in gated]
    limit = Limit("min", 90.0, "min = 90")
    return [Gate(spec, limit, "thresholds.toml:3", 0.99, "fail") for spec in specs if spec]


def measured(check: dict[str, Verdict]) -> Measured:
    measures = {}
    for name, wanted in check.items():
        low, value, high = INTERVALS[wanted]
        measures[name] = Measure(value, "points", low, high, 40)
    return Measured(measures)


def run_test(
    verdicts: VariantVerdicts, name: str, tries: list[Attempt], gated: set[str]
) -> Outcome:
    """Run a test as pytest with pytest-rerunfailures does: until a try passes, or none is left."""
    for attempt in tries:
        current, failure = verdicts.begin(name), None
        try:
            for check in attempt.checks:
                parts = [measured(check)]
                keep = current.measured(parts).keep
                Result(parts, gates(gated), verdicts.record, keep).check()
            if attempt.error:
                failure = RuntimeError(attempt.error)
            failed = failure is not None
            xfailed = False
        except GateBroken:
            xfailed = attempt.is_xfail
            failed = not xfailed
        verdicts.end(name, failure, xfailed=xfailed)
        if not failed:
            break
    return Outcome(failed, list(junit.properties(*verdicts.found_by(name))))


def worst(verdicts: list[Verdict]) -> Verdict | None:
    return max(verdicts, key=RANK.__getitem__, default=None)


@settings(max_examples=60, deadline=None)
@example({"onnx": [[Attempt((CROSSED[0],))], [Attempt((CROSSED[1],))]]}, {*QUALITIES})
@given(runs, st.sets(st.sampled_from(QUALITIES)))
def test_every_place_shows_the_same_verdict(
    suite: dict[str, list[list[Attempt]]], gated: set[str]
) -> None:
    records, outcomes = [], {}
    for variant, tests in suite.items():
        verdicts = VariantVerdicts(Record("echo", variant))
        verdicts.gates = gates(gated)
        outcomes[variant] = [
            run_test(verdicts, f"test_{number}[{variant}]", tries, gated)
            for number, tries in enumerate(tests)
        ]
        verdicts.name_unjudged(lambda gate: True)
        records.append(verdicts.record)
    run = from_document(to_document(RunRecord({"cpu_model": "Some CPU"}, None, records)))
    page, terminal, summary = html.page(run), render(run, 200, False), markdown.summary(run)
    for record in run.records:
        of_tests = outcomes[record.variant]
        # pytest's exit status: broken limits and errors, and nothing else, fail a test.
        broken = any(gate.verdict not in GREEN for gate in record.gates)
        assert any(outcome.failed for outcome in of_tests) == (broken or bool(record.errors))
        # JUnit: for each limit, the worst of the tests' properties is the record's verdict.
        found = [pair for outcome in of_tests for pair in outcome.properties]
        for measure in QUALITIES:
            said = [
                Verdict(text.partition(":")[0])
                for name, text in found
                if name.startswith(f"infperf.gate.{measure}.")
            ]
            kept = [gate for gate in record.gates if gate.measure == measure]
            assert [gate.verdict for gate in kept] == ([worst(said)] if said else [])
            # The value is the one that the verdict judged.
            for gate in kept:
                assert record.measures[measure].value in SCORES[gate.verdict]
                assert f"{measure} {record.measures[measure].value:.2f}" in gate.why
        names = [[name for name, _ in outcome.properties] for outcome in of_tests]
        assert all(len(each) == len(set(each)) for each in names)
        # The tables: the verdict of a variant is the worst of its limits, or its errors.
        shown = {verdict: str(verdict) for verdict in Verdict} | {Verdict.FAIL: "FAIL"}
        total = worst([gate.verdict for gate in record.gates])
        if record.errors and total is not Verdict.FAIL:
            word = "error"
        else:
            word = shown[total] if total else "-"
        (row,) = [line for line in terminal.splitlines() if line.split()[:1] == [record.variant]]
        assert row.split()[-1] == word
        (row,) = [line for line in summary.splitlines() if line.startswith(f"| {record.variant} ")]
        assert (
            row.rstrip(" |").endswith(word if word == "-" else f" {word}") or f"**{word}**" in row
        )
        mark = f'<span class="mark {word.lower()}">{word}</span>'
        cell = f'<td class="text" data-sort="{"" if word == "-" else word}">'
        assert f"{cell}{word if word == '-' else mark}</td>" in page
        for gate in record.gates:
            name, tries = f"echo[{record.variant}] {gate.why}", f" at try {gate.tries}"
            later = gate.tries > 1
            if gate.verdict not in GREEN:
                line = f"{gate.verdict.name} {name}{tries if later else ''} (thresholds.toml:3)"
                assert line in terminal
            assert (f"{name}, passed{tries}" in terminal) == (
                later and gate.verdict is Verdict.PASS
            )
    all_met = not any(
        record.errors or any(gate.verdict not in GREEN for gate in record.gates)
        for record in run.records
    )
    judged = any(record.gates for record in run.records)
    xfailed = any(gate.verdict is Verdict.XFAILED for each in run.records for gate in each.gates)
    for text in (page, summary):
        assert ("Every limit is met." in text) == (all_met and judged and not xfailed)
        assert ("Every limit is met, except in tests" in text) == (all_met and xfailed)
        assert ("No limit was judged." in text) == (all_met and not judged)
