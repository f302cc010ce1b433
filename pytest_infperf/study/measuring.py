"""Measure one cell of a study through HTTP: its quality, then its load."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_infperf.errors import GateBroken
from pytest_infperf.gates.result import Result
from pytest_infperf.host.fingerprint import host_names
from pytest_infperf.records.ledger import Ledger
from pytest_infperf.records.record import RunRecord
from pytest_infperf.repository.revision import revision
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.run import Run
from pytest_infperf.run.variant import Variant
from pytest_infperf.settings import Settings
from pytest_infperf.study.cells import StudyCell
from pytest_infperf.study.served_variant import ServedVariant
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.loads import ClosedLoop
from pytest_infperf.suite.suite import Suite
from pytest_infperf.thresholds import Thresholds

_TEST = "infperf study"


class _NoTable:
    """Replaces pytest-benchmark's table, which a study does not use."""

    def expect(self) -> None:
        pass

    def show(self, times_s: Sequence[float]) -> None:
        pass


@dataclass(frozen=True)
class CellMeasuring:
    """Measures the cells of a study in the same way, with the limits of a thresholds file."""

    suite: Suite
    address: SuiteAddress
    settings: Settings
    thresholds: Thresholds
    load: ClosedLoop
    batch: int
    """Number of samples in a request while the quality is scored."""
    report_progress: Callable[[str], None]

    def measure(self, cell: StudyCell, url: str, host: Mapping[str, Any], path: Path) -> list[str]:
        """Measure a cell, and write its record to a file after each step.

        Parameters
        ----------
        cell : StudyCell
            The cell.
        url : str
            The base URL of its server.
        host : Mapping
            Facts of the serving host for the record: instance type, region, price.
        path : Path
            The file of the record.

        Returns
        -------
        list of str
            Notices, such as about limits that are not judged.

        Raises
        ------
        UserError, WorkerError
            If the server cannot be measured, or the record cannot be written.
        """
        notices: list[str] = []
        run = Run(
            self.settings,
            self.thresholds,
            lambda suite, variant, text: self.report_progress(f"{cell}: {text}"),
            notices.append,
            dict(host),
            selected={self.suite.name: [cell.variant]},
        )
        ledger = Ledger(
            path,
            RunRecord(
                run.host,
                revision(self.suite.folder, notices.append),
                when=datetime.now(UTC).isoformat(timespec="seconds"),
            ),
        )
        with closing(ledger), closing(run):
            configured = self._configured(cell, url, float(host["usd_per_hour"]))
            notices += self._not_judged(configured, cell.variant, host_names(run.host))
            variant = run.variant(configured, cell.variant, _NoTable(), _TEST)
            for result in self._results(variant):
                _judge(result)
                ledger.enter(run.record(self.suite.name, cell.variant))
                if ledger.unwritten:
                    raise ledger.unwritten
        if ledger.unwritten:
            raise ledger.unwritten
        return notices

    def _not_judged(
        self, configured: ConfiguredSuite, variant_id: str, names_of_host: Sequence[str]
    ) -> Iterator[str]:
        """Yield a notice about limits relative to the baseline, which is not served."""
        baseline = self.thresholds.baseline(self.suite.name) or self.suite.baseline
        gates = self.thresholds.gates_for(
            self.suite.name, variant_id, configured.catalogue, names_of_host, baseline
        )
        relative = [g.measure for g in gates if g.spec.need_of(g.limit.rule) == "baseline"]
        if relative:
            yield (
                f"{variant_id}: a study does not judge limits relative to the baseline "
                f"({', '.join(relative)}): set absolute limits, such as min or max"
            )

    def _results(self, variant: Variant) -> Iterator[Result]:
        """Measure the quality, then the load."""
        yield variant.quality(self.batch)
        yield variant.load(self.load.name)

    def _configured(self, cell: StudyCell, url: str, usd_per_hour: float) -> ConfiguredSuite:
        """Return the suite with the cell's address as its only variant, and the study's load.

        Its other loads are kept, because limits may refer to them.
        """
        served = ServedVariant.of(self.suite, self.address, cell.variant, url, usd_per_hour)
        others = [load for load in self.suite.loads if load.name != self.load.name]
        suite = replace(self.suite, variants=[served], baseline=None, loads=[*others, self.load])
        return ConfiguredSuite(suite, self.address, None)


def _judge(result: Result) -> None:
    """Write the verdicts to the record, from which a study shows them."""
    with warnings.catch_warnings(), suppress(GateBroken):
        warnings.simplefilter("ignore")
        result.check()
