"""The energy that the processor's packages take: Intel's and AMD's RAPL counters, through Linux.

Most virtual machines do not show them. The kernel's Documentation/power/powercap/powercap.rst
describes the files. Where there are none, codecarbon estimates, from the processor's name and load.
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
    """By package its counter and where that starts again, in joules; None where none is read."""
    found = {}
    for zone in sorted((root / "sys/class/powercap").glob("intel-rapl:*")):
        if zone.name.count(":") > 1:  # a part of a package, counted in it
            continue
        energy = read_text(zone / "energy_uj")
        wraps = read_text(zone / "max_energy_range_uj")
        if energy is None or wraps is None:
            continue
        found[zone.name] = int(energy) / 1e6, int(wraps) / 1e6
    return found or None


def joules_between(
    before: Mapping[str, tuple[float, float]], after: Mapping[str, tuple[float, float]]
) -> float:
    """Of all packages; a counter that started again did so once."""
    total = 0.0
    for name, (start, wraps) in before.items():
        if name in after:
            spent = after[name][0] - start
            total += spent if spent >= 0 else spent + wraps
    return total


@dataclass(frozen=True)
class Energy:
    """Of the whole host, others' part included."""

    joules: float
    source: str
    estimated: bool


class Meter:
    """Begins when it is made."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._before = read_joules(root)
        self._estimate = None if self._before else _tracker()

    def read(self) -> Energy | None:
        """Since the beginning; None where it is neither counted nor estimated. Once only."""
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
    """None without the extra `energy`."""
    if find_spec("codecarbon") is None:
        return None
    logging.getLogger("codecarbon").disabled = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from codecarbon import OfflineEmissionsTracker

        tracker = OfflineEmissionsTracker(
            country_iso_code="USA",  # of its emissions, which are not read
            save_to_file=False,
            log_level="critical",
            allow_multiple_runs=True,
        )
        tracker.start()
    return tracker
