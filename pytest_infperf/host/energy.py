"""Energy of the processor packages: the RAPL counters of Intel and AMD, read through Linux.

Most virtual machines hide them. The kernel's Documentation/power/powercap/powercap.rst describes
the files. If they are missing, codecarbon estimates the energy from the processor's name and load.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

from pytest_infperf.host.cpu import ROOT, read_text


def read_joules(root: Path = ROOT) -> Mapping[str, tuple[float, float]] | None:
    """Return the counter of each package and the value at which it wraps around, in joules.

    None if no counter can be read.
    """
    counters = {}
    for zone in sorted((root / "sys/class/powercap").glob("intel-rapl:*")):
        if zone.name.count(":") > 1:  # a part of a package, which includes it
            continue
        energy = read_text(zone / "energy_uj")
        wraps = read_text(zone / "max_energy_range_uj")
        if energy is None or wraps is None:
            continue
        counters[zone.name] = int(energy) / 1e6, int(wraps) / 1e6
    return counters or None


def joules_between(
    before: Mapping[str, tuple[float, float]], after: Mapping[str, tuple[float, float]]
) -> float:
    """Return the energy of all packages, in joules; counters may wrap around once at most."""
    total = 0.0
    for name, (start, wraps) in before.items():
        if name in after:
            spent = after[name][0] - start
            total += spent if spent >= 0 else spent + wraps
    return total


@dataclass(frozen=True)
class Energy:
    """Energy of the whole host, including all processes."""

    joules: float
    source: str
    """Name of the counter or of the tool: "RAPL" or "codecarbon"."""
    estimated: bool
    """Whether it is an estimate instead of a counter."""


class Meter:
    """A measurement of energy that starts when the object is created.

    There is one estimate at a time. If another measurement starts meanwhile, the estimate of the
    first one is unknown.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._before = read_joules(root)
        has_estimate = not self._before and find_spec("codecarbon") is not None
        self._estimates = _estimates() if has_estimate else None
        self._estimate = self._estimates.start() if self._estimates else 0

    def read(self) -> Energy | None:
        """Return the energy since the start; None if it can be neither counted nor estimated.

        Call it only once.
        """
        if self._before:
            after = read_joules(self._root)
            return Energy(joules_between(self._before, after), "RAPL", False) if after else None
        joules = self._estimates.end(self._estimate) if self._estimates else None
        return None if joules is None else Energy(joules, "codecarbon", True)


class _Estimates:
    """The estimates of this process, each a task of codecarbon's tracker.

    All use one tracker, because its start takes seconds.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._latest = 0
        self._is_running = False
        logging.getLogger("codecarbon").disabled = True
        with _quiet():
            from codecarbon import OfflineEmissionsTracker

            self._tracker = OfflineEmissionsTracker(
                country_iso_code="USA",  # only used for emissions, which are not read
                save_to_file=False,
                log_level="critical",
                allow_multiple_runs=True,
            )

    def start(self) -> int:
        """Start an estimate, and return its number; a running estimate ends without a value."""
        with self._lock, _quiet():
            if self._is_running:
                self._tracker.stop_task()
            self._tracker.start_task()
            self._latest += 1
            self._is_running = True
            return self._latest

    def end(self, number: int) -> float | None:
        """End an estimate, and return it in joules; None if it has already ended."""
        with self._lock, _quiet():
            if number != self._latest or not self._is_running:
                return None
            self._is_running = False
            estimated = self._tracker.stop_task()
        return 3.6e6 * estimated.energy_consumed if estimated else None


@cache
def _estimates() -> _Estimates:
    return _Estimates()


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
