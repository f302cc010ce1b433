"""The users of a closed loop, for Locust: `locust -f locust_users.py`. Each process writes a file.

With `--processes N` Locust starts workers of its own, and its master sends nothing.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant, events, task
from locust.runners import MasterRunner

from pytest_infperf.serving.load.config import GeneratorConfig
from pytest_infperf.serving.load.traffic import NO_ANSWER, Generator, Log, Reply

PLAN = GeneratorConfig.from_environment()
LOG = Log(Path(PLAN.out))
_BODIES = PLAN.endless_bodies()
_HEADERS = {"content-type": "application/json"}
_begun = (0.0, 0.0)


class Client(FastHttpUser):
    wait_time = constant(0)
    network_timeout = connection_timeout = PLAN.timeout_s

    @task
    def predict(self) -> None:
        self.client.post(PLAN.path, data=next(_BODIES).decode(), headers=_HEADERS, name="predict")


@events.request.add_listener  # type: ignore[untyped-decorator]
def _note(response_time: float, start_time: float, response: Any, exception: Any, **_: Any) -> None:
    sent_s = start_time - time.time() + time.monotonic()
    status = getattr(response, "status_code", None) or NO_ANSWER
    error = type(exception).__name__ if exception else ""
    LOG.replies.append(Reply(sent_s, sent_s, sent_s + response_time / 1000, status, error))


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _begin(**_: Any) -> None:
    global _begun
    _begun = time.monotonic(), time.process_time()


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _write(environment: Any, **_: Any) -> None:
    if isinstance(environment.runner, MasterRunner):
        return
    wall_s, cpu_s = time.monotonic() - _begun[0], time.process_time() - _begun[1]
    LOG.path = LOG.path.with_name(f"{LOG.path.name}.{os.getpid()}")
    LOG.write(Generator(cpu_s, wall_s))
