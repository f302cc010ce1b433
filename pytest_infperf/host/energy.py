"""Energy of the processor packages: the RAPL counters of Intel and AMD, read through Linux.

Most virtual machines hide them. The kernel's Documentation/power/powercap/powercap.rst describes
the files. Where they are missing, codecarbon estimates the energy from the processor's name and
load.
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
from typing import Any

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
    """Return the energy of all packages; a counter is assumed to wrap around once at most."""
    total = 0.0
    for name, (start, wraps) in before.items():
        if name in after:
            spent = after[name][0] - start
            total += spent if spent >= 0 else spent + wraps
    return total


@dataclass(frozen=True)
class Energy:
    """Energy of the whole host, all of its processes included."""

    joules: float
    source: str
    """Name of the counter or of the tool: "RAPL" or "codecarbon"."""
    estimated: bool
    """Whether it is an estimate instead of a counter."""


class Meter:
    """A measurement of energy that starts when the object is created, one at a time."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._before = read_joules(root)
        has_estimate = not self._before and find_spec("codecarbon") is not None
        self._estimate = _tracker() if has_estimate else None
        if self._estimate:
            with _quiet():
                self._estimate.start_task()

    def read(self) -> Energy | None:
        """Return the energy since the start; None if it can be neither counted nor estimated.

        Call it only once.
        """
        if self._before:
            after = read_joules(self._root)
            return Energy(joules_between(self._before, after), "RAPL", False) if after else None
        if self._estimate is None:
            return None
        with _quiet():
            estimated = self._estimate.stop_task()
        return Energy(3.6e6 * estimated.energy_consumed, "codecarbon", True) if estimated else None


@cache
def _tracker() -> Any:
    """Return the tracker of this process, of which each measurement is a task.

    One serves for all of them, because it takes seconds to look at the host.
    """
    logging.getLogger("codecarbon").disabled = True
    with _quiet():
        from codecarbon import OfflineEmissionsTracker

        return OfflineEmissionsTracker(
            country_iso_code="USA",  # only used for emissions, which are not read
            save_to_file=False,
            log_level="critical",
            allow_multiple_runs=True,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
