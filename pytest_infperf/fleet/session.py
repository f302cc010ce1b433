"""A pytest session whose tests run on the nodes of a cluster, once on each node type."""

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
from pytest_infperf.fleet.reports import Report
from pytest_infperf.fleet.tree import Tree, files_to_ship, model_folders
from pytest_infperf.records import file as record_file
from pytest_infperf.records.ledger import Ledger
from pytest_infperf.records.record import RunRecord
from pytest_infperf.report.progress import Progress
from pytest_infperf.report.tables import merged as merged_tables
from pytest_infperf.repository.revision import revision
from pytest_infperf.session.param import VariantParam
from pytest_infperf.session.session import Session
from pytest_infperf.settings import Settings


@dataclass(frozen=True)
class RemoteTest:
    """A selected test that runs on a node."""

    param: VariantParam
    nodeid: str
    """Its node id in this session."""
    remote_nodeid: str
    """Its node id in the pytest process on the node, without the node type."""


def remote_test(param: VariantParam, nodeid: str, parameters: str) -> RemoteTest:
    """Return the remote test of a collected one. `parameters` is the part of its id in brackets."""
    remote_parameters = parameters.replace(param.id, param.variant_id, 1)
    function = nodeid.removesuffix(f"[{parameters}]")
    return RemoteTest(param, nodeid, f"{function}[{remote_parameters}]")


