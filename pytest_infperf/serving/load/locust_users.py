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
from locust.contrib.fasthttp import FAILURE_EXCEPTIONS
from locust.exception import StopUser
from locust.runners import MasterRunner

from pytest_infperf.host.environment import refuse_observers
from pytest_infperf.host.processes import die_with_parent
from pytest_infperf.serving.load.config import GeneratorConfig
from pytest_infperf.serving.load.streamed import StreamReader, is_stream
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
    streams: bool
    recorder: Recorder

    @task
    def predict(self) -> None:
        body = next(self.bodies, None)
        if body is None:  # all requests are sent: those of other users are still answered
            gevent.spawn(self.environment.runner.quit)
            raise StopUser
        if self.streams:
            self._stream(body)
        else:
            self._post(body)

    def _post(self, body: bytes, **options: Any) -> Any:
        return self.client.post(
            self.path,
            data=body.decode(),
            headers=self.headers,
            name="request",  # the path may contain secrets, and Locust shows names
            allow_redirects=False,
            **options,
        )

    def _stream(self, body: bytes) -> None:
        """Post a request, and read its response while it arrives."""
        reader, answer, status, error = None, b"", NO_ANSWER, ""
        sent_s = time.monotonic()
        try:
            with gevent.Timeout(self.network_timeout, TimeoutError):
                response = self._post(body, stream=True)
                headers = response.headers or {}
                if is_stream(response.status_code, headers.get("content-type", "")):
                    reader = StreamReader()
                    raw = response._response
                    while line := raw.readline(b"\n"):
                        at_once = line + raw.read(len(raw._body_buffer))
                        reader.feed(at_once, time.monotonic())
                    reader.feed(raw.read(), time.monotonic())
                else:
                    answer = response.content or b""
                status = response.status_code
                error = "" if status else name_of(response.error)
        except FAILURE_EXCEPTIONS as failure:
            error = name_of(failure)
        reply = Reply(sent_s, sent_s, time.monotonic(), status, error)
        if reader:
            reply, answer = reader.completed(reply), reader.refused.encode()
        self.recorder.add(reply, answer)


class Recorder:
    """Collects the requests of one Locust process, and writes them to a file when it quits."""

    def __init__(self, config: GeneratorConfig, events: Any) -> None:
        self._file = ReplyFile(Path(f"{config.out}.{os.getpid()}"))
        self._start_s = self._start_cpu_s = 0.0
        events.test_start.add_listener(self._start)
        self.add = self._file.add
        if not config.streams:  # Locust's events do not have the times of a streamed response
            events.request.add_listener(self._add)
        events.quitting.add_listener(self._write)

    def _start(self, **_: Any) -> None:
        self._start_s, self._start_cpu_s = time.monotonic(), time.process_time()

    def _add(
        self, response_time: float, start_time: float, response: Any, exception: Any, **_: Any
    ) -> None:
        sent_s = start_time - time.time() + time.monotonic()
        status = getattr(response, "status_code", None) or NO_ANSWER
        error = name_of(exception) if exception else ""
        done_s = sent_s + response_time / 1000
        answer = getattr(response, "content", None) or b""
        self._file.add(Reply(sent_s, sent_s, done_s, status, error), answer)

    def _write(self, **_: Any) -> None:
        cpu_s = time.process_time() - self._start_cpu_s
        self._file.write(GeneratorUsage(cpu_s, time.monotonic() - self._start_s))


def name_of(exception: BaseException) -> str:
    """Return the name of an error; RetriesExceeded contains that of Locust's only attempt."""
    return type(getattr(exception, "original", None) or exception).__name__


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
    Client.streams, Client.recorder = config.streams, Recorder(config, environment.events)
