"""Engines that run the servers of a trial, and processes of this host as one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from typing import Protocol

import psutil

from pytest_infperf import errors
from pytest_infperf.errors import WorkerError
from pytest_infperf.explore.design import Setting
from pytest_infperf.explore.link import Link, delayed, netem
from pytest_infperf.explore.replicas import started_together
from pytest_infperf.host.control_group import ControlGroup, limited
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.serving.server.process import ServerProcess
from pytest_infperf.serving.server.settings import Deployment

__tracebackhide__ = errors.meant_for_the_user


@dataclass(frozen=True)
class Servers:
    """The servers of a trial, ready for load."""

    urls: Sequence[str]
    """Base URLs, to which requests are sent in turn."""
    deployment: Deployment
    """Deployment of each server."""
    _: KW_ONLY
    replicas: int
    """Number of servers, which may be behind one URL."""
    processes: Callable[[], Sequence[psutil.Process]]
    """Returns the first process of each server."""
    checked: Callable[[], AbstractContextManager[object]]
    """Returns a context that raises WorkerError if a server ends inside it."""
    launcher: Sequence[str] = ()
    """Command that runs the load generator."""


class Engine(Protocol):
    """Runs the servers of trials."""

    def servers(self, setting: Setting) -> AbstractContextManager[Servers]:
        """Start the servers of a setting, and end them after the block.

        Raises
        ------
        WorkerError
            If a server does not start, or runs out of memory, even inside the block.
        """


@dataclass(frozen=True)
class HostEngine:
    """Runs servers as processes of this host, each with a control group of its own."""

    suite_run: SuiteRun
    variant_id: str
    network: str = ""
    """How delay and loss are set: "netem" or, for a delay only, "proxy"; empty without them."""

    @contextmanager
    def servers(self, setting: Setting) -> Iterator[Servers]:
        with ExitStack() as created:
            count = round(setting.get("replicas", 1))
            groups = [created.enter_context(control_group(setting)) for _ in range(count)]
            try:
                with ExitStack() as opened:
                    yield self._started(setting, groups, opened)
            except WorkerError:
                if not _kills(groups):
                    raise
            if kills := _kills(groups):
                raise WorkerError(f"memory ran out: {kills} processes were killed")

    def _started(
        self, setting: Setting, groups: Sequence[ControlGroup], opened: ExitStack
    ) -> Servers:
        """Start a server in each group; leaving `opened` ends them."""
        suite_server, suite = self.suite_run.server, self.suite_run.suite
        workers = round(setting.get("workers", suite.serving.workers))
        serving = replace(suite.serving, workers=workers)
        deployment = suite_server.deployment(self.variant_id, serving, len(groups))
        delay_ms, loss = setting.get("delay-ms", 0.0), setting.get("loss", 0.0)
        is_netem = self.network == "netem"
        link = opened.enter_context(netem(delay_ms, loss)) if is_netem else Link()
        deployments = [
            replace(deployment, host=link.host, groups=tuple(group.folders)) for group in groups
        ]
        servers = opened.enter_context(
            started_together(suite_server.started, deployments, lambda: _kills(groups) > 0)
        )
        urls: Sequence[str] = [server.url for server in servers]
        if self.network == "proxy":
            urls = opened.enter_context(delayed(urls, delay_ms))
        return Servers(
            urls,
            servers[0].deployment,
            replicas=len(servers),
            processes=lambda: [server.process for server in servers],
            checked=lambda: _all_checked(servers),
            launcher=link.launcher,
        )


@contextmanager
def _all_checked(servers: Sequence[ServerProcess]) -> Iterator[None]:
    with ExitStack() as checks:
        for server in servers:
            checks.enter_context(server.checked())
        yield


def control_group(setting: Setting) -> AbstractContextManager[ControlGroup]:
    """Return a new control group with a setting's limits of CPU time and memory.

    Entering it raises ControlGroupError if this host does not allow it.
    """
    memory = setting.get("memory")
    return limited(setting.get("cpu"), None if memory is None else round(memory))


def _kills(groups: Sequence[ControlGroup]) -> int:
    return sum(group.kills() for group in groups)
