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
from pytest_infperf.report.courses import history_courses
from pytest_infperf.report.progress import Progress
from pytest_infperf.report.terminal import render
from pytest_infperf.repository.revision import revision
from pytest_infperf.run.run import Run
from pytest_infperf.run.suite_run import SetsElsewhere
from pytest_infperf.session.collection import Additions, Collection, Place, grouped
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
        shared_sets: SetsElsewhere | None = None,
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

    def places(self, test_file: Path, marker: Mapping[str, Any]) -> list[Place]:
        """What a test's `variant` stands for, one by one: see `Collection.places`."""
        return self.collection.places(test_file, marker)

    def arrange(self, places: Sequence[Place | None]) -> list[int]:
        """Check what was collected, and give the order to measure in."""
        self.collection.check()
        for place in filter(None, places):
            chosen = self.run.selected.setdefault(place.collected.suite.name, [])
            lacking = place.collected.suite.variant(place.variant_id).missing_hardware()
            if place.variant_id not in chosen and not lacking:
                chosen.append(place.variant_id)
        measuring = [place for place in places if place]
        tests_of_one = sum(place.key == measuring[0].key for place in measuring) if measuring else 1
        self.progress.start(len(measuring), guess_after=tests_of_one)
        return grouped(places)

    def reported(
        self, place: Place, raised: BaseException | None
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """After a phase of a test: its variant's record in JSON's types, and what is new in it."""
        record = self.run.record(*place.key)
        if isinstance(raised, Exception) and not isinstance(raised, GateBroken):
            self.run.note_error(record, raised)
        document = record_file.to_document(RunRecord(self.run.host, None, [record]))
        (now,) = document["records"]
        for extra_info in self.run.published.get(place.key, ()):
            extra_info.update(now, host=document["host"])
        news = list(junit.properties(now, self._reported.get(place.key, {})))
        self._reported[place.key] = now
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

                courses = history_courses(run, self.settings.storage)
                try:
                    record_file.write_text(page, html.page(run, courses))
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
