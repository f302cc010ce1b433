"""Interrupted exchanges with a worker: no later answer is taken for another question's."""

from __future__ import annotations

import itertools
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pytest_infperf.errors import WorkerError
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.worker import messages, parent
from pytest_infperf.worker.parent import WorkerProcess

TraceFunction = Callable[[FrameType, str, Any], Any]

REPEATS_THE_QUESTION = """
import json, random, sys, time
rng = random.Random(0)
for line in sys.stdin:
    request = json.loads(line)
    time.sleep(rng.random() * 0.003)
    number = request["number"] + OFFSET
    answer = {"is": "Memory", "number": number, "peak_bytes": request["least_ns"]}
    print(json.dumps(answer), flush=True)
"""


class BrokenOff(BaseException):
    """Error of a signal handler, such as that of pytest-timeout."""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a checkout whose worker repeats a number of the question in its answer."""
    package = tmp_path / "pytest_infperf" / "worker"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "child.py").write_text(REPEATS_THE_QUESTION.replace("OFFSET", "0"))
    return Checkout(tmp_path, (str(tmp_path),), Path(sys.executable))


def asked(worker: WorkerProcess, question: int) -> int:
    return worker.ask(messages.Block([[0]], least_ns=question), messages.Memory).peak_bytes


def ask_many(worker: WorkerProcess) -> None:
    for question in range(10_000):
        asked(worker, question)


@contextmanager
def alarms(seconds: float) -> Iterator[None]:
    """Raise BrokenOff at a given time, at any point of the code."""

    def break_off(number: int, frame: FrameType | None) -> None:
        raise BrokenOff

    before = signal.signal(signal.SIGALRM, break_off)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def broken_off_at(worker: WorkerProcess, step: int, question: int) -> bool:
    """Ask, and raise BrokenOff at the given call, line or return of the parent's module."""
    steps = itertools.count(1)

    def trace(frame: FrameType, event: str, _: object) -> TraceFunction | None:
        if frame.f_code.co_filename != parent.__file__:
            return None
        if event in ("call", "line", "return") and next(steps) == step:
            sys.settrace(None)
            raise BrokenOff
        return trace

    before = sys.gettrace()
    try:
        sys.settrace(trace)
        asked(worker, question)
    except BrokenOff:
        return True
    finally:
        sys.settrace(before)
    return False


def test_no_answer_is_that_of_another_question(checkout: Checkout) -> None:
    worker = WorkerProcess("w", checkout, timeout_s=10)
    asked(worker, 10**9)  # the start is over
    reasons = []
    for question in itertools.count(1):
        if not broken_off_at(worker, step=question, question=question):
            break
        try:
            assert asked(worker, -question) == -question
        except WorkerError as error:
            reasons.append(str(error))
            worker.close()
            worker = WorkerProcess("w", checkout, timeout_s=10)
            asked(worker, 10**9)
    worker.close()
    assert len(reasons) > question / 2 > 10
    assert set(reasons) == {
        "the worker of w was already ended, because its last exchange with the run was interrupted"
    }


def test_a_worker_whose_exchange_was_broken_off_is_ended(checkout: Checkout) -> None:
    worker = WorkerProcess("w", checkout, timeout_s=10)
    with pytest.raises(BrokenOff), alarms(1e-4):
        ask_many(worker)
    assert not worker.alive
    with pytest.raises(WorkerError, match="was already ended, because its last exchange"):
        asked(worker, 3)


def test_an_answer_to_another_request_is_refused(checkout: Checkout) -> None:
    child = checkout.folder / "pytest_infperf" / "worker" / "child.py"
    child.write_text(REPEATS_THE_QUESTION.replace("OFFSET", "1"))
    worker = WorkerProcess("w", checkout, timeout_s=10)
    with pytest.raises(WorkerError, match="it replied to request 2, not 1"):
        asked(worker, 3)
    assert not worker.alive


def test_an_answer_of_another_type_is_refused(checkout: Checkout) -> None:
    worker = WorkerProcess("w", checkout, timeout_s=10)
    with pytest.raises(WorkerError, match="it sent Memory instead of BlockDone"):
        worker.ask(messages.Block([[0]], least_ns=1), messages.BlockDone)
    assert not worker.alive


def test_a_worker_that_the_run_ended_is_not_said_to_be_killed(checkout: Checkout) -> None:
    worker = WorkerProcess("w", checkout, timeout_s=10)
    assert asked(worker, 5) == 5
    worker.close()
    with pytest.raises(WorkerError, match="because the run no longer needed it"):
        asked(worker, 6)
