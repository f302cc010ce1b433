"""A pytest session that measures: ties collection, run, records, progress and summary together."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_infperf.errors import GateBroken
from pytest_infperf.records import file as record_file
from pytest_infperf.records.ledger import Ledger
from pytest_infperf.records.record import RunRecord
from pytest_infperf.report import github, junit
from pytest_infperf.report.history_panels import suite_histories
from pytest_infperf.report.progress import Progress
from pytest_infperf.report.terminal import render
from pytest_infperf.repository.revision import revision
from pytest_infperf.run.run import Run
from pytest_infperf.run.suite_run import RemoteSetRunner
from pytest_infperf.session.collection import Additions, Collection, VariantParam, grouped
from pytest_infperf.settings import Settings
from pytest_infperf.thresholds import Thresholds, read


class Session:
    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        hooks: Any,
        *,
        keeps_records: bool,
        shared_sets: RemoteSetRunner | None = None,
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
        self.notices: list[str] = []
        self.progress = progress
        self.collection = Collection(settings, thresholds, additions)
        self.run = Run(
            settings, thresholds, progress.phase, self.notices.append, facts, shared_sets
        )
        self._reported: dict[tuple[str, str], dict[str, Any]] = {}
        self._ledger = Ledger(
            settings.json if keeps_records else None,
            RunRecord(
                self.run.host,
                revision(settings.root),
                against=self.run.against,
                when=datetime.now(UTC).isoformat(timespec="seconds"),
            ),
        )

    def params(self, test_file: Path, marker: Mapping[str, Any]) -> list[VariantParam]:
        """What a test's `variant` stands for, one by one: see `Collection.places`."""
        return self.collection.params(test_file, marker)

    def arrange(self, params: Sequence[VariantParam | None]) -> list[int]:
        """Check what was collected, and give the order to measure in."""
        self.collection.check()
        for param in filter(None, params):
            chosen = self.run.selected.setdefault(param.configured.suite.name, [])
            lacking = param.configured.suite.variant(param.variant_id).missing_hardware()
            if param.variant_id not in chosen and not lacking:
                chosen.append(param.variant_id)
        measuring = [param for param in params if param]
        tests_of_one = sum(param.key == measuring[0].key for param in measuring) if measuring else 1
        self.progress.start(len(measuring), guess_after=tests_of_one)
        return grouped(params)

    def reported(
        self, param: VariantParam, raised: BaseException | None
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """After a phase of a test: its variant's record in JSON's types, and what is new in it."""
        record = self.run.record(*param.key)
        if isinstance(raised, Exception) and not isinstance(raised, GateBroken):
            self.run.note_error(record, raised)
        document = record_file.to_document(RunRecord(self.run.host, None, [record]))
        (now,) = document["records"]
        for extra_info in self.run.published.get(param.key, ()):
            extra_info.update(now, host=document["host"])
        news = list(junit.properties(now, self._reported.get(param.key, {})))
        self._reported[param.key] = now
        return document, news

    def enter(self, document: dict[str, Any]) -> None:
        """A record that a test's report brought, maybe from another process."""
        run = record_file.from_document(document)
        ledger = self.ledger_of(run.host)
        for record in run.records:
            ledger.enter(record)

    def ledger_of(self, host: Mapping[str, Any]) -> Ledger:
        return self._ledger

    @property
    def ledgers(self) -> Sequence[Ledger]:
        """One a host."""
        return [self._ledger]

    def close(self) -> None:
        """End the workers, and keep also what an interrupted test had measured."""
        self.run.close()
        self.progress.close()
        for record in self.run.records.values():
            self._ledger.enter(record)
        self.notices += [str(ledger.unwritten) for ledger in self.ledgers if ledger.unwritten]

    @property
    def incomplete(self) -> bool:
        """The run's file could not be written."""
        return any(ledger.unwritten for ledger in self.ledgers)

    def write_reports(self) -> None:
        """The page, and the summary of a CI job, where they were asked for."""
        for ledger in self.ledgers:
            run, page = ledger.run, self.page_of(ledger)
            if page and run.records:
                from pytest_infperf.report import html

                histories = suite_histories(run, self.settings.storage)
                try:
                    record_file.write_text(page, html.page(run, histories))
                except record_file.RecordError as error:
                    self.notices.append(str(error))
            if trouble := github.write_summary(run, os.environ):
                self.notices.append(trouble)

    def page_of(self, ledger: Ledger) -> Path | None:
        """Where the report of a host is written as a page."""
        return self.settings.html

    def workflow_commands(self) -> list[str]:
        """Lines for GitHub Actions, which makes annotations of them."""
        root = self.settings.root
        commands = (
            github.workflow_commands(ledger.run, root, os.environ) for ledger in self.ledgers
        )
        return list(chain.from_iterable(commands))

    def summary(self, width: int, colour: bool, unicode: bool) -> str:
        reports = [render(ledger.run, width, colour, unicode) for ledger in self.ledgers]
        return "\n\n".join(filter(None, reports))


def _flat(results: Sequence[Sequence[Any]]) -> list[Any]:
    return list(chain.from_iterable(results))
