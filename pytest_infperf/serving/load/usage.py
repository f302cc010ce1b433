"""Resources that a server uses under load: CPU time, memory and energy."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

import psutil

from pytest_infperf.host.energy import Energy, Meter
from pytest_infperf.host.processes import family

_INTERVAL_S = 0.1
WINDOW_S = 1.0
"""Length of a window of `Usage.cores_by_window`, in seconds."""
_MIN_SLOPE_S = 30.0
"""Minimum duration for a slope of memory, in seconds."""
_MAX_SLOPE_SAMPLES = 500
"""Number of samples for estimating a slope; the number of pairs grows with its square."""


@dataclass(frozen=True)
class UsageSample:
    """The usage of a server's process tree at one moment."""

    at_s: float
    """Time on the monotonic clock, in seconds."""
    cpu_s: float
    """CPU time since the processes started, with that of ended children, in seconds."""
    memory_bytes: int
    """Sum of the resident memory of all processes; shared pages count once in each."""


@dataclass(frozen=True)
class Usage:
    """The usage of a server under load."""

    samples: Sequence[UsageSample]
    energy: Energy | None = None
    """Energy of the host; None if it is neither counted nor estimated."""
    died: int = 0
    """Number of the server's worker processes that ended under the load."""

    @property
    def is_known(self) -> bool:
        """Whether the server's processes could be observed, because they run on this host."""
        return bool(self.samples)

    def cores_by_event(self, first_sent_s: float, last_done_s: float) -> float:
        """Return the average CPU usage from the first request to the last response, in cores."""
        return self.cpu_between(first_sent_s, last_done_s) / (last_done_s - first_sent_s)

    def cores_by_window(self, first_sent_s: float, last_done_s: float) -> list[float]:
        """Return the average CPU usage of each whole window of that time, in cores."""
        if not self.is_known:
            return []
        starts = [
            first_sent_s + i * WINDOW_S for i in range(int((last_done_s - first_sent_s) / WINDOW_S))
        ]
        return [self.cpu_between(start, start + WINDOW_S) / WINDOW_S for start in starts]

    def cpu_between(self, begin_s: float, end_s: float) -> float:
        """Return the CPU time between two moments of the monotonic clock, in seconds."""
        return self._cpu_at(end_s) - self._cpu_at(begin_s)

    @property
    def peak_memory_bytes(self) -> int:
        """Highest resident memory of all processes together, in bytes."""
        return max((sample.memory_bytes for sample in self.samples), default=0)

    def memory_growth(self, confidence: float) -> tuple[float, float, float] | None:
        """Return the growth of memory in bytes per hour, and the bounds of its interval.

        The growth is the slope of a line through the second half of the samples. None if that
        half lasts less than half a minute.

        References
        ----------
        Theil 1950 and Sen 1968, the median of the slopes of all pairs.
        """
        half = self.samples[len(self.samples) // 2 :]
        if len(half) < 2 or half[-1].at_s - half[0].at_s < _MIN_SLOPE_S:
            return None
        from scipy import stats

        thinned = half[:: max(1, len(half) // _MAX_SLOPE_SAMPLES)]
        memory, times = [s.memory_bytes for s in thinned], [s.at_s for s in thinned]
        slope, _, low, high = stats.theilslopes(memory, times, alpha=confidence)
        return 3600 * float(slope), 3600 * float(low), 3600 * float(high)

    def _cpu_at(self, moment_s: float) -> float:
        """Interpolate the CPU time linearly between two samples."""
        next_index = bisect_left(self.samples, moment_s, key=lambda sample: sample.at_s)
        i = min(max(next_index, 1), len(self.samples) - 1)
        before, after = self.samples[i - 1], self.samples[i]
        share = (moment_s - before.at_s) / (after.at_s - before.at_s)
        return before.cpu_s + min(max(share, 0.0), 1.0) * (after.cpu_s - before.cpu_s)


@contextmanager
def sample_usage(*servers: psutil.Process) -> Iterator[UsageSampler]:
    """Sample servers' process trees inside the `with` block; `usage` is set after it.

    `servers` are the first processes of each server.
    """
    sampler = UsageSampler(servers)
    try:
        yield sampler
    finally:
        sampler.end()


class UsageSampler:
    """A thread that samples process trees from its construction until `end`."""

    usage: Usage

    def __init__(self, servers: Sequence[psutil.Process]) -> None:
        self._pids = [server.pid for server in servers]
        self._samples: list[UsageSample] = []
        self._seen: dict[psutil.Process, bool] = {}
        self._ended = Event()
        self._meter = Meter()
        self._sample()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop sampling, and set `usage`."""
        self._ended.set()
        self._thread.join()
        self._sample()
        died = sum(is_worker and _has_ended(process) for process, is_worker in self._seen.items())
        self.usage = Usage(self._samples, self._meter.read(), died)

    def _run(self) -> None:
        while not self._ended.wait(_INTERVAL_S):
            self._sample()

    def _sample(self) -> None:
        cpu_s, memory, is_there = 0.0, 0, False
        for pid in family(*self._pids):
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                times = process.cpu_times()
                cpu_s += times.user + times.system
                cpu_s += times.children_user + times.children_system
                memory += process.memory_info().rss
                is_there = True
                if process not in self._seen:
                    self._seen[process] = self._is_worker(process)
        if is_there:
            self._samples.append(UsageSample(monotonic(), cpu_s, memory))

    def _is_worker(self, process: psutil.Process) -> bool:
        """Return whether uvicorn started this process to serve.

        A server has other children, such as the compilers of torch.compile, which come and go.
        """
        is_child = process.ppid() in self._pids
        return is_child and any("spawn_main" in word for word in process.cmdline())


def _has_ended(process: psutil.Process) -> bool:
    """Return whether a process has ended, even if it is a zombie or its id is used again."""
    with suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True
