"""A pytest session that measures: ties collection, run, records, progress and summary together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from pytest_infperf import record_file
from pytest_infperf.collection import Additions, Collection, Place, grouped
from pytest_infperf.errors import GateBroken, UserError
from pytest_infperf.ledger import Ledger
from pytest_infperf.record import RunRecord
from pytest_infperf.report.progress import Progress
from pytest_infperf.report.terminal import render
from pytest_infperf.revision import revision
from pytest_infperf.run import Run
from pytest_infperf.settings import Settings
from pytest_infperf.thresholds import Thresholds, parse


class Session:
    def __init__(
        self, settings: Settings, progress: Progress, hooks: Any, *, keeps_records: bool
    ) -> None:
        thresholds = _thresholds(settings)
        additions = Additions(
            variants=lambda suite: _flat(hooks.pytest_infperf_variants(suite=suite)),
            metrics=lambda suite: _flat(hooks.pytest_infperf_metrics(suite=suite)),
        )
        facts: dict[str, Any] = {}
        for more in hooks.pytest_infperf_host_facts():
            facts.update(more)
        self.notices: list[str] = []
        self.progress = progress
        self.collection = Collection(settings, thresholds, additions)
        self.run = Run(settings, thresholds, progress.phase, self.notices.append, facts)
        self._keeps_records = keeps_records
        self._ledger = Ledger(
            settings.json if keeps_records else None, self.run.host, revision(settings.root)
        )

    def arrange(self, places: Sequence[Place | None]) -> list[int]:
        """Check what was collected, and give the order to measure in."""
        self.collection.check()
        for place in filter(None, places):
            chosen = self.run.selected.setdefault(place.collected.suite.name, [])
            if place.variant_id not in chosen:
                chosen.append(place.variant_id)
        measuring = [place for place in places if place]
        tests_of_one = sum(place.key == measuring[0].key for place in measuring) if measuring else 1
        self.progress.start(len(measuring), guess_after=tests_of_one)
        return grouped(places)

    def reported(self, place: Place, raised: BaseException | None) -> dict[str, Any]:
        """The variant's record so far, in JSON's types, after a phase of one of its tests."""
        record = self.run.record(*place.key)
        if isinstance(raised, Exception) and not isinstance(raised, GateBroken):
            self.run.note_error(record, raised)
        document = record_file.to_document(RunRecord(self.run.host, None, [record]))
        for extra_info in self.run.published.get(place.key, ()):
            extra_info.update(document["records"][0], host=document["host"])
        return document

    def enter(self, document: dict[str, Any]) -> None:
        """A record that a test's report brought, maybe from another process."""
        for record in record_file.from_document(document).records:
            self._ledger.enter(record)

    def close(self) -> None:
        """End the workers, and keep also what an interrupted test had measured."""
        self.run.close()
        self.progress.close()
        for record in self.run.records.values():
            self._ledger.enter(record)
        if self._ledger.unwritten:
            self.notices.append(str(self._ledger.unwritten))

    @property
    def incomplete(self) -> bool:
        """The run's file could not be written."""
        return self._ledger.unwritten is not None

    def summary(self, width: int, colour: bool, unicode: bool) -> str:
        return render(self._ledger.run, width, colour, unicode)


def _thresholds(settings: Settings) -> Thresholds:
    path = settings.thresholds
    if path is None:
        return Thresholds.empty()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    source = path.relative_to(settings.root) if path.is_relative_to(settings.root) else path
    return parse(text, str(source))


def _flat(results: Sequence[Sequence[Any]]) -> list[Any]:
    return list(chain.from_iterable(results))
