"""A rule uses the passes that the tool's own loop measures, in the same order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from bench.peer_recordings import ToolRun
from bench.peer_rules import asv_samples, benchmark_rounds, codspeed_rounds


class Replay:
    """A function whose calls take recorded times, and its simulated clock."""

    def __init__(self, pass_ns: list[int]) -> None:
        self.now_ns = 0
        self.left: Iterator[int] = iter(pass_ns)

    def __call__(self) -> None:
        self.now_ns += next(self.left)

    def seconds(self) -> float:
        return self.now_ns / 1e9

    def nanoseconds(self) -> int:
        return self.now_ns

    def timeit(self, number: int) -> float:
        start = self.now_ns
        for _ in range(number):
            self()
        return (self.now_ns - start) / 1e9


def passes(mean_ms: float) -> list[int]:
    """Return the times of 5 s and more of passes, in nanoseconds, with a spread of a tenth."""
    rng = random.Random(1)
    return [round(mean_ms * 1e6 * rng.uniform(0.95, 1.05)) for _ in range(round(5500 / mean_ms))]


@pytest.fixture(params=[0.3, 3.0, 9.0, 20.0], ids=lambda mean_ms: f"{mean_ms} ms")
def pass_ns(request: pytest.FixtureRequest) -> list[int]:
    """Return the times of passes of a mean duration."""
    return passes(request.param)


def test_rounds_are_those_of_pytest_benchmark(
    pass_ns: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_benchmark.fixture import BenchmarkFixture

    replay, kept = Replay(pass_ns), []
    monkeypatch.setitem(BenchmarkFixture._precisions, replay.seconds, 1e-7)
    fixture: Any = BenchmarkFixture
    benchmark = fixture(
        SimpleNamespace(name="pass", nodeid="pass"),
        disable_gc=False,
        timer=SimpleNamespace(target=replay.seconds),
        min_rounds=5,
        min_time=0.000005,
        max_time=1.0,
        precision=None,
        confidence=0.99,
        warmup=False,
        warmup_iterations=100_000,
        calibration_precision=10,
        add_stats=kept.append,
        logger=SimpleNamespace(debug=lambda *a, **k: None),
        warner=None,
        disabled=False,
        cprofile=None,
        cprofile_loops=None,
        cprofile_dump=None,
    )
    benchmark(replay)
    (metadata,) = kept
    assert metadata.iterations == 1
    assert benchmark_rounds(ToolRun("base", 0.0, pass_ns)) == pytest.approx(metadata.stats.data)


def test_samples_are_those_of_asv(pass_ns: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    time = pytest.importorskip("asv_runner.benchmarks.time")
    replay = Replay(pass_ns)
    monkeypatch.setattr(time, "wall_timer", replay.seconds)
    benchmark = time.TimeBenchmark("time_pass", replay, [])
    monkeypatch.setattr(benchmark, "_get_timer", lambda: replay)
    result = benchmark.run()
    samples, number, seconds = asv_samples(ToolRun("base", 0.0, pass_ns))
    assert benchmark.rounds == 2
    assert samples == pytest.approx(result["samples"])
    assert number == result["number"]
    assert seconds == pytest.approx(replay.seconds())


def test_rounds_are_those_of_codspeed(pass_ns: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    walltime = pytest.importorskip("pytest_codspeed.instruments.walltime")
    from pytest_codspeed.config import BenchmarkMarkerOptions, CodSpeedConfig

    replay = Replay(pass_ns)
    monkeypatch.setattr(walltime, "perf_counter_ns", replay.nanoseconds)
    instrument = walltime.WallTimeInstrument.__new__(walltime.WallTimeInstrument)
    instrument.config, instrument.instrument_hooks = CodSpeedConfig(), None
    instrument.benchmarks = []
    instrument.measure(BenchmarkMarkerOptions(), "pass", "pass", replay)
    stats = instrument.benchmarks[0].stats
    rounds, calls, warm_ups = codspeed_rounds(ToolRun("base", 0.0, pass_ns))
    assert (calls, warm_ups) == (stats.iter_per_round, stats.warmup_iters)
    assert min(rounds) / calls == pytest.approx(stats.min_ns)
    assert sum(rounds) / len(rounds) / calls == pytest.approx(stats.mean_ns)
    assert sum(rounds) / 1e9 == pytest.approx(stats.total_time)
