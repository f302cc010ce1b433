"""The run's side of a worker: starts, asks, freezes and ends the process."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import TypeVar

from pytest_infperf import errors
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.host.processes import LastWords, how_it_ended
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.worker import messages

__tracebackhide__ = errors.meant_for_the_user

Reply = TypeVar("Reply", bound=messages.Message)


class WorkerProcess:
    """A process that answers messages. Frozen between questions once `freeze` was called."""

    def __init__(self, name: str, checkout: Checkout, timeout_s: float) -> None:
        self.name = name
        self._timeout_s = timeout_s
        self._words = LastWords()
        self._process = subprocess.Popen(
            [checkout.python, "-m", "pytest_infperf.worker.child"],
            cwd=checkout.folder,
            env=checkout.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words.file,
            start_new_session=True,  # Ctrl-C reaches the run, which then ends its workers
        )
        self._unread = b""
        self._placement: tuple[int, ...] | None = None

    def ask(self, request: messages.Message, kind: type[Reply]) -> Reply:
        """The worker's answer. Raises WorkerError, or UserError for what the user can mend."""
        self.send(request)
        return self.receive(kind)

    def send(self, request: messages.Message) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(messages.encode(request))
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None

    def receive(self, kind: type[Reply]) -> Reply:
        line = self._read_line()
        try:
            reply = messages.decode(line)
        except ValueError as error:
            self.close()
            raise WorkerError(f"the worker of {self.name} answered nonsense: {error}") from None
        if isinstance(reply, messages.RequestFailed):
            if reply.mendable:
                raise UserError(reply.message)
            raise WorkerError(
                f"the worker of {self.name} failed: {reply.kind}: {reply.message}{self._words}"
            )
        if not isinstance(reply, kind):
            self.close()
            raise WorkerError(
                f"the worker of {self.name} answered {type(reply).__name__} "
                f"where {kind.__name__} was due"
            )
        return reply

    def _read_line(self) -> bytes:
        assert self._process.stdout
        deadline = perf_counter() + self._timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - perf_counter())):
                    self.close()
                    raise WorkerError(
                        f"the worker of {self.name} did not answer within {self._timeout_s:g} s "
                        f"and was ended (--infperf-timeout){self._words}"
                    )
                chunk = os.read(self._process.stdout.fileno(), 1 << 20)
                if not chunk:
                    raise self._died()
                self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _died(self) -> WorkerError:
        how = how_it_ended(self._process.wait())
        self.close()
        return WorkerError(f"the worker of {self.name} {how}{self._words}")

    def place(self, cores: Sequence[int], *, first_leads: bool) -> None:
        """Let all threads of the worker run on these cores and no others, where Linux can.

        With `first_leads` the thread that answers runs on the first of them alone.
        """
        if (placement := (*cores, first_leads)) == self._placement or not hasattr(
            os, "sched_setaffinity"
        ):
            return
        for thread in os.listdir(f"/proc/{self._process.pid}/task"):
            leads = first_leads and int(thread) == self._process.pid
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread), cores[:1] if leads else cores)
        self._placement = placement

    def freeze(self) -> None:
        """Stop the process where it is: an idle thread pool spins and takes a core."""
        self._signal(signal.SIGSTOP)

    @contextmanager
    def thawed(self) -> Iterator[None]:
        """The process runs inside, and is frozen again after."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            if self.alive:
                self.freeze()

    def _signal(self, number: signal.Signals) -> None:
        """To the worker and its children: it leads a process group of its own."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            raise self._died() from None

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process, also while another thread waits for its answer."""
        if self.alive:
            self._signal(signal.SIGKILL)

    def close(self) -> None:
        if self.alive:
            self.kill()
            self._process.wait()
        self._words.close()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()
