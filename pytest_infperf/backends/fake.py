"""Backends without a model: a null system that measures the harness itself, and a known slowdown.

MLPerf LoadGen ships a null system for the same reason (its `system_under_test_null`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from pytest_infperf.suite.backend import Backend, Material, Runner
from pytest_infperf.suite.task import Decoding, Task


@dataclass(frozen=True)
class Fake(Backend):
    """Gives features back as results after a given time on the CPU."""

    _: KW_ONLY
    query_ms: float = 0.0
    """CPU time of a query of one sample; a batch takes as long as its samples together."""
    wrong: float = 0.0
    """The share of results that are spoilt, always those of the same features."""
    size_bytes: int = 1000

    @property
    def default_id(self) -> str:
        return "fake"

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        (folder / "weights.bin").write_bytes(b"\0" * self.size_bytes)
        return {}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        return FakeRunner(task.decoding, threads or 1, self.query_ms, self.wrong)


class FakeRunner:
    def __init__(self, decoding: Decoding, threads: int, query_ms: float, wrong: float) -> None:
        self.decoding = decoding
        self.threads = threads
        self._query_ns = round(query_ms * 1e6)
        self._wrong_below = wrong * 100

    def infer(self, features: Sequence[str]) -> list[str]:
        if self._query_ns:
            spin(self._query_ns * len(features))
        if not self._wrong_below:
            return list(features)
        return [
            text[::-1] + "?" if sum(text.encode()) % 100 < self._wrong_below else text
            for text in features
        ]


@dataclass(frozen=True)
class Slowed(Backend):
    """Another backend, every query of it slower by a known share: to prove that it is found."""

    inner: Backend
    _: KW_ONLY
    by: float

    @property
    def default_id(self) -> str:
        return f"{self.inner.variant_id}-slowed"

    def built_from(self) -> Backend | None:
        return self.inner

    @property
    def calibrates(self) -> bool:
        return self.inner.calibrates

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        (folder / "inner").symlink_to(material.source or "", target_is_directory=True)
        return {"slowed_by": self.by}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        runner = self.inner.load((artifact / "inner").resolve(), task, threads)
        return SlowedRunner(runner, self.by)


class SlowedRunner:
    def __init__(self, inner: Runner, by: float) -> None:
        self._inner = inner
        self._by = by
        self.decoding = inner.decoding
        self.threads = inner.threads

    def infer(self, features: Any) -> Any:
        start = perf_counter_ns()
        results = self._inner.infer(features)
        spin(round((perf_counter_ns() - start) * self._by))
        return results


def spin(duration_ns: int) -> None:
    """Keep the core busy: a sleep would hide what contention does to a real model."""
    end = perf_counter_ns() + duration_ns
    while perf_counter_ns() < end:
        pass
