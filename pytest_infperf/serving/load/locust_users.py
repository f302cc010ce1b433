"""The users of a closed loop, for Locust: `locust -f locust_users.py`.

Locust imports this file by its path. The configuration is read from the environment in Locust's
`init` event, after the import. With `--processes N` Locust forks N workers: each of them sends
requests and writes its own file, and the master sends nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import gevent
from locust import FastHttpUser, constant, events, task
from locust.exception import StopUser
from locust.runners import MasterRunner

from pytest_infperf.host.environment import refuse_observers
from pytest_infperf.host.processes import die_with_parent
from pytest_infperf.serving.load.config import GeneratorConfig
from pytest_infperf.serving.load.traffic import NO_ANSWER, GeneratorUsage, Reply, ReplyFile

die_with_parent()
os.register_at_fork(after_in_child=partial(die_with_parent, os.getpid()))
refuse_observers()


class Client(FastHttpUser):
    """A user who sends the next request as soon as the last one is answered."""

    wait_time = constant(0)
    insecure = False
    path: str
    headers: dict[str, str]
    bodies: Iterator[bytes]
    """Shared by all users of a process."""

    @task
    def predict(self) -> None:
        body = next(self.bodies, None)
        if body is None:  # all requests are sent: those of other users are still answered
            gevent.spawn(self.environment.runner.quit)
            raise StopUser
        self.client.post(
            self.path,
            data=body.decode(),
            headers=self.headers,
            name="request",  # the path may contain secrets, and Locust shows names
            allow_redirects=False,
        )


class Recorder:
    """Collects the requests of one Locust process, and writes them to a file when it quits."""

    def __init__(self, out: str, events: Any) -> None:
        self._file = ReplyFile(Path(f"{out}.{os.getpid()}"))
        self._start_s = self._start_cpu_s = 0.0
        events.test_start.add_listener(self._start)
        events.request.add_listener(self._add)
        events.quitting.add_listener(self._write)

    def _start(self, **_: Any) -> None:
        self._start_s, self._start_cpu_s = time.monotonic(), time.process_time()

    def _add(
        self, response_time: float, start_time: float, response: Any, exception: Any, **_: Any
    ) -> None:
        sent_s = start_time - time.time() + time.monotonic()
        status = getattr(response, "status_code", None) or NO_ANSWER
        # Locust makes one attempt; RetriesExceeded contains its error.
        cause = getattr(exception, "original", None) or exception
        error = type(cause).__name__ if cause else ""
        done_s = sent_s + response_time / 1000
        answer = getattr(response, "content", None) or b""
        self._file.add(Reply(sent_s, sent_s, done_s, status, error), answer)

    def _write(self, **_: Any) -> None:
        cpu_s = time.process_time() - self._start_cpu_s
        self._file.write(GeneratorUsage(cpu_s, time.monotonic() - self._start_s))


@events.init.add_listener  # type: ignore[untyped-decorator]
def configure(environment: Any, runner: Any, **_: Any) -> None:
    """Give the users of this process their requests, and record the replies."""
    if isinstance(runner, MasterRunner):
        return
    config = GeneratorConfig.from_environment()
    Client.network_timeout = Client.connection_timeout = config.timeout_s
    Client.path, Client.bodies = config.path, islice(config.endless_bodies(), config.requests)
    Client.headers, Client.ssl_context_factory = config.all_headers, config.ssl_context
    server = urlsplit(config.url)
    if config.uses_proxies and not proxy_bypass(server.hostname or ""):
        proxy = urlsplit(getproxies().get(server.scheme, ""))
        Client.proxy_host, Client.proxy_port = proxy.hostname, proxy.port
    Recorder(config.out, environment.events)
