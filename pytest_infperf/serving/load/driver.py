"""Runs of load on one server: traffic is sent while the server's usage is sampled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import psutil

from pytest_infperf import errors
from pytest_infperf.errors import WorkerError, start_of_answer
from pytest_infperf.serving.load import generators
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.serving.load.traffic import Traffic
from pytest_infperf.serving.load.usage import Usage, sample_usage
from pytest_infperf.suite.loads import ClosedLoop, Load, Offline, OpenLoop

__tracebackhide__ = errors.meant_for_the_user

MIN_REQUESTS = 30
"""Number of requests that a trial of a rate should have."""
_MAX_EXTENSION = 2
"""Factor by which a slow rate may last longer, to reach `MIN_REQUESTS`."""
_MAX_REPEATS = 2
_STREAM_S = 60.0


@dataclass
class LoadDriver:
    """Puts load on one server. Every run raises WorkerError if no request was answered."""

    target: Target
    """Destination of the requests."""
    server: psutil.Process | None
    """First process of the server; None for one that is not part of the run."""
    seed: int
    """Seed of the arrival times."""
    report_progress: Callable[[str], None]
    """Callback for the rate of the current trial."""
    died_workers: int = 0
    """Number of the server's worker processes that ended in all runs so far."""

    def run(self, load: Load, seconds: float) -> LoadRun:
        """Run a load once, for that many seconds, or until its number of requests is answered.

        Raises WorkerError if a number of requests takes longer.
        """
        run = self._run(lambda: self._send(load, seconds))
        total = load.total
        if total is None:
            return run
        sent = len(run.replies) + run.traffic.dropped
        if sent < total:
            raise WorkerError(
                f"{load.name} sent {sent} of its {total} requests in {seconds:g} s: "
                "increase full_seconds, or reduce the number of requests"
            )
        return replace(run, of_study=True)

    def one_by_one(self, requests: int) -> LoadRun:
        """Send that many requests, each after the answer to the previous one."""
        return self._run(lambda: generators.streams(self.target, _STREAM_S, requests=requests))

    def at_rate(self, rate: float, seconds: float, seed: int) -> LoadRun:
        """Run an open loop for that many seconds, or longer if the rate is slow."""
        lasts_s = min(max(seconds, MIN_REQUESTS / rate), _MAX_EXTENSION * seconds)
        self.report_progress(f"at {rate:.3g} requests/s")
        return self._run(lambda: generators.open_loop(self.target, rate, lasts_s, seed))

    def _send(self, load: Load, seconds: float) -> Traffic:
        if isinstance(load, ClosedLoop):
            return generators.closed_loop(self.target, load, seconds)
        if isinstance(load, OpenLoop):
            return generators.open_loop(self.target, load.rate, seconds, self.seed, load.total)
        connections = load.connections if isinstance(load, Offline) else 1
        return generators.streams(self.target, seconds, connections, load.total)

    def _run(self, send: Callable[[], Traffic]) -> LoadRun:
        if self.server is None:
            traffic, usage = send(), Usage([])
        else:
            with sample_usage(self.server) as sampler:
                traffic = send()
            usage = sampler.usage
        self.died_workers += usage.died
        target = self.target
        run = LoadRun(traffic, usage, streams=target.streams, whole_because=target.whole_because)
        if not run.answered:
            statuses = Counter(reply.error or reply.status for reply in run.replies)
            raise WorkerError(
                f"the server answered none of {len(run.replies)} requests: "
                + ", ".join(f"{count} x {status}" for status, count in statuses.items())
                + self._remedy(statuses)
                + (f". A response begins with: {text}" if (text := self.refusal(run)) else "")
            )
        return run

    def refusal(self, run: LoadRun) -> str:
        """Return the start of the first answer that is an error, without secrets; empty if none."""
        return start_of_answer(run.traffic.refusal, self.target.secrets)

    def _remedy(self, statuses: Collection[str | int]) -> str:
        if 413 not in statuses:
            return ""
        return (
            f": the largest has {max(map(len, self.target.bodies)):,} bytes, which is more than "
            "the server accepts. Send fewer samples per request, or raise the server's limit with "
            "Serving(max_body_bytes=...) or infperf serve --max-body-bytes"
        )


def undisturbed(run_once: Callable[[], LoadRun]) -> LoadRun:
    """Return the first of up to three runs whose generator kept up, or else the last run.

    The choice does not depend on the server, with one exception: a run in which a worker died is
    returned, because another run would hide the requests that failed.
    """
    discarded: list[str] = []
    while (run := run_once()).doubt and not run.usage.died and len(discarded) < _MAX_REPEATS:
        discarded.append(run.doubt)
    return replace(run, discarded_runs=tuple(discarded))
