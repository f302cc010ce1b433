"""A pytest session that measures: collection, run, records, progress and summary."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_infperf.host.fingerprint import host_names
from pytest_infperf.records import file as record_file
from pytest_infperf.records.ledger import Ledger
from pytest_infperf.records.record import RunRecord
from pytest_infperf.records.time_spent import TimeAccount, in_words, is_of_measuring, total
from pytest_infperf.report import github, junit
from pytest_infperf.report.history_panels import suite_histories
from pytest_infperf.report.problems import caught_in, suites_without_verdict, unjudged_gates
from pytest_infperf.report.progress import Progress
from pytest_infperf.report.terminal import render
from pytest_infperf.repository.revision import revision
from pytest_infperf.run.run import Run
from pytest_infperf.run.suite_run import ClusterSetRunner
from pytest_infperf.session import calls, limits_file, notices
from pytest_infperf.session.calls import Call
from pytest_infperf.session.collection import Additions, Collection, grouped
from pytest_infperf.session.param import VariantParam
from pytest_infperf.settings import Settings
from pytest_infperf.thresholds import Thresholds, read


@dataclass(frozen=True)
class Ended:
    """The result of a test or of its teardown."""

    passed: bool
    failed: bool = False
    """Whether pytest reports a failure; a skipped test has neither passed nor failed."""
    failure: BaseException | None = None
    """The error of the test, other than a broken limit."""
    torn_down: bool = False
    """Whether the test's teardown has ended."""
    xfailed: bool = False
    """Whether the test failed as expected by its marker xfail."""


