"""The run's side of the pipes: start, freeze and end a worker, and communicate with it."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from pytest_infperf import errors
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.host.processes import OutputTail, how_it_ended
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.worker import messages

__tracebackhide__ = errors.meant_for_the_user

Reply = TypeVar("Reply", bound=messages.Message)

_INTERRUPTED = "its last exchange with the run was interrupted"
"""Reason for which a worker is ended; a later reply would be taken for that of another request."""


class WorkerProcess:
    """A worker's process. After `freeze`, it runs only inside `thawed`.

    Each request has a number, which its reply repeats. An exception during an exchange ends the
    process; otherwise its late reply would be read as the reply to the next request. A signal can
    raise one where no `try` is in effect, such as between `send` and `receive`; the next request
    ends the process in this case.
    """

    def __init__(self, name: str, checkout: Checkout, timeout_s: float) -> None:
        self.name = name
        self._timeout_s = timeout_s
        self._python = checkout.python
        self._output = OutputTail()
        self._process = subprocess.Popen(
            [checkout.python, "-m", "pytest_infperf.worker.child"],
            cwd=checkout.folder,
            env=checkout.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output.file,
            start_new_session=True,  # Ctrl-C reaches only the run, which then ends its workers
        )
        self._unread = b""
        self._number = 0
        """Number of the last request."""
        self._awaits_reply = False
        self._ended_by_run = ""
        """Reason why the run ended the process; empty if it did not."""
        self._placement: tuple[int, ...] | None = None

    def ask(self, request: messages.Message, reply_type: type[Reply]) -> Reply:
        """Send a request and return the reply; see `receive` for its errors."""
        self.send(request)
        return self.receive(reply_type)

    def send(self, request: messages.Message) -> None:
        assert self._process.stdin
        if self._awaits_reply:
            self.close(_INTERRUPTED)
        try:
            self._number += 1
            self._awaits_reply = True
            try:
                self._process.stdin.write(messages.encode(request, self._number))
                self._process.stdin.flush()
            except (OSError, ValueError):  # ValueError: the pipe is closed
                raise self._ended_error() from None
        except BaseException:
            self.close(_INTERRUPTED)
            raise

    def receive(self, reply_type: type[Reply]) -> Reply:
        """Wait for a reply of that type, and return it.

        Raises UserError if the request raised one. Raises WorkerError if the request failed in
        another way, if the process ended or did not reply in time, and if it sent another message.
        """
        try:
            reply = self._read_reply()
            if not isinstance(reply, (reply_type, messages.RequestFailed)):
                raise self._protocol_error(
                    f"it sent {type(reply).__name__} instead of {reply_type.__name__}"
                )
            self._awaits_reply = False
        except BaseException:
            self.close(_INTERRUPTED)
            raise
        if isinstance(reply, messages.RequestFailed):
            message = self._with_interpreter(reply.message)
            if reply.is_user_error:
                raise UserError(message)
            raise WorkerError(
                f"the worker of {self.name} failed: {reply.error_type}: {message}{self._output}"
            )
        return reply

    def _with_interpreter(self, message: str) -> str:
        """Add the interpreter to a message about a module that only its environment may lack."""
        if "No module named" in message and self._python != Path(sys.executable):
            return f"{message} (in the environment of {self._python}: install it there)"
        return message

    def _read_reply(self) -> messages.Message:
        line = self._read_line()
        try:
            number, reply = messages.decode(line)
        except ValueError as error:
            raise self._protocol_error(str(error)) from None
        if number != self._number:
            raise self._protocol_error(f"it replied to request {number}, not {self._number}")
        return reply

    def _protocol_error(self, fault: str) -> WorkerError:
        return WorkerError(f"the worker of {self.name} broke the protocol: {fault}")

    def _read_line(self) -> bytes:
        assert self._process.stdout
        deadline = perf_counter() + self._timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - perf_counter())):
                    raise WorkerError(
                        f"the worker of {self.name} did not answer within {self._timeout_s:g} s "
                        f"and was ended (--infperf-timeout){self._output}"
                    )
                chunk = os.read(self._process.stdout.fileno(), 1 << 20)
                if not chunk:
                    raise self._ended_error()
                self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _ended_error(self) -> WorkerError:
        if self._ended_by_run:
            return WorkerError(
                f"the worker of {self.name} was already ended, because {self._ended_by_run}"
            )
        how = how_it_ended(self._process.wait())
        self.close()
        return WorkerError(f"the worker of {self.name} {how}{self._output}")

    def place(self, cores: Sequence[int], *, first_leads: bool) -> None:
        """Restrict all threads of the worker to these cores; has no effect outside Linux.

        With `first_leads`, the main thread, which runs the queries, is restricted to the first
        core.
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

    def rename(self, name: str) -> None:
        """Change the name of an idle process in messages, and discard its output so far."""
        self.name = name
        self._output.clear()

    def freeze(self) -> None:
        """Stop the process (SIGSTOP), because an idle thread pool spins and occupies a core."""
        self._signal(signal.SIGSTOP)

    @contextmanager
    def thawed(self) -> Iterator[None]:
        """Continue the process (SIGCONT) inside the context, and freeze it afterwards."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            if self.alive:
                self.freeze()

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker and its children, which form a process group."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            raise self._ended_error() from None

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process, even while another thread waits for its reply."""
        if self.alive:
            self._signal(signal.SIGKILL)

    def close(self, reason: str = "the run no longer needed it") -> None:
        """End the process if it runs, wait for it, and close its pipes.

        `reason` is shown in the error message of later requests.
        """
        if self.alive:
            self._ended_by_run = reason
            self.kill()
            self._process.wait()
        self._output.close()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()
