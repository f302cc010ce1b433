"""A short search for the best number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from pytest_infperf.measure.blocks import LEAST_BLOCK_NS
from pytest_infperf.worker.variant_worker import VariantWorker

_ROUNDS = 6


@dataclass(frozen=True)
class ThreadSearch:
    """The result of a search."""

    chosen: VariantWorker
    """The worker with the best number of threads."""
    seen_s: dict[int, float]
    """The median time of a query with each number of threads, in seconds."""


def candidates(cores: int) -> list[int]:
    """Return the numbers of threads to try: 1, 2, 4 ... and all cores."""
    powers = [1 << i for i in range(cores.bit_length()) if 1 << i < cores]
    return [*powers, cores]


def search(begin: Callable[[int], VariantWorker], cores: int, order: Iterator[int]) -> ThreadSearch:
    """Run the variant with each number of threads on the same inputs, and keep the fastest worker.

    The workers load in parallel; their number does not exceed the number of cores.

    Parameters
    ----------
    begin : callable
        Starts a worker with a number of threads.
    cores : int
        The number of cores that the worker may use.
    order : iterator of int
        The numbers of the samples, in the order in which they are run.
    """
    worker: dict[int, VariantWorker] = {}
    try:
        for threads in candidates(cores):
            worker[threads] = begin(threads)
        for candidate in worker.values():
            candidate.finish_loading()
        for candidate in worker.values():
            candidate.answer_first_query()
        times: dict[int, list[float]] = {threads: [] for threads in worker}
        for turn in range(_ROUNDS if len(worker) > 1 else 0):
            number = next(order)
            for threads, candidate in worker.items():
                block = candidate.run([[number]], least_ns=LEAST_BLOCK_NS, turn=turn)
                times[threads].append(sum(block.query_ns) / len(block.query_ns) / 1e9)
        seen = {threads: median(values) for threads, values in times.items() if values}
        best = min(seen, key=lambda threads: seen[threads]) if seen else cores
        chosen = worker.pop(best)
    finally:
        for other in worker.values():
            other.close()
    return ThreadSearch(chosen, seen)