class FleetSession(Session):
    """A session that replays reports of tests from the nodes, with one ledger per node type."""

    def __init__(
        self, settings: Settings, options: Sequence[str], progress: Progress, hooks: Any
    ) -> None:
        """`options` are for the nodes' pytest. Raises UserError as RayCluster does."""
        super().__init__(settings, progress, hooks, keeps_records=False)
        assert settings.ray
        self._options = options
        self._cluster = RayCluster(settings.ray)
        when = datetime.now(UTC).isoformat(timespec="seconds")
        working_tree = revision(settings.root)
        self._ledgers = {
            node_type: Ledger(
                _file_of(node_type, settings.json),
                RunRecord({"instance_type": node_type}, working_tree, when=when),
            )
            for node_type in self._cluster.node_types
        }
        self._check_pages()
        self._tests: dict[str, RemoteTest] = {}
        """The selected tests by node id in this session."""
        self._runs: dict[str, Done | NotDone] = {}
        """Outcomes by node type."""

    def _check_pages(self) -> None:
        if self.settings.html:
            from pytest_infperf.report import html

            html.check_available()
            record_file.check_writable(self.settings.html)

    def params(self, test_file: Path, marker: Mapping[str, Any]) -> list[VariantParam]:
        local = super().params(test_file, marker)
        return [
            replace(param, node_type=node_type) for node_type in self._ledgers for param in local
        ]

    def arrange(
        self,
        params: Sequence[VariantParam | None],
        nodeids: Sequence[str],
        *,
        whole_files: bool = True,
    ) -> list[int]:
        """Put remote tests last, by node type, so that nodes measure while local tests run."""
        order = super().arrange(params, nodeids, whole_files=whole_files)
        node_types = [None, *self._ledgers]

        def rank(i: int) -> int:
            param = params[i]
            return node_types.index(param.node_type if param else None)

        return sorted(order, key=rank)

    def select(self, tests: Sequence[RemoteTest]) -> None:
        self._tests = {test.nodeid: test for test in tests}

    def reports(self, nodeid: str) -> list[Report]:
        """Wait for the test's node, and return the reports of the test.

        A test without reports gets those of a failed setup, with the reason.
        """
        test = self._tests[nodeid]
        remote_nodeid, node_type = test.remote_nodeid, test.param.node_type
        assert node_type
        if node_type not in self._runs:
            suite = test.param.configured.suite.name
            self.progress.phase(suite, test.param.id, f"waiting for a node of {node_type}")
        try:
            outcome = self._outcome(node_type)
        except UserError as error:  # the tree cannot be shipped
            return reports.failed_setup(f"{remote_nodeid} was not measured on {node_type}: {error}")
        if isinstance(outcome, NotDone):
            return reports.failed_setup(
                f"{remote_nodeid} was not measured on {node_type}: {outcome.reason}"
            )
        run: TestsRun = outcome.result
        if test_reports := run.reports.by_test.get(remote_nodeid):
            return test_reports
        reason = "\n".join([*run.reports.collection_errors, run.ending])
        return reports.failed_setup(f"{remote_nodeid} left no report on {node_type}: {reason}")

    def ledger_of(self, host: Mapping[str, Any]) -> Ledger:
        ledger = self._ledgers[host["instance_type"]]
        ledger.run.host = dict(host)
        return ledger

    @property
    def ledgers(self) -> Sequence[Ledger]:
        return list(self._ledgers.values())

    def page_of(self, ledger: Ledger) -> Path | None:
        (node_type,) = [name for name, other in self._ledgers.items() if other is ledger]
        return _file_of(node_type, self.settings.html)

    def summary(self, width: int, colour: bool, unicode: bool) -> str:
        """Return a report for each host, then tables that compare the hosts."""
        text = super().summary(width, colour, unicode)
        measured = [ledger.run for ledger in self.ledgers if ledger.run.records]
        if len(measured) < 2:
            return text
        source = self.settings.prices if self.settings.prices != "aws" else None
        table = prices.table(source, self.settings.root)
        tables = io.StringIO()
        console = Console(file=tables, width=width, highlight=False, markup=False, emoji=False)
        rows = merge(measured, table)
        for suite in dict.fromkeys(row.record.suite for row in rows):
            suite_rows = [row for row in rows if row.record.suite == suite]
            console.print()
            for line in merged_tables.lines(suite, suite_rows, width):
                console.print(line, soft_wrap=True)
            console.print(merged_tables.conclusion(suite_rows, table))
        lines = (line.rstrip() for line in tables.getvalue().splitlines())
        return "\n".join([text, *lines])

    def _enter_time(self) -> None:
        """Set the time of each ledger to that of its node."""

    def close(self) -> None:
        if "_outcomes" in vars(self):
            self._outcomes.close()
        self._cluster.close()
        super().close()

    def _outcome(self, node_type: str) -> Done | NotDone:
        """Wait for the run of a node type, and store the outcomes of others that end before it.

        Raises UserError if the tree cannot be shipped.
        """
        while node_type not in self._runs:
            outcome = next(self._outcomes)
            self._runs[outcome.share.id] = outcome
            if isinstance(outcome, Done):
                run: TestsRun = outcome.result
                self.notices += [f"{outcome.node_type}: {text}" for text in run.reports.notices]
                self.add_time(run.reports.time_s)
                self._ledgers[outcome.share.id].run.time_s = run.reports.time_s
        return self._runs[node_type]

    @cached_property
    def _outcomes(self) -> Generator[Done | NotDone]:
        tree = self._tree()
        self._cluster.ship(tree)
        root = self.settings.root.relative_to(tree.top)
        cache = self.settings.cache
        shares = []
        for node_type in self._ledgers:
            tests = [
                test.remote_nodeid
                for test in self._tests.values()
                if test.param.node_type == node_type
            ]
            in_tree = cache.is_relative_to(tree.top)
            work = MeasuringRun(str(root), self._options, tests, None if in_tree else str(cache))
            if tests:
                shares.append(Share(node_type, [node_type], work))
        return dispatch(shares, self._cluster, self.notices.append)

    def _tree(self) -> Tree:
        suites = [test.param.configured.suite for test in self._tests.values()]
        return files_to_ship(self.settings.root, model_folders(suites))


def _file_of(node_type: str, path: Path | None) -> Path | None:
    """Return the output file of a node type, for example `out.c7i.large.json` for `out.json`."""
    if path is None:
        return None
    return path.with_name(f"{path.stem}.{node_type.replace('/', '-')}{path.suffix}")
