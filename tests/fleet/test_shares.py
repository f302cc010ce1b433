"""A quality set in shares has the batches, outputs and scores of a single machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from hypothesis import given, strategies as st

from pytest_infperf.fleet.dispatch import Done, Share
from pytest_infperf.fleet.sets import join, split
from pytest_infperf.measure.quality import Scoring
from pytest_infperf.measure.throughput import SetRun, run_set
from pytest_infperf.metrics import metric
from pytest_infperf.worker.messages import BlockDone
from pytest_infperf.worker.variant_worker import VariantWorker

numbers = st.integers(1, 60).flatmap(lambda count: st.permutations(range(count)))


@dataclass
class SpoilingWorker:
    """A worker that spoils the first output of each query: outputs depend on the batches."""

    def run(self, queries: Sequence[Sequence[int]], **_: Any) -> BlockDone:
        outputs = [["spoilt", *map(str, query[1:])] for query in queries]
        return BlockDone([1000] * len(queries), [], 0, 0, None, cast(Any, outputs))


def run_of(some: Sequence[int], batch: int) -> SetRun:
    return run_set(cast(VariantWorker, SpoilingWorker()), some, batch)


@given(some=numbers, batch=st.integers(1, 9), most=st.integers(1, 20))
def test_shares_are_whole_batches_in_order(some: list[int], batch: int, most: int) -> None:
    shares = split(some, batch, most)
    assert [number for share in shares for number in share] == some
    assert len(shares) <= most
    assert all(len(share) % batch == 0 for share in shares[:-1])
    lengths = [-(-len(share) // batch) for share in shares]
    assert max(lengths) - min(lengths) <= 1
    assert min(lengths) > 0


def test_an_empty_set_has_no_shares() -> None:
    assert split([], 4, 8) == []


@given(some=numbers, batch=st.integers(1, 9), most=st.integers(1, 20), order=st.randoms())
def test_the_score_is_that_of_a_single_machine(
    some: list[int], batch: int, most: int, order: Any
) -> None:
    parts = split(some, batch, most)
    shares = [Share(str(i), ["a"], cast(Any, None)) for i in range(len(parts))]
    outcomes = [Done(s, run_of(p, batch), "a") for s, p in zip(shares, parts, strict=True)]
    order.shuffle(outcomes)
    whole, shared = run_of(some, batch), join(shares, outcomes)
    assert (shared.numbers, shared.outputs) == (whole.numbers, whole.outputs)
    assert shared.batch_samples == whole.batch_samples
    scoring = Scoring([metric("accuracy")], [str(i) for i in range(60)], 0.99, 0, whole_set=True)
    assert scoring.quality(shared, whole).measures == scoring.quality(whole, whole).measures
    assert shared.shares == {"a": len(parts)}


def test_a_share_that_arrived_twice_counts_once() -> None:
    share = Share("one", ["a", "b"], cast(Any, None))
    done = Done(share, run_of([0, 1], 2), "a")
    assert join([share], [done, done]).numbers == [0, 1]
    assert join([share], [done, done]).shares == {"a": 1}
