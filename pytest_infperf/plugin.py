"""pytest's hooks, each delegating in a few lines. Nothing heavy is imported without --infperf."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infperf import options
from pytest_infperf.fixtures import RUN, infperf, takes_variant, variant

if TYPE_CHECKING:
    from pytest_infperf.collection import Place

__all__ = ["infperf", "variant"]


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_infperf import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "infperf(calls): measures inference; added to every test that uses `variant`. `calls` "
        "names the methods (latency, throughput, quality, footprint) that a test calls in "
        "another file than its own.",
    )
    if options.enabled(config):
        config.pluginmanager.register(Measuring(config), "infperf-measuring")


def pytest_itemcollected(item: pytest.Item) -> None:
    if takes_variant(item):
        item.add_marker(pytest.mark.infperf)


class Measuring:
    """The hooks of a run that measures."""

    def __init__(self, config: pytest.Config) -> None:
        from pytest_infperf import distributed, progress_line, session
        from pytest_infperf.errors import UserError
        from pytest_infperf.settings import Settings

        self.config = config
        try:
            distributed.refuse_what_disturbs(config)
            self.session = session.Session(
                Settings.from_pytest(config),
                progress_line.on_terminal(config),
                config.hook,
                keeps_records=not distributed.is_worker(config),
            )
        except UserError as error:
            raise pytest.UsageError(str(error)) from error
        config.stash[RUN] = self.session.run

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        from pytest_infperf.errors import UserError

        if not takes_variant(metafunc.definition):
            return
        marker = metafunc.definition.get_closest_marker("infperf")
        try:
            places = self.session.collection.places(
                metafunc.definition.path, marker.kwargs if marker else {}
            )
        except UserError as error:
            raise pytest.Collector.CollectError(str(error)) from error
        ids = [place.variant_id for place in places]
        metafunc.parametrize("variant", places, ids=ids, indirect=True)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        from pytest_infperf import benchmark_table

        place = _place(item)
        if place and self.config.pluginmanager.hasplugin("benchmark"):
            group = place.collected.suite.name
            item.add_marker(pytest.mark.benchmark(timer=place.replay.clock, group=group))
            benchmark_table.announce(item)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        from pytest_infperf.xdist_schedule import OneWorkerMeasures

        return OneWorkerMeasures(config, log)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        from pytest_infperf import distributed
        from pytest_infperf.errors import UserError

        try:
            order = self.session.arrange([_place(item) for item in items])
        except UserError as error:
            if not distributed.is_worker(self.config):
                raise pytest.UsageError(str(error)) from error
            # In a worker of xdist that would be a crash; an error of collection is passed on.
            report = pytest.CollectReport("infperf", "failed", str(error), None)
            self.config.hook.pytest_collectreport(report=report)
            order = []
        items[:] = [items[i] for i in order]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if place := _place(item):
            raised = call.excinfo.value if call.excinfo else None
            # Attributes of a report travel with it from xdist's workers.
            vars(report)["infperf_record"] = self.session.reported(place, raised)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        self.session.progress.hide()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.session.progress.hide()
        document: dict[str, Any] | None = getattr(report, "infperf_record", None)
        if document is not None:
            self.session.enter(document)
            if report.when == "teardown":
                self.session.progress.advance()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        from pytest_infperf import distributed

        self.session.close()
        distributed.pass_on(self.session.notices, self.config)
        if self.session.incomplete and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        from pytest_infperf import distributed

        self.session.notices += distributed.passed_on(node)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        from pytest_infperf.report.spelling import shows_unicode

        writer = terminalreporter._tw
        summary = self.session.summary(
            writer.fullwidth, writer.hasmarkup, shows_unicode(writer._file)
        )
        if summary:
            terminalreporter.section("inference", sep="=")
            terminalreporter.write_line(summary)
        for notice in self.session.notices:
            terminalreporter.write_line(f"note: {notice}")


def _place(item: pytest.Item) -> Place | None:
    from pytest_infperf.collection import Place

    callspec = getattr(item, "callspec", None)
    place = callspec.params.get("variant") if callspec else None
    return place if isinstance(place, Place) else None
