"""Several servers at the same time, each with its own processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event

from pytest_infperf import errors
from pytest_infperf.serving.server.process import ServerProcess
from pytest_infperf.serving.server.settings import Deployment

__tracebackhide__ = errors.meant_for_the_user


@contextmanager
def started_together(
    start: Callable[[Deployment, Callable[[], bool]], ServerProcess],
    deployments: Sequence[Deployment],
    has_failed: Callable[[], bool],
) -> Iterator[Sequence[ServerProcess]]:
    """Start the servers of all deployments at the same time, and end them after the block.

    `start` returns a server that is ready, unless its argument, a callable, returns True before.
    Exceptions of `start` are raised.
    """
    given_up = Event()
    # The kernel ends a server with the thread that started it, so the threads live until the end.
    with ThreadPoolExecutor(len(deployments)) as threads:
        starts = [
            threads.submit(start, deployment, lambda: given_up.is_set() or has_failed())
            for deployment in deployments
        ]
        try:
            wait(starts, return_when=FIRST_EXCEPTION)
            failed = [s for s in starts if s.done() and s.exception()]
            yield [started.result() for started in failed or starts]
        finally:
            given_up.set()
            for started in starts:
                if started.exception() is None:
                    started.result().close()
