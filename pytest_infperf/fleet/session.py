"""A pytest session whose tests run on the nodes of a cluster, once for each kind of node."""

from __future__ import annotations

import io
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from pytest_infperf.cost import prices
from pytest_infperf.cost.merged import merge
from pytest_infperf.errors import UserError
from pytest_infperf.fleet import reports
from pytest_infperf.fleet.cluster import RayCluster
from pytest_infperf.fleet.dispatch import Done, NotDone, Share, dispatch
from pytest_infperf.fleet.measuring import MeasuringRun, TestsRun
from pytest_infperf.fleet.reports import Report, Reports
from pytest_infperf.fleet.tree import Tree, model_folders, working_tree
from pytest_infperf.records import file as record_file
from pytest_infperf.records.ledger import Ledger
from pytest_infperf.records.record import RunRecord
from pytest_infperf.report.progress import Progress
from pytest_infperf.report.tables import merged as merged_tables
from pytest_infperf.repository.revision import revision
from pytest_infperf.session.collection import VariantParam
from pytest_infperf.session.session import Session
from pytest_infperf.settings import Settings


@dataclass(frozen=True)
class Test:
    """One that was selected, as it is called here and where it runs."""

    param: VariantParam
    nodeid: str
    nodeid_there: str

    __test__ = False


def test_of(param: VariantParam, nodeid: str, parameters: str) -> Test:
    """`parameters` is the part of the node id in brackets."""
    there = parameters.replace(param.id, param.variant_id, 1)
    return Test(param, nodeid, f"{nodeid.removesuffix(f'[{parameters}]')}[{there}]")


class FleetSession(Session):
    def __init__(
        self, settings: Settings, options: Sequence[str], progress: Progress, hooks: Any
    ) -> None:
        """`options` are those of the nodes' pytest. Raises UserError as RayCluster does."""
        super().__init__(settings, progress, hooks, keeps_records=False)
        assert settings.ray
        self._options = options
        self._cluster = RayCluster(settings.ray)
        when = datetime.now(UTC).isoformat(timespec="seconds")
        now = revision(settings.root)
        self._by_node_type = {
            node_type: Ledger(
                _beside(settings.json, node_type),
                RunRecord({"instance_type": node_type}, now, when=when),
            )
            for node_type in self._cluster.node_types
        }
        self._check_pages()
        self._tests: list[Test] = []
        self._runs: dict[str, Done | NotDone] = {}

    def _check_pages(self) -> None:
        if self.settings.html:
            from pytest_infperf.report import html

            html.check_available()
            record_file.check_writable(self.settings.html)

    def params(self, test_file: Path, marker: Mapping[str, Any]) -> list[VariantParam]:
        here = super().params(test_file, marker)
        return [
            replace(param, node_type=node_type)
            for node_type in self._by_node_type
            for param in here
        ]

    def arrange(self, params: Sequence[VariantParam | None]) -> list[int]:
        """What is measured elsewhere comes last, kind by kind: it goes on while others run here."""
        order = super().arrange(params)
        node_types = [None, *self._by_node_type]

        def rank(i: int) -> int:
            param = params[i]
            return node_types.index(param.node_type if param else None)

        return sorted(order, key=rank)

    def select(self, tests: Sequence[Test]) -> None:
        self._tests = list(tests)

    def reports(self, nodeid: str) -> list[Report]:
        """What a test's reports on its kind of node were, for one that ran or could not."""
        test = next(test for test in self._tests if test.nodeid == nodeid)
        node_type = test.param.node_type
        assert node_type
        if node_type not in self._runs:
            suite = test.param.configured.suite.name
            self.progress.phase(suite, test.param.id, f"waiting for what {node_type} measures")
        found = self._run_of(node_type)
        if isinstance(found, NotDone):
            return reports.unable(
                f"{test.nodeid_there} was not measured on {node_type}: {found.why}"
            )
        run: TestsRun = found.result
        if its := run.reports.by_test.get(test.nodeid_there):
            return its
        words = "\n".join([*run.reports.outside, run.ended])
        return reports.unable(f"{test.nodeid_there} left no report on {node_type}: {words}")

    def ledger_of(self, host: Mapping[str, Any]) -> Ledger:
        ledger = self._by_node_type[host["instance_type"]]
        ledger.run.host = dict(host)
        return ledger

    @property
    def ledgers(self) -> Sequence[Ledger]:
        return list(self._by_node_type.values())

    def page_of(self, ledger: Ledger) -> Path | None:
        node_type = next(
            node_type for node_type, its in self._by_node_type.items() if its is ledger
        )
        return _beside(self.settings.html, node_type)

    def summary(self, width: int, colour: bool, unicode: bool) -> str:
        """A report a host, then the hosts side by side."""
        text = super().summary(width, colour, unicode)
        measured = [ledger.run for ledger in self.ledgers if ledger.run.records]
        if len(measured) < 2:
            return text
        source = self.settings.prices if self.settings.prices != "aws" else None
        table = prices.table(source, self.settings.root)
        console = Console(
            file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False
        )
        rows = merge(measured, table)
        for suite in dict.fromkeys(row.record.suite for row in rows):
            its = [row for row in rows if row.record.suite == suite]
            console.print()
            console.print(merged_tables.table(suite, its))
            console.print(merged_tables.conclusion(its, table))
        written = console.file
        assert isinstance(written, io.StringIO)
        lines = (line.rstrip() for line in written.getvalue().splitlines())
        return "\n".join([text, *lines])

    def close(self) -> None:
        if "_outcomes" in vars(self):
            self._outcomes.close()
        self._cluster.close()
        super().close()

    def _run_of(self, node_type: str) -> Done | NotDone:
        """Waits until it is over, and keeps what other kinds' runs come to meanwhile."""
        while node_type not in self._runs:
            try:
                outcome = next(self._outcomes)
            except UserError as error:  # the tree cannot be shipped
                return NotDone(
                    Share(node_type, [node_type], MeasuringRun("", (), (), None)), str(error)
                )
            self._runs[outcome.share.id] = outcome
            if isinstance(outcome, Done):
                found: Reports = outcome.result.reports
                self.notices += [f"{outcome.node_type}: {notice}" for notice in found.notices]
        return self._runs[node_type]

    @cached_property
    def _outcomes(self) -> Generator[Done | NotDone]:
        tree = self._tree()
        self._cluster.ship(tree)
        root = self.settings.root.relative_to(tree.top)
        cache = self.settings.cache
        shares = []
        for node_type in self._by_node_type:
            tests = [test.nodeid_there for test in self._tests if test.param.node_type == node_type]
            in_tree = cache.is_relative_to(tree.top)
            work = MeasuringRun(str(root), self._options, tests, None if in_tree else str(cache))
            if tests:
                shares.append(Share(node_type, [node_type], work))
        return dispatch(shares, self._cluster, self.notices.append)

    def _tree(self) -> Tree:
        suites = [test.param.configured.suite for test in self._tests]
        return working_tree(self.settings.root, model_folders(suites))


def _beside(path: Path | None, node_type: str) -> Path | None:
    """`out.json` of a kind is `out.c7i.large.json`."""
    if path is None:
        return None
    return path.with_name(f"{path.stem}.{node_type.replace('/', '-')}{path.suffix}")
