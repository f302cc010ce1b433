"""Overhead of the worker in the time of a query.

The overhead is the recorded time of a query of the null system minus the time of its calls alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter_ns

from bench.finding import Finding
from pytest_infperf.backends.fake import Fake
from pytest_infperf.suite import naming
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.worker import messages
from pytest_infperf.worker.child import LoadedVariant

BLOCKS = 200
QUERIES = 500
_SUITE = """
from pytest_infperf import Echo, Fake, Suite
suite = Suite("null", task=Echo(), model="model", variants=[Fake()])
"""


def findings() -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as root:
        Path(root, "null_suite.py").write_text(_SUITE)
        variant = LoadedVariant(
            messages.LoadArtifact(
                suite=asdict(SuiteAddress(root, "null_suite")),
                data=root,
                backend=naming.describe(Fake()),
                model=root,
                artifact=root,
                threads=1,
                cpus=None,
            )
        )
        block = messages.Block(queries=[[i % 100] for i in range(QUERIES)])
        overheads_ns = []
        for _ in range(BLOCKS):
            recorded_ns = sum(variant.run(block).query_ns) / QUERIES
            overheads_ns.append(recorded_ns - _bare_ns(variant))
    yield Finding(
        "overhead within the timed window of a query",
        median(overheads_ns) / 1e3,
        "us",
        limit=1,
        detail=f"median of {BLOCKS} interleaved blocks of {QUERIES} queries of the null system",
    )


def _bare_ns(variant: LoadedVariant) -> float:
    """Return the mean time of the null system's calls, timed around a loop of them, in ns."""
    encode, infer, decode = variant.codec.encode, variant.runner.infer, variant.codec.decode
    inputs = ["sample"]
    start = perf_counter_ns()
    for _ in range(QUERIES):
        features = encode(inputs)
        decode(infer(features), features)
    return (perf_counter_ns() - start) / QUERIES
