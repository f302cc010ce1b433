"""Values of a variant in earlier runs on the same kind of host, passed to the gates as numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_infperf.history.store import HistoryStore, SavedRun
from pytest_infperf.host.fingerprint import comparable

MAX_RUNS = 20


@dataclass(frozen=True)
class Past:
    """Earlier runs on one kind of host. The storage is read when a value is first needed."""

    storage: Path
    """Folder of the saved runs."""
    host: dict[str, Any]
    """Fingerprint of the present host."""
    report_skipped: Callable[[str], None] = lambda reason: None
    """Callback for each saved run that cannot be read, with its path and the reason."""

    def values(self, suite: str, variant: str, measure: str) -> list[float]:
        """Return the values of a measure in the last runs, the oldest first."""
        values = [
            record.measures[measure].value
            for saved in self._runs
            for record in saved.run.records
            if (record.suite, record.variant) == (suite, variant) and measure in record.measures
        ]
        return values[-MAX_RUNS:]

    @cached_property
    def _runs(self) -> Sequence[SavedRun]:
        runs = HistoryStore(self.storage, self.report_skipped).runs
        return [saved for saved in runs if not comparable(saved.run.host, self.host)]
