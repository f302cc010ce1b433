"""Effect of the warm-up query on the time of a block: the shortest sample, or its own first query.

After a warm-up by its own first query, a block finds the kernels and buffers of that shape ready.
The shortest sample costs the least time. The two ways alternate in random order on the same
queries in one worker, whose CPU caches are overwritten while it is frozen.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from math import expm1, log
from pathlib import Path

import numpy as np

from bench.finding import Finding
from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.stats import ratio
from pytest_infperf.worker.variant_worker import VariantWorker

SUITE = Path("suites/translation")
VARIANTS = ("torch", "onnx-fused-int8", "ctranslate2-int8", "distilled-fastest", "rnn")
ROUNDS = 150
QUERIES = 3
"""Number of queries of a block."""
_CONFIDENCE = 0.99
_EVICTING_BYTES = 64 << 20
"""Size of the array that evicts the worker's data from the caches, in bytes."""


def findings() -> Iterator[Finding]:
    for variant in VARIANTS:
        suite_run, variant_id = one_variant(SUITE, variant, Path(".infperf_cache"))
        try:
            worker = suite_run.worker(variant_id)
            logs = _log_ratios(worker, endless_order(suite_run.numbers, 0))
        finally:
            suite_run.close()
        low, high = (100 * expm1(bound) for bound in ratio.signed_rank_interval(logs, _CONFIDENCE))
        percent = 100 * expm1(ratio.hodges_lehmann(logs))
        yield Finding(
            f"{variant}: more time of a block after a warm-up by the shortest sample",
            percent,
            "%",
            limit=3,
            detail=f"[{low:.1f}, {high:.1f}] in {ROUNDS} pairs of blocks of {QUERIES} queries",
        )


def _log_ratios(worker: VariantWorker, order: Iterator[int]) -> list[float]:
    rng, evicting = random.Random(0), np.ones(_EVICTING_BYTES, np.uint8)
    logs = []
    for _ in range(ROUNDS):
        queries = [[number] for number in islice(order, QUERIES)]
        block_ns = {}
        for by_shortest in rng.sample([True, False], 2):
            evicting += 1
            if by_shortest:
                block = worker.run(queries)
            else:
                block = worker.run([queries[0], *queries], warm_up=False)
            block_ns[by_shortest] = sum(block.query_ns[-QUERIES:])
        logs.append(log(block_ns[True] / block_ns[False]))
    return logs
