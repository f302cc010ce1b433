"""The variation between processes of a host is stored, and makes verdicts more cautious."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf.records.evidence import ProcessPrior
from pytest_infperf.run.host_noise import HostNoise

HOST: dict[str, Any] = {"cpu_model": "AMD EPYC", "logical_cores": 2, "instance_type": None}
CAUTIOUS = ProcessPrior(deviation=0.01, processes=3, comparisons=0)


def compare(noise: HostNoise, deviation: float, comparisons: int) -> None:
    """Add comparisons of 20 pairs of processes."""
    rng = random.Random(comparisons)
    for _ in range(comparisons):
        centres = [rng.gauss(0, deviation) for _ in range(20)]
        noise.add([[centre + rng.gauss(0, 0.001) for _ in range(6)] for centre in centres])


def test_a_host_of_which_little_is_known_has_the_cautious_prior(tmp_path: Path) -> None:
    noise = HostNoise(tmp_path, HOST)
    assert noise.prior() == CAUTIOUS
    compare(noise, 0.03, comparisons=4)
    assert noise.prior() == CAUTIOUS


def test_a_noisy_host_is_known_in_the_next_run(tmp_path: Path) -> None:
    compare(HostNoise(tmp_path, HOST), 0.02, comparisons=6)
    prior = HostNoise(tmp_path, {**HOST, "instance_type": "c7i.large"}).prior()
    assert prior.deviation == pytest.approx(0.02, rel=0.2)
    assert (prior.processes, prior.comparisons) == (3, 6)
    assert HostNoise(tmp_path, {**HOST, "logical_cores": 4}).prior() == CAUTIOUS


def test_an_hour_of_heavy_load_makes_no_prior_of_its_own(tmp_path: Path) -> None:
    noise = HostNoise(tmp_path, HOST)
    compare(noise, 0.3, comparisons=20)
    assert noise.prior() == ProcessPrior(0.03, 3, 20)


def test_a_quiet_host_keeps_the_cautious_prior(tmp_path: Path) -> None:
    noise = HostNoise(tmp_path, HOST)
    compare(noise, 0.002, comparisons=20)
    assert noise.prior() == CAUTIOUS


def test_a_host_that_becomes_quiet_is_known_by_its_latest_comparisons(tmp_path: Path) -> None:
    noise = HostNoise(tmp_path, HOST)
    compare(noise, 0.03, comparisons=20)
    compare(noise, 0.002, comparisons=60)
    assert noise.prior() == CAUTIOUS


def test_one_pair_of_processes_tells_nothing(tmp_path: Path) -> None:
    noise = HostNoise(tmp_path, HOST)
    noise.add([[0.1, 0.2], []])
    assert not (tmp_path / "hosts").exists()


@pytest.mark.parametrize("text", ["", "{}", '{"comparisons": [[1]]}', "[1]"])
def test_a_damaged_file_is_replaced(tmp_path: Path, text: str) -> None:
    compare(HostNoise(tmp_path, HOST), 0.03, comparisons=6)
    (path,) = (tmp_path / "hosts").iterdir()
    path.write_text(text)
    noise = HostNoise(tmp_path, HOST)
    assert noise.prior() == CAUTIOUS
    compare(noise, 0.03, comparisons=6)
    assert HostNoise(tmp_path, HOST).prior().comparisons == 6


def test_a_cache_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("no folder")
    noise = HostNoise(tmp_path, HOST)
    compare(noise, 0.03, comparisons=6)
    assert noise.prior().comparisons == 6
