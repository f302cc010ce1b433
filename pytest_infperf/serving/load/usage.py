"""What a server used while load was on it: processor time, memory and energy."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

import psutil

from pytest_infperf.host.energy import Energy, Meter

_EVERY_S = 0.1
WINDOW_S = 1.0
_LEAST_OF_A_SLOPE_S = 30.0
_MOST_OF_A_SLOPE = 500


@dataclass(frozen=True)
class Sample:
    at_s: float
    """Of the monotonic clock."""
    cpu_s: float
    """Of the server's processes and those that have ended, since they began."""
    memory_bytes: int
    """Resident, of all processes; pages that they share count once each."""


@dataclass(frozen=True)
class Usage:
    samples: Sequence[Sample]
    energy: Energy | None = None
    """None where it is neither counted nor estimated."""
    died: int = 0
    """Processes of the server that were there once, and at the end no more."""

    def cores_by_event(self, first_sent_s: float, last_done_s: float) -> float:
        """Average CPU usage from the first request to the last response, in cores."""
        return self.cpu_between(first_sent_s, last_done_s) / (last_done_s - first_sent_s)

    def cores_by_window(self, first_sent_s: float, last_done_s: float) -> list[float]:
        """The same of each whole window of a second between them."""
        starts = [
            first_sent_s + i * WINDOW_S for i in range(int((last_done_s - first_sent_s) / WINDOW_S))
        ]
        return [self.cpu_between(start, start + WINDOW_S) / WINDOW_S for start in starts]

    def cpu_between(self, begin_s: float, end_s: float) -> float:
        """Processor seconds of the server between two moments of the monotonic clock."""
        return self._cpu_at(end_s) - self._cpu_at(begin_s)

    @property
    def peak_memory_bytes(self) -> int:
        return max((sample.memory_bytes for sample in self.samples), default=0)

    def memory_growth(self, confidence: float) -> tuple[float, float, float] | None:
        """Bytes an hour, with bounds: the slope of a line through the second half of the samples
        (Theil 1950, Sen 1968); None where that half lasts less than half a minute."""
        half = self.samples[len(self.samples) // 2 :]
        if len(half) < 2 or half[-1].at_s - half[0].at_s < _LEAST_OF_A_SLOPE_S:
            return None
        from scipy import stats

        few = half[:: max(1, len(half) // _MOST_OF_A_SLOPE)]
        memory, times = [s.memory_bytes for s in few], [s.at_s for s in few]
        found = stats.theilslopes(memory, times, alpha=confidence)
        slope, low, high = (3600 * float(s) for s in (found[0], found[2], found[3]))
        return slope, low, high

    def _cpu_at(self, moment_s: float) -> float:
        """Between two samples, in proportion."""
        after_it = bisect_left(self.samples, moment_s, key=lambda sample: sample.at_s)
        i = min(max(after_it, 1), len(self.samples) - 1)
        before, after = self.samples[i - 1], self.samples[i]
        share = (moment_s - before.at_s) / (after.at_s - before.at_s)
        return before.cpu_s + min(max(share, 0.0), 1.0) * (after.cpu_s - before.cpu_s)


@contextmanager
def watched(process: psutil.Process) -> Iterator[Watch]:
    """Samples a server's process tree inside; its `usage` is there afterwards."""
    watch = Watch(process)
    try:
        yield watch
    finally:
        watch.end()


class Watch:
    """Samples in a thread from the moment that it is made."""

    usage: Usage

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._samples: list[Sample] = []
        self._seen: set[int] = set()
        self._ended = Event()
        self._meter = Meter()
        self._sample()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._sample()
        died = sum(not psutil.pid_exists(pid) for pid in self._seen)
        self.usage = Usage(self._samples, self._meter.read(), died)

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        cpu_s, memory, seen = 0.0, 0, set()
        with suppress(psutil.NoSuchProcess):
            for process in [self._process, *self._process.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    cpu_s += times.user + times.system
                    cpu_s += times.children_user + times.children_system
                    memory += process.memory_info().rss
                    seen.add(process.pid)
        if seen:
            self._samples.append(Sample(monotonic(), cpu_s, memory))
            self._seen |= seen
