"""What earlier runs on hosts like this one saw of a variant: values, handed to the gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_infperf.history.store import HistoryStore, SavedRun
from pytest_infperf.host.fingerprint import comparable

MOST_RUNS = 20


@dataclass(frozen=True)
class Past:
    """Reads the storage when the first gate asks."""

    storage: Path
    host: dict[str, Any]

    def values(self, suite: str, variant: str, measure: str) -> list[float]:
        """Of the last runs, oldest first; none where nothing was saved on a host like this."""
        found = [
            record.measures[measure].value
            for saved in self._runs
            for record in saved.run.records
            if (record.suite, record.variant) == (suite, variant) and measure in record.measures
        ]
        return found[-MOST_RUNS:]

    @cached_property
    def _runs(self) -> Sequence[SavedRun]:
        runs = HistoryStore(self.storage).runs
        return [saved for saved in runs if not comparable(saved.run.host, self.host)]
