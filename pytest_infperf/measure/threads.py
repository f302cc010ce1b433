"""The best number of threads, by a short search: it decides as much as the runtime does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from pytest_infperf.measure.blocks import LEAST_BLOCK_NS
from pytest_infperf.worker.serving import ServedVariant

_ROUNDS = 6


@dataclass(frozen=True)
class ThreadSearch:
    chosen: ServedVariant
    seen_s: dict[int, float]
    """Median seconds a query, a thread count each."""


def candidates(cores: int) -> list[int]:
    """1, 2, 4 ... and all cores."""
    powers = [1 << i for i in range(cores.bit_length()) if 1 << i < cores]
    return [*powers, cores]


def search(begin: Callable[[int], ServedVariant], cores: int, draw: Iterator[int]) -> ThreadSearch:
    """Begin the variant with each count, run all in turns on the same inputs, keep the fastest.

    They load side by side, and there are no more of them than cores.
    """
    served: dict[int, ServedVariant] = {}
    try:
        for threads in candidates(cores):
            served[threads] = begin(threads)
        for candidate in served.values():
            candidate.finish_loading()
        for candidate in served.values():
            candidate.answer_first_query()
        times: dict[int, list[float]] = {threads: [] for threads in served}
        for turn in range(_ROUNDS if len(served) > 1 else 0):
            number = next(draw)
            for threads, candidate in served.items():
                block = candidate.run([[number]], least_ns=LEAST_BLOCK_NS, turn=turn)
                times[threads].append(sum(block.query_ns) / len(block.query_ns) / 1e9)
        seen = {threads: median(values) for threads, values in times.items() if values}
        best = min(seen, key=lambda threads: seen[threads]) if seen else cores
        chosen = served.pop(best)
    finally:
        for other in served.values():
            other.close()
    return ThreadSearch(chosen, seen)
