"""What a block's times owe to the query that warmed it up: the shortest sample, or its own first.

The own first query is counted when it runs for the second time, its shape's kernels and buffers
ready; the shortest sample takes the least time of a turn. Both ways in turns, on the same queries,
in one worker of which the caches were filled with other things while it was frozen.
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
_CONFIDENCE = 0.99
_OTHERS_BYTES = 64 << 20


def findings() -> Iterator[Finding]:
    for variant in VARIANTS:
        suite_run, variant_id = one_variant(SUITE, variant, Path(".infperf_cache"))
        try:
            worker = suite_run.worker(variant_id)
            logs = _log_ratios(worker, endless_order(suite_run.numbers, 0))
        finally:
            suite_run.close()
        low, high = (100 * expm1(bound) for bound in ratio.signed_rank_interval(logs, _CONFIDENCE))
        seen = 100 * expm1(ratio.hodges_lehmann(logs))
        yield Finding(
            f"{variant}: a block that the shortest sample warmed up takes longer",
            seen,
            "%",
            limit=3,
            how=f"[{low:.1f}, {high:.1f}] in {ROUNDS} pairs of blocks of {QUERIES} queries",
        )


def _log_ratios(worker: VariantWorker, order: Iterator[int]) -> list[float]:
    rng, others = random.Random(0), np.ones(_OTHERS_BYTES, np.uint8)
    logs = []
    for _ in range(ROUNDS):
        queries = [[number] for number in islice(order, QUERIES)]
        took = {}
        for by_shortest in rng.sample([True, False], 2):
            others += 1
            if by_shortest:
                block = worker.run(queries)
            else:
                block = worker.run([queries[0], *queries], warm_up=False)
            took[by_shortest] = sum(block.query_ns[-QUERIES:])
        logs.append(log(took[True] / took[False]))
    return logs
