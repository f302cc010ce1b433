"""Energy counters in an imitated file system, and the estimate where they are missing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest

from pytest_infperf.host.energy import Meter, joules_between, read_joules


def zone(root: Path, name: str, microjoules: int, wraps: int = 10**9) -> Path:
    folder = root / "sys/class/powercap" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{wraps}\n")
    return folder


def test_packages_are_read_without_their_parts(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", 4_000_000)
    zone(tmp_path, "intel-rapl:1", 7_000_000)
    assert read_joules(tmp_path) == {"intel-rapl:0": (5.0, 1000.0), "intel-rapl:1": (7.0, 1000.0)}


def test_a_counter_that_wraps_around() -> None:
    before = {"a": (990.0, 1000.0), "b": (1.0, 1000.0)}
    after = {"a": (15.0, 1000.0), "b": (3.0, 1000.0)}
    assert joules_between(before, after) == pytest.approx(27)


def test_counters_are_preferred_to_the_estimate(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", 5_000_000)
    meter = Meter(tmp_path)
    zone(tmp_path, "intel-rapl:0", 6_500_000)
    energy = meter.read()
    assert energy is not None
    assert (energy.joules, energy.source, energy.estimated) == (1.5, "RAPL", False)


def test_without_counters_energy_is_estimated(tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    sleep(1.1)
    energy = meter.read()
    assert energy is not None
    assert (energy.source, energy.estimated) == ("codecarbon", True)
    assert energy.joules > 0


def test_each_estimate_counts_from_its_own_start(tmp_path: Path) -> None:
    joules = []
    for seconds in (2.0, 0.5):
        meter = Meter(tmp_path)
        sleep(seconds)
        energy = meter.read()
        assert energy is not None
        joules.append(energy.joules)
    assert 0 < joules[1] < joules[0]


def test_a_measurement_that_was_not_read_is_not_part_of_the_next(tmp_path: Path) -> None:
    Meter(tmp_path)
    sleep(2)
    meter = Meter(tmp_path)
    sleep(0.1)
    second = meter.read()
    meter = Meter(tmp_path)
    sleep(2)
    third = meter.read()
    assert second is not None
    assert third is not None
    assert 0 < second.joules < third.joules / 2


def test_a_measurement_within_another_leaves_the_other_unknown(tmp_path: Path) -> None:
    outer, inner = Meter(tmp_path), Meter(tmp_path)
    assert outer.read() is None
    assert inner.read() is not None
    assert inner.read() is None


def test_measurements_of_threads_get_no_energy_of_each_other(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        meters = list(pool.map(lambda _: Meter(tmp_path), range(4)))
        read = list(pool.map(Meter.read, meters))
    assert sum(energy is not None for energy in read) == 1


def test_without_the_extra_energy_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_infperf.host.energy.find_spec", lambda name: None)
    assert Meter(tmp_path).read() is None
