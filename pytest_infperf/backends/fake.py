"""Backends for tests: a null system, and a variant with a known slowdown.

The null system measures the overhead of this package, like `system_under_test_null` of MLPerf
LoadGen. The slowed variant tests whether a regression is detected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Self

from pytest_infperf.suite.backend import (
    Backend,
    Material,
)
from pytest_infperf.suite.runner import (
    Receive,
    Runner,
    ScoringRunner,
    StreamingRunner,
    can_stream,
)
from pytest_infperf.suite.task import Decoding, Task


@dataclass(frozen=True)
class Fake(Backend):
    """A null system that returns its features as results after a fixed time on the CPU.

    It requires no model files and no extra. The artifact is one file of zeros.

    Parameters
    ----------
    query_ms : float, default 0.0
        CPU time per sample, in milliseconds. A batch takes the sum over its samples.
    wrong : float, default 0.0
        Approximate fraction of wrong results, from 0 to 1. Whether a result is wrong depends
        only on its features, so it is the same in every run.
    size_bytes : int, default 1000
        Size of the artifact, in bytes.
    first_token_ms : float, default 0.0
        CPU time of the first token, in milliseconds, for tasks that generate tokens. `query_ms` is
        not used if such a task streams.
    token_ms : float, default 0.0
        CPU time of each later token, in milliseconds.
    streams : bool, default True
        Whether tokens are delivered while they are generated. If not, a sample takes `query_ms`.
    model, id, threads, cpus, python
        As in `Backend`; the id defaults to ``"fake"``.

    References
    ----------
    MLPerf LoadGen, `system_under_test_null`: https://github.com/mlcommons/inference

    Examples
    --------
    >>> from pytest_infperf import Fake
    >>> Fake(query_ms=2.0, id="slow").variant_id
    'slow'
    """

    _: KW_ONLY
    query_ms: float = 0.0
    wrong: float = 0.0
    size_bytes: int = 1000
    first_token_ms: float = 0.0
    token_ms: float = 0.0
    streams: bool = True

    @property
    def default_id(self) -> str:
        return "fake"

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        (folder / "weights.bin").write_bytes(b"\0" * self.size_bytes)
        return {}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        if task.generates and self.streams:
            return FakeStream(
                task.decoding, threads or 1, self.first_token_ms, self.token_ms, self.wrong
            )
        return FakeRunner(task.decoding, threads or 1, self.query_ms, self.wrong)


class FakeRunner:
    """Runner of `Fake`: echoes texts, some of them reversed."""

    def __init__(self, decoding: Decoding, threads: int, query_ms: float, wrong: float) -> None:
        self.decoding = decoding
        self.threads = threads
        self._query_ns = round(query_ms * 1e6)
        self._wrong_below = wrong * 100

    def infer(self, features: Sequence[str]) -> list[str]:
        if self._query_ns:
            spin(self._query_ns * len(features))
        return self._answers(features)

    def _answers(self, features: Sequence[str]) -> list[str]:
        if not self._wrong_below:
            return list(features)
        return [
            text[::-1] + "?" if sum(text.encode()) % 100 < self._wrong_below else text
            for text in features
        ]


class FakeStream(FakeRunner):
    """Runner of `Fake` for tasks that generate tokens: the words of the echoed text."""

    def __init__(
        self, decoding: Decoding, threads: int, first_ms: float, next_ms: float, wrong: float
    ) -> None:
        super().__init__(decoding, threads, 0.0, wrong)
        self._first_ns, self._next_ns = round(first_ms * 1e6), round(next_ms * 1e6)

    def infer(self, features: Sequence[str]) -> list[str]:
        return [self.stream([text], lambda new: None)[0] for text in features]

    def stream(self, features: Sequence[str], receive: Receive) -> list[str]:
        results = self._answers(features)
        for number, word in enumerate(results[0].split()):
            spin(self._next_ns if number else self._first_ns)
            receive([word])
        return results


@dataclass(frozen=True)
class Slowed(Backend):
    """Another backend whose queries all take longer by a known fraction.

    A gate on `regression` or `speedup` that does not detect it is too weak. The artifact is a link
    to the artifact of `inner`, so nothing is built twice.

    Parameters
    ----------
    inner : Backend
        The backend that runs the queries. It determines the required distributions.
    by : float
        Additional time as a fraction of the time in the runner of `inner`. 0.05 slows each query
        by 5 %, not counting the time of the task's codec. The added time is spent on the CPU.
    model, id, threads, cpus, python
        As in `Backend`; the id defaults to that of `inner` with ``-slowed`` appended.

    Examples
    --------
    >>> from pytest_infperf import Fake, Slowed
    >>> Slowed(Fake(query_ms=1.0), by=0.05).variant_id
    'fake-slowed'
    """

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

    @property
    def answers_inputs(self) -> bool:
        return self.inner.answers_inputs

    @property
    def has_tokenizer(self) -> bool:
        return self.inner.has_tokenizer

    def tokenizer(self, model: Path, folder: Path) -> Any:
        return self.inner.tokenizer(model, folder)

    @property
    def is_remote(self) -> bool:
        return self.inner.is_remote

    @property
    def needs_model(self) -> bool:
        return self.inner.needs_model

    def within(self, timeout_s: float) -> Self:
        return replace(self, inner=self.inner.within(timeout_s))

    def beside(self, folder: Path, package: str) -> Self:
        return replace(self, inner=self.inner.beside(folder, package))

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        (folder / "inner").symlink_to(material.source or "", target_is_directory=True)
        return {"slowed_by": self.by}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        inner = artifact if self.answers_inputs else (artifact / "inner").resolve()
        runner = self.inner.load(inner, task, threads)
        if can_stream(runner):
            return SlowedStreamingRunner(runner, self.by)
        return SlowedRunner(runner, self.by)


class SlowedRunner:
    """Runner of `Slowed`: runs the inner runner, then keeps the CPU busy."""

    def __init__(self, inner: Runner, by: float) -> None:
        self._inner = inner
        self._by = by
        self.decoding = inner.decoding
        self.threads = inner.threads
        if isinstance(inner, ScoringRunner):
            self.log_probabilities = inner.log_probabilities
        self.token_counts = getattr(inner, "token_counts", None)

    def infer(self, features: Any) -> Any:
        start = perf_counter_ns()
        results = self._inner.infer(features)
        spin(round((perf_counter_ns() - start) * self._by))
        return results


class SlowedStreamingRunner(SlowedRunner):
    """Runner of `Slowed` that also delays each token."""

    _inner: StreamingRunner

    def stream(self, features: Any, receive: Receive) -> Any:
        last = perf_counter_ns()

        def delay(new: Sequence[Any]) -> None:
            nonlocal last
            spin(round((perf_counter_ns() - last) * self._by))
            last = perf_counter_ns()
            receive(new)

        results = self._inner.stream(features, delay)
        spin(round((perf_counter_ns() - last) * self._by))
        return results


def spin(duration_ns: int) -> None:
    """Keep a core busy for a time in nanoseconds.

    A sleep would hide the effect of contention for the CPU on a real model.
    """
    end = perf_counter_ns() + duration_ns
    while perf_counter_ns() < end:
        pass
