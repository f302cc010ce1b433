"""A server from the test's side: a process that is started, becomes ready and is ended."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPException
from time import monotonic, sleep
from urllib.request import ProxyHandler, build_opener

import psutil

from pytest_infperf import errors
from pytest_infperf.errors import WorkerError
from pytest_infperf.host.processes import OutputTail, how_it_ended, kill_group
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.serving.server.settings import (
    ENVIRONMENT,
    METRICS_FOLDER,
    METRICS_PREFIX,
    Deployment,
)

__tracebackhide__ = errors.meant_for_the_user

_POLL_S = 0.05
_READY_METRIC = re.compile(rb"^infperf_ready_workers (\d+(?:\.\d+)?)$", re.MULTILINE)
_DIRECT = build_opener(ProxyHandler({}))
"""Opens URLs of this host without the proxies of the environment."""


class ServerProcess:
    """The server of a deployment, on a free port, with all its processes ready.

    Parameters
    ----------
    deployment : Deployment
        The suite, variant and options to serve.
    checkout : Checkout
        Tree of files that the server imports.
    timeout_s : float
        Time in which the server must become ready, in seconds.
    has_failed : callable
        Returns True if the server can no longer become ready, which ends the waiting early.

    Raises
    ------
    WorkerError
        If the server ends, or is not ready in time.
    """

    def __init__(
        self,
        deployment: Deployment,
        checkout: Checkout,
        timeout_s: float,
        has_failed: Callable[[], bool] = lambda: False,
    ) -> None:
        self.deployment = deployment
        self.name = deployment.variant
        with ExitStack() as cleanup:
            metrics = cleanup.enter_context(
                tempfile.TemporaryDirectory(prefix=METRICS_PREFIX, ignore_cleanup_errors=True)
            )
            self._stderr = cleanup.enter_context(closing(OutputTail()))
            self._process = cleanup.enter_context(
                subprocess.Popen(
                    [checkout.python, "-m", "pytest_infperf.serving.server"],
                    cwd=checkout.folder,
                    env={
                        **checkout.environment(),
                        ENVIRONMENT: deployment.to_json(),
                        METRICS_FOLDER: metrics,
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=self._stderr.file,
                    start_new_session=True,
                )
            )
            cleanup.callback(self._kill)
            self._wait_until_ready(monotonic() + timeout_s, has_failed)
            self._cleanup = cleanup.pop_all()

    @property
    def url(self) -> str:
        """Base URL of the server."""
        return f"http://{self.deployment.host}:{self._port}"

    @property
    def process(self) -> psutil.Process:
        """First process of the server, the parent of all others."""
        return psutil.Process(self._process.pid)

    @property
    def alive(self) -> bool:
        """Whether the first process runs."""
        return self._process.poll() is None

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Raise WorkerError if the server ends inside the context, in place of other errors."""
        try:
            yield
        except Exception:
            if not self.alive:
                raise self._ended() from None
            raise
        if not self.alive:
            raise self._ended()

    def close(self) -> None:
        """Kill all processes of the server; their stderr remains readable."""
        self._cleanup.close()

    def _wait_until_ready(self, deadline_s: float, has_failed: Callable[[], bool]) -> None:
        assert self._process.stdout
        line = self._process.stdout.readline()  # written at once, unless the process ends
        if not line:
            raise self._ended()
        self._port = int(line)
        while reason := self._not_ready():
            if not self.alive:
                raise self._ended()
            if monotonic() > deadline_s or has_failed():
                raise WorkerError(
                    f"the server of {self.name} was not ready in time (--infperf-timeout): "
                    f"{reason}{self._stderr}"
                )
            sleep(_POLL_S)

    def _not_ready(self) -> str:
        """Return why not all server processes are known to be ready; empty if they are."""
        url, workers = f"{self.url}/metrics", self.deployment.limits.workers
        try:
            with _DIRECT.open(url, timeout=5) as response:
                metrics = response.read()
        except (OSError, HTTPException) as error:
            return f"{url} has no metrics ({error})"
        ready = _READY_METRIC.search(metrics)
        if not ready:
            return f"{url} does not contain infperf_ready_workers"
        count = round(float(ready[1]))
        return "" if count >= workers else f"{count} of {workers} processes are ready"

    def _ended(self) -> WorkerError:
        how = how_it_ended(self._process.wait())
        return WorkerError(f"the server of {self.name} {how}{self._stderr}")

    def _kill(self) -> None:
        if self.alive:
            kill_group(self._process.pid)