class Session:
    """The session of a measuring run on this host.

    Parameters
    ----------
    settings : Settings
        The settings of the run.
    progress : Progress
        The progress line.
    hooks : pluggy.HookRelay
        The hooks of other packages.
    keeps_records : bool
        Whether this process writes the files of the run; False for workers of xdist.
    cluster_sets : ClusterSetRunner, optional
        Runs the quality sets for scores on other machines; None runs them on this host.

    Raises
    ------
    UserError
        If the thresholds cannot be read, or an output file cannot be written.
    """

    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        hooks: Any,
        *,
        keeps_records: bool,
        cluster_sets: ClusterSetRunner | None = None,
    ) -> None:
        path = settings.thresholds
        thresholds = read(path, settings.root) if path else Thresholds.empty()
        additions = Additions(
            variants=lambda suite: _flat(hooks.pytest_infperf_variants(suite=suite)),
            metrics=lambda suite: _flat(hooks.pytest_infperf_metrics(suite=suite)),
        )
        facts: dict[str, Any] = {}
        for more in hooks.pytest_infperf_host_facts():
            facts.update(more)
        if settings.html and keeps_records:
            from pytest_infperf.report import html

            html.check_available()
            record_file.check_writable(settings.html)
        self.settings = settings
        self.time = TimeAccount()
        self._times_elsewhere: list[Mapping[str, float]] = []
        """Seconds by activity of each other measuring process of this run."""
        self._keeps_records = keeps_records
        self.notices: list[str] = []
        self.progress = progress
        self.thresholds = thresholds
        self.collection = Collection(settings, thresholds, additions)
        self.run = Run(
            settings, thresholds, progress.phase, self.notices.append, facts, cluster_sets
        )
        self._is_refused = False
        """Whether options or limits do not match the suites, so that pytest ends with an error."""
        self._has_all_pages = True
        self._pages: list[Path] = []
        """The written pages."""
        self._ledger = Ledger(
            settings.json if keeps_records else None,
            RunRecord(
                self.run.host,
                revision(settings.root, self.notices.append),
                against=self.run.against,
                when=datetime.now(UTC).isoformat(timespec="seconds"),
            ),
        )

    def measures_latency(self, test: Callable[..., Any], marker: Mapping[str, Any]) -> bool:
        """Return whether a test calls `variant.latency` according to its source or marker."""
        return any(
            call.method == "latency" for call in calls.called_by(test)
        ) or "latency" in marker.get("calls", ())

    def params(self, test_file: Path, marker: Mapping[str, Any]) -> list[VariantParam]:
        """Return the parameters of a test's `variant` (see `Collection.params`)."""
        return self.collection.params(test_file, marker)

    def benchmark(self, test_file: Path, nodeid: str) -> VariantParam:
        """Add a test with the fixture `infperf_benchmark`, and return its suite and variant.

        Raises
        ------
        UserError
            If another file is a suite of the same name.
        """
        param = self.collection.benchmarks.add(test_file, nodeid)
        self.collection.tests.generated(param.key, nodeid, frozenset({Call("latency")}))
        return param

    def generated(
        self,
        param: VariantParam,
        nodeid: str,
        function: Callable[..., Any],
        marker: Mapping[str, Any],
    ) -> None:
        """Add a test that this run may select."""
        called = calls.called_by(function) | calls.declared(marker, Path(nodeid))
        self.collection.tests.generated(param.key, nodeid, called)

    def arrange(
        self,
        params: Sequence[VariantParam | None],
        nodeids: Sequence[str],
        *,
        whole_files: bool = True,
    ) -> list[int]:
        """Check the collected tests, and return their order.

        Parameters
        ----------
        params : sequence of VariantParam or None
            The suite and variant of each test; None for tests that do not measure.
        nodeids : sequence of str
            The node ids of the tests.
        whole_files : bool, default True
            Whether all tests of each file were collected, instead of some node ids.
        """
        self.collection.benchmarks.whole_files = whole_files
        self.run.purse.scale = self._budget_scale(params, nodeids)
        self._is_refused = True
        self.collection.check(self.run.purse.scale)
        self._is_refused = False
        self.notices += self.collection.limits_left_out(host_names(self.run.host))
        benchmarks = [param.configured for param in self.collection.benchmarks.params.values()]
        configured_suites = [*self.collection.suites.values(), *benchmarks]
        self.notices += limits_file.left_aside(
            self.settings, [configured.suite for configured in configured_suites]
        )
        for param in filter(None, params):
            chosen = self.run.selected.setdefault(param.configured.suite.name, [])
            missing = param.configured.suite.variant(param.variant_id).missing_hardware()
            if param.variant_id not in chosen and not missing:
                chosen.append(param.variant_id)
        measuring = [param for param in params if param]
        tests_of_one = sum(param.key == measuring[0].key for param in measuring) if measuring else 1
        self.progress.start(len(measuring), guess_after=tests_of_one)
        return grouped(params)

    def _budget_scale(self, params: Sequence[VariantParam | None], nodeids: Sequence[str]) -> float:
        """Return the factor on the budgets of tests so that their sum is --infperf-time."""
        budgets_s = [
            self.thresholds.policy(param.key[0]).budget_s
            for param, nodeid in zip(params, nodeids, strict=True)
            if param and self.collection.tests.has_budget(param.key, nodeid)
        ]
        return self.settings.time_s / sum(budgets_s) if self.settings.time_s and budgets_s else 1.0

    def report(
        self, param: VariantParam, nodeid: str, ended: Ended
    ) -> tuple[RunRecord, list[tuple[str, str]]]:
        """Return the record of a test's variant, and the test's results as JUnit properties.

        Parameters
        ----------
        param : VariantParam
            The parameter `variant` of the test.
        nodeid : str
            The node id of the test.
        ended : Ended
            The result of the test or of its teardown.
        """
        verdicts, tests = self.run.verdicts_on(*param.key), self.collection.tests
        verdicts.end(
            nodeid,
            ended.failure,
            torn_down=ended.torn_down,
            xfailed=ended.xfailed,
            failed=ended.failed,
        )
        tests.ended(nodeid, passed=ended.passed)
        folder = param.configured.suite.folder
        verdicts.name_unjudged(lambda gate: tests.may_measure(param.key, folder, gate.spec))
        record = RunRecord(self.run.host, None, [verdicts.record])
        return record, list(junit.properties(*verdicts.found_by(nodeid)))

    def caught_limits(self, param: VariantParam, nodeid: str) -> str:
        """Return the message about limits whose errors a test has caught, or an empty string."""
        caught = self.run.verdicts_on(*param.key).caught_by(nodeid)
        return caught_in(nodeid, caught) if caught else ""

    def enter(self, run: RunRecord) -> None:
        """Add the records of a test's report, which may come from another process."""
        ledger = self.ledger_of(run.host)
        for record in run.records:
            ledger.enter(record)

    def benchmark_info(self, row: str, param: object) -> dict[str, Any] | None:
        """Return the record and host of a variant for pytest-benchmark's files."""
        param = param or self.collection.benchmarks.of_row(row)
        if not isinstance(param, VariantParam) or param.key not in self.run.records:
            return None
        record = self.run.records[param.key]
        document = record_file.to_document(RunRecord(self.run.host, None, [record]))
        return {**document["records"][0], "host": document["host"]}

    def ledger_of(self, host: Mapping[str, Any]) -> Ledger:
        """Return the ledger of a host's records."""
        return self._ledger

    @property
    def ledgers(self) -> Sequence[Ledger]:
        """The ledgers, one per host."""
        return [self._ledger]

    def add_time(self, seconds: Mapping[str, float]) -> None:
        """Add the time of another process, if it measured."""
        if is_of_measuring(seconds):
            self._times_elsewhere.append(seconds)

    def time_s(self) -> dict[str, float]:
        """Return the seconds of each activity, summed over the processes that measured.

        The time of a controller of xdist or of a fleet does not count, because it only waits.
        """
        return total(self._times_elsewhere or [self.time.seconds()])

    def _time_line(self) -> str:
        """Return the line about the time by activity; empty if nothing was measured."""
        seconds = self.time_s()
        if not is_of_measuring(seconds):
            return ""
        count = len(self._times_elsewhere)
        where = {0: "", 1: " in the process that measured"}
        return (
            f"infperf time: {in_words(seconds)}"
            f"{where.get(count, f', summed over the {count} processes that measured')}"
        )

    def close(self) -> None:
        """End the workers, and keep the measures of an interrupted test."""
        self.run.close()
        self.progress.close()
        self._enter_time()
        for record in self.run.records.values():
            self._ledger.enter(record)
        for ledger in self.ledgers:
            ledger.close()
        self.notices += [str(ledger.unwritten) for ledger in self.ledgers if ledger.unwritten]
        measured = any(ledger.run.records for ledger in self.ledgers)
        nothing_ran = not (measured or self.run.selected or self._is_refused)
        if self._keeps_records and nothing_ran:
            self.notices += notices.of_unused(self.settings, self.thresholds)
        if self._keeps_records:
            # Under xdist, only the controller has them; the nodes of a fleet send theirs to it.
            self.notices += notices.of_verdicts(self._ledger.run.records, self.settings)

    def _enter_time(self) -> None:
        self._ledger.run.time_s = self.time_s()

    @property
    def fails(self) -> bool:
        """Whether the run fails even if every test passed.

        This is the case if a file could not be written or a limit was not judged. With
        --infperf-strict, it is also the case if a suite was measured without a limit.
        """
        records = [record for ledger in self.ledgers for record in ledger.run.records]
        return (
            not self._has_all_pages
            or any(ledger.unwritten for ledger in self.ledgers)
            or any(unjudged_gates(records))
            or (self.settings.strict and any(suites_without_verdict(records)))
        )

    def write_reports(self) -> None:
        """Write the page and the summary of a CI job, if they were requested."""
        for ledger in self.ledgers:
            run, page = ledger.run, self.page_of(ledger)
            if page and run.records:
                from pytest_infperf.report import html

                histories = suite_histories(
                    run,
                    self.settings.storage,
                    lambda reason: self.run.notice_once(f"the history is read without {reason}"),
                )
                try:
                    record_file.write_text(page, html.page(run, histories))
                    self._pages.append(page)
                except record_file.RecordError as error:
                    self._has_all_pages = False
                    self.notices.append(f"{error}{record_file.withdraw(page, keep=False)}")
            if problem := github.write_summary(run, os.environ):
                self.notices.append(problem)

    def closing_lines(self, width: int) -> list[str]:
        """Return the last lines on the terminal: the page and the time by activity."""
        pages = [f"infperf page: {os.path.relpath(page)}" for page in self._pages]
        return [*pages, *textwrap.wrap(self._time_line(), width, subsequent_indent=" " * 4)]

    def page_of(self, ledger: Ledger) -> Path | None:
        """Return the file for the page with the report of a host."""
        return self.settings.html

    def workflow_commands(self) -> list[str]:
        """Return the workflow commands for annotations in GitHub Actions."""
        root = self.settings.root
        commands = (
            github.workflow_commands(ledger.run, root, os.environ) for ledger in self.ledgers
        )
        return list(chain.from_iterable(commands))

    def summary(self, width: int, colour: bool, unicode: bool) -> str:
        """Return the report for a terminal of a given width."""
        reports = [render(ledger.run, width, colour, unicode) for ledger in self.ledgers]
        return "\n\n".join(filter(None, reports))


def _flat(results: Sequence[Sequence[Any]]) -> list[Any]:
    return list(chain.from_iterable(results))
