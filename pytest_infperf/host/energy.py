"""Energy of the processor packages: the RAPL counters of Intel and AMD, read through Linux.

Most virtual machines hide them. The kernel's Documentation/power/powercap/powercap.rst describes
the files. Where they are missing, codecarbon estimates the energy from the processor's name and
load.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
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
    """A measurement of energy that starts when the object is created."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._before = read_joules(root)
        self._estimate = None if self._before else _tracker()

    def read(self) -> Energy | None:
        """Return the energy since the start; None if it can be neither counted nor estimated.

        Call it only once.
        """
        if self._before:
            after = read_joules(self._root)
            return Energy(joules_between(self._before, after), "RAPL", False) if after else None
        if self._estimate is None:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._estimate.stop()
        joules = 3.6e6 * self._estimate.final_emissions_data.energy_consumed
        return Energy(joules, "codecarbon", True)


def _tracker() -> Any:
    """Return a running tracker of codecarbon; None without the extra `energy`."""
    if find_spec("codecarbon") is None:
        return None
    logging.getLogger("codecarbon").disabled = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from codecarbon import OfflineEmissionsTracker

        tracker = OfflineEmissionsTracker(
            country_iso_code="USA",  # only used for emissions, which are not read
            save_to_file=False,
            log_level="critical",
            allow_multiple_runs=True,
        )
        tracker.start()
    return tracker
