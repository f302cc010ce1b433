"""The hooks of pytest. Each one only delegates; without --infperf, nothing heavy is imported."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infperf import options
from pytest_infperf.fixtures import (
    BENCHMARK,
    CALLED,
    RUN,
    infperf,
    infperf_benchmark,
    takes_benchmark,
    takes_variant,
    variant,
)

if TYPE_CHECKING:
    from pytest_infperf.errors import UserError
    from pytest_infperf.fleet.session import FleetSession
    from pytest_infperf.records.record import RunRecord
    from pytest_infperf.session.param import VariantParam

__all__ = ["infperf", "infperf_benchmark", "variant"]


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_infperf import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "infperf(calls): measures inference; added to every test that uses `variant` or "
        "`infperf_benchmark`. `calls` "
        "names the methods (latency, throughput, quality, footprint) that a test calls through "
        "functions of other files.",
    )
    if options.enabled(config):
        _refuse_platform()
        measuring = MeasuringPlugin(config)
        config.pluginmanager.register(measuring, "infperf-measuring")
        if measuring.fleet:
            replaying = ReplayingPlugin(config, measuring.fleet)
            config.pluginmanager.register(replaying, "infperf-replaying")


def pytest_itemcollected(item: pytest.Item) -> None:
    if takes_variant(item) or takes_benchmark(item):
        item.add_marker(pytest.mark.infperf)


class MeasuringPlugin:
    """The hooks of a run that measures."""

    def __init__(self, config: pytest.Config) -> None:
        from pytest_infperf import fleet
        from pytest_infperf.errors import UserError
        from pytest_infperf.host.termination import TerminationSignals
        from pytest_infperf.records import time_spent
        from pytest_infperf.report.characters import shows_unicode
        from pytest_infperf.session import progress_line, session, xdist
        from pytest_infperf.settings import Settings

        self.config = config
        # pytest captures stdout later, when the summary is written.
        self.unicode = shows_unicode(sys.stdout)
        try:
            xdist.refuse_what_disturbs(config)
            settings = Settings.from_pytest(config)
            progress = progress_line.on_terminal(config)
            self.fleet = fleet.measuring_session(config, settings, progress)
            self.session = self.fleet or session.Session(
                settings,
                progress,
                config.hook,
                keeps_records=not xdist.is_worker(config),
                cluster_sets=fleet.shared_sets(settings),
            )
        except UserError as error:
            raise pytest.UsageError(str(error)) from error
        config.stash[RUN] = self.session.run
        config.add_cleanup(time_spent.keep(self.session.time))
        self.signals = TerminationSignals()

    def pytest_sessionstart(self) -> None:
        self.signals.install()
        self.config.add_cleanup(self.signals.restore)

    def pytest_report_header(self) -> str:
        from pytest_infperf.session.header import header_line

        return header_line(self.session)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        from pytest_infperf.errors import UserError

        if not takes_variant(metafunc.definition):
            return
        test = metafunc.definition
        try:
            params = self.session.params(test.path, _calls_marker(test))
        except UserError as error:
            raise pytest.Collector.CollectError(self._described(error)) from error
        ids = [param.id for param in params]
        metafunc.parametrize("variant", params, ids=ids, indirect=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(self) -> Generator[None, object, object]:
        made = yield
        for item in made if isinstance(made, list) else ():
            if not isinstance(item, pytest.Function):
                continue
            if param := _variant_param(item):
                marker = _calls_marker(item)
                self.session.generated(param, item.nodeid, item.function, marker)
            elif takes_benchmark(item) and not self.fleet:
                self._add_benchmark(item)
        return made

    def _described(self, error: UserError) -> str:
        """Return the message of a collection error; with -vv, preceded by its traceback."""
        cause = error.__cause__ if self.config.option.verbose >= 2 else None
        return "".join([*(traceback.format_exception(cause) if cause else ()), str(error)])

    def _add_benchmark(self, item: pytest.Function) -> None:
        from pytest_infperf.errors import UserError

        try:
            item.stash[BENCHMARK] = self.session.benchmark(item.path, item.nodeid)
        except UserError as error:
            raise pytest.Collector.CollectError(self._described(error)) from error

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        from pytest_infperf.session.xdist_schedule import OneWorkerMeasures

        return OneWorkerMeasures(config, log)

    # Wraps all other hooks, so that the selected tests are arranged last.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        from pytest_infperf.errors import UserError
        from pytest_infperf.session import benchmark_table, xdist

        with benchmark_table.announced(filter(self._is_benchmark, items)):
            yield
        try:
            order = self.session.arrange(
                [_variant_param(item) for item in items],
                [item.nodeid for item in items],
                whole_files=not any("::" in argument for argument in self.config.args),
            )
        except UserError as error:
            if not xdist.is_worker(self.config):
                raise pytest.UsageError(str(error)) from error
            # A UsageError would crash a worker of xdist; a collection error reaches the controller.
            report = pytest.CollectReport("infperf", "failed", str(error), None)
            self.config.hook.pytest_collectreport(report=report)
            order = []
        items[:] = [items[i] for i in order]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        from pytest_infperf.errors import NotForVariant

        try:
            result = yield
        except NotForVariant as reason:
            self._refuse_caught_limits(item)
            pytest.skip(str(reason))
        except pytest.skip.Exception:
            self._refuse_caught_limits(item)
            raise
        self._refuse_caught_limits(item)
        if not item.stash.get(CALLED, True):
            pytest.fail("infperf_benchmark was not called: nothing was measured", pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        result = yield
        self._refuse_caught_limits(item)
        return result

    def _refuse_caught_limits(self, item: pytest.Item) -> None:
        """Fail a test that has caught the error of a limit, also in one of its fixtures."""
        param = _variant_param(item)
        if param and (message := self.session.caught_limits(param, item.nodeid)):
            pytest.fail(message, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        from pytest_infperf.errors import GateBroken
        from pytest_infperf.report.junit import PREFIX
        from pytest_infperf.session import benchmark_table, short_summary
        from pytest_infperf.session.session import Ended

        report = yield
        param = _variant_param(item)
        raised = call.excinfo.value if call.excinfo else None
        if raised:
            short_summary.shorten(report, raised)
        if param and report.failed:
            benchmark_table.excuse_unused(item)
        if param and (raised or report.when == "call"):
            failure = raised if report.failed and not isinstance(raised, GateBroken) else None
            ended = Ended(
                report.passed,
                report.failed,
                failure,
                torn_down=report.when == "teardown",
                xfailed=report.skipped and hasattr(report, "wasxfail"),
            )
            record, properties = self.session.report(param, item.nodeid, ended)
            vars(report)["infperf_run"] = record
            # The report of the teardown, from which the JUnit file is made, takes them from the
            # item. A repeated test is the same item.
            item.user_properties[:] = [
                *(other for other in item.user_properties if not other[0].startswith(PREFIX)),
                *properties,
            ]
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
        data = yield
        if data and (run := data.pop("infperf_run", None)):
            from pytest_infperf.records.file import to_document

            data["infperf_run"] = to_document(run)
        return data

    @pytest.hookimpl(wrapper=True)
    def pytest_report_from_serializable(
        self, data: dict[str, Any]
    ) -> Generator[
        None,
        pytest.CollectReport | pytest.TestReport | None,
        pytest.CollectReport | pytest.TestReport | None,
    ]:
        document = data.pop("infperf_run", None)
        report = yield
        if report and document:
            from pytest_infperf.records.file import from_document

            vars(report)["infperf_run"] = from_document(document)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        self.session.progress.hide()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.session.progress.hide()
        run: RunRecord | None = getattr(report, "infperf_run", None)
        if run:
            self.session.enter(run)
        if report.when == "teardown" and "infperf" in report.keywords:
            self.session.progress.advance()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        from pytest_infperf.history.saving import one_at_a_time
        from pytest_infperf.session import benchmark_table, xdist

        self.signals.ignore()
        self.session.close()
        if not xdist.is_worker(self.config):
            try:
                self.session.write_reports()
            except KeyboardInterrupt:
                self.session.notices.append("interrupted (Ctrl-C) before all reports were written")
                session.exitstatus = pytest.ExitCode.INTERRUPTED
        xdist.pass_on(self.session.notices, self.session.time_s(), self.config)
        if self.session.fails and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        # pytest-benchmark saves the run inside this context.
        with one_at_a_time(self.session.settings.storage, saves=benchmark_table.saves(self.config)):
            return (yield)

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_json(self, benchmarks: Any, output_json: dict[str, Any]) -> None:
        from pytest_infperf.session.benchmark_table import add_records

        add_records(benchmarks, output_json, self.session.benchmark_info)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        from pytest_infperf.session import xdist

        notices, time_s = xdist.passed_on(node)
        # Each worker collects, so several of them forward the same notice.
        self.session.notices += [text for text in notices if text not in self.session.notices]
        self.session.add_time(time_s)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        writer = self.config.get_terminal_writer()
        summary = self.session.summary(writer.fullwidth, writer.hasmarkup, self.unicode)
        if summary:
            terminalreporter.section("inference", sep="=")
            terminalreporter.write_line(summary)
        for line in self.session.workflow_commands():
            terminalreporter.write_line(line)
        for notice in self.session.notices:
            terminalreporter.write_line(f"note: {notice}")
        for line in self.session.closing_lines(writer.fullwidth):
            terminalreporter.write_line(line)

    def _is_benchmark(self, item: pytest.Item) -> bool:
        return (
            self.config.pluginmanager.hasplugin("benchmark")
            and isinstance(item, pytest.Function)
            and _variant_param(item) is not None
            and (
                BENCHMARK in item.stash
                or self.session.measures_latency(item.function, _calls_marker(item))
            )
        )


class ReplayingPlugin:
    """The hooks of a run whose tests run on the nodes of a cluster; it replays their reports."""

    def __init__(self, config: pytest.Config, session: FleetSession) -> None:
        self.config = config
        self.session = session

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        from pytest_infperf.fleet.session import remote_test

        with_params = [(item, param) for item in session.items if (param := _variant_param(item))]
        self.session.select(
            [
                remote_test(param, item.nodeid, vars(item)["callspec"].id)
                for item, param in with_params
            ]
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if not _variant_param(item):
            return None
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for document in self.session.reports(item.nodeid):
            data = {**document, "nodeid": item.nodeid, "location": item.location}
            report = hook.pytest_report_from_serializable(config=self.config, data=data)
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


def _refuse_platform() -> None:
    from pytest_infperf.errors import UserError, check_platform

    try:
        check_platform()
    except UserError as error:
        raise pytest.UsageError(str(error)) from error


def _calls_marker(test: pytest.Item) -> dict[str, Any]:
    """Return the arguments of the test's marker `infperf`."""
    marker = test.get_closest_marker("infperf")
    return dict(marker.kwargs) if marker else {}


def _variant_param(item: pytest.Item) -> VariantParam | None:
    from pytest_infperf.session.param import VariantParam

    if benchmark := item.stash.get(BENCHMARK, None):
        return benchmark
    callspec = getattr(item, "callspec", None)
    param = callspec.params.get("variant") if callspec else None
    return param if isinstance(param, VariantParam) else None
