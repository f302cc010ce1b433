"""Each share has one outcome while nodes are added and lost. Tests run without Ray and waiting."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hypothesis import given, strategies as st

from pytest_infperf.fleet.dispatch import (
    ATTEMPTS,
    Done,
    Finished,
    Gone,
    News,
    NotDone,
    Ready,
    Share,
    ShareFailed,
    dispatch,
)
from pytest_infperf.fleet.work import Node


@dataclass(frozen=True)
class Nothing:
    def do(self, node: Node) -> None: ...


def share(name: str, *node_types: str) -> Share:
    return Share(name, node_types, Nothing())


@dataclass
class FakeDelegates:
    """A cluster where `fate` decides what happens to a delegate."""

    alive: dict[str, int]
    """Number of live nodes by node type."""
    fate: Callable[[str, Share | None], News | None] = lambda delegate, share: None
    """News of a delegate that starts (without a share) or works; None if all goes well."""
    waiting: list[News] = field(default_factory=list)
    node_types: dict[str, str] = field(default_factory=dict)
    hired: int = 0
    done: Counter[str] = field(default_factory=Counter)
    most_at_once: Counter[str] = field(default_factory=Counter)

    def nodes(self) -> Mapping[str, int]:
        return dict(self.alive)

    def hire(self, node_type: str) -> str:
        self.hired += 1
        delegate = f"{node_type}-{self.hired}"
        self.node_types[delegate] = node_type
        at_once = list(self.node_types.values()).count(node_type)
        self.most_at_once[node_type] = max(self.most_at_once[node_type], at_once)
        self._happens(delegate, self.fate(delegate, None) or Ready(delegate))
        return delegate

    def give(self, delegate: str, share: Share) -> None:
        assert self.node_types[delegate] in share.node_types
        finished = Finished(delegate, share.id, f"{share.id} by {self.node_types[delegate]}")
        self._happens(delegate, self.fate(delegate, share) or finished)
        self.done[share.id] += 1

    def news(self, timeout_s: float) -> Sequence[News]:
        assert self.waiting, "nothing will ever happen"
        return [self.waiting.pop(0)]

    def release(self, delegate: str) -> None:
        self.node_types.pop(delegate, None)

    def _happens(self, delegate: str, news: News) -> None:
        if isinstance(news, Gone) and news.reason == "node lost":
            self.alive[self.node_types[delegate]] -= 1
        self.waiting.append(news)


def outcomes(shares: Sequence[Share], delegates: FakeDelegates) -> dict[str, Done | NotDone]:
    found = list(dispatch(shares, delegates))
    assert len({outcome.share.id for outcome in found}) == len(found) == len(shares)
    assert not delegates.node_types, "all nodes are released"
    return {outcome.share.id: outcome for outcome in found}


def lost_first(times: int, reason: str = "node lost") -> Callable[[str, Share | None], News | None]:
    left = [times]

    def fate(delegate: str, share: Share | None) -> News | None:
        if share is None or not left[0]:
            return None
        left[0] -= 1
        return Gone(delegate, reason)

    return fate


def test_each_node_type_does_its_share_on_one_node() -> None:
    delegates = FakeDelegates({"a": 2, "b": 2})
    found = outcomes([share("run of a", "a"), share("run of b", "b")], delegates)
    assert [done.node_type for done in found.values() if isinstance(done, Done)] == ["a", "b"]
    assert delegates.hired == 2, "the other nodes stay free"


def test_shares_for_any_node_type_are_spread_over_all_nodes() -> None:
    delegates = FakeDelegates({"a": 2, "b": 1})
    found = outcomes([share(str(i), "a", "b") for i in range(9)], delegates)
    assert all(isinstance(outcome, Done) for outcome in found.values())
    assert delegates.most_at_once == {"a": 2, "b": 1}


def test_a_lost_share_is_done_again_on_another_node() -> None:
    notices: list[str] = []
    delegates = FakeDelegates({"a": 2}, lost_first(1))
    (found,) = dispatch([share("the run", "a")], delegates, notices.append)
    assert isinstance(found, Done)
    assert delegates.hired == 2
    assert notices == ["a node of a was lost (node lost); the run is repeated, attempt 2 of 3"]


def test_a_lost_share_without_another_node_of_its_type_is_reported() -> None:
    delegates = FakeDelegates({"a": 1, "b": 3}, lost_first(1))
    found = outcomes([share("run of a", "a"), share("run of b", "b")], delegates)
    lost = found["run of a"]
    assert isinstance(lost, NotDone)
    assert lost.reason == "no node of a is left: node lost"
    assert isinstance(found["run of b"], Done)


def test_a_share_that_kills_every_node_is_given_up() -> None:
    delegates = FakeDelegates({"a": 9}, lost_first(99, "out of memory"))
    lost = outcomes([share("poison", "a")], delegates)["poison"]
    assert isinstance(lost, NotDone)
    assert lost.reason == f"lost in each of {ATTEMPTS} attempts: out of memory"
    assert delegates.done["poison"] == ATTEMPTS


def test_a_node_type_whose_delegates_cannot_start_is_given_up() -> None:
    def fate(delegate: str, share: Share | None) -> News | None:
        return Gone(delegate, "no module") if share is None else None

    delegates = FakeDelegates({"a": 1}, fate)
    lost = outcomes([share("run", "a")], delegates)["run"]
    assert isinstance(lost, NotDone)
    assert lost.reason == "no node of a is left: no module"
    assert delegates.hired == ATTEMPTS


def test_work_that_fails_is_reported_at_once_and_the_node_goes_on() -> None:
    def fate(delegate: str, share: Share | None) -> News | None:
        return ShareFailed(delegate, share.id, "disk full") if share and share.id == "one" else None

    delegates = FakeDelegates({"a": 1}, fate)
    found = outcomes([share("one", "a"), share("two", "a")], delegates)
    assert found["one"] == NotDone(share("one", "a"), "disk full")
    assert isinstance(found["two"], Done)
    assert delegates.hired == 1


def test_a_result_that_arrives_twice_or_late_counts_once() -> None:
    delegates = FakeDelegates({"a": 1})
    delegates.waiting.append(Finished("a-of-an-earlier-run", "one", "late"))
    original = delegates.give

    def twice(delegate: str, share: Share) -> None:
        original(delegate, share)
        delegates.waiting.append(delegates.waiting[-1])

    delegates.give = twice  # type: ignore[method-assign]
    found = outcomes([share("one", "a"), share("two", "a")], delegates)
    results = [done.result for done in found.values() if isinstance(done, Done)]
    assert results == ["one by a", "two by a"]


def test_closing_the_generator_releases_all_nodes() -> None:
    delegates = FakeDelegates({"a": 2})
    pending = dispatch([share(str(i), "a") for i in range(4)], delegates)
    next(pending)
    assert delegates.node_types
    pending.close()
    assert not delegates.node_types


@given(
    nodes=st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), min_size=1),
    node_types=st.lists(st.lists(st.sampled_from("abc"), min_size=1, unique=True), max_size=8),
    seed=st.integers(0, 2**32),
    trouble=st.floats(0, 0.9),
)
def test_every_share_has_one_outcome_whatever_nodes_are_lost(
    nodes: dict[str, int], node_types: list[list[str]], seed: int, trouble: float
) -> None:
    chance = random.Random(seed)

    def fate(delegate: str, share: Share | None) -> News | None:
        if chance.random() >= trouble:
            return None
        return Gone(delegate, chance.choice(["node lost", "process lost"]))

    delegates = FakeDelegates(dict(nodes), fate)
    found = outcomes([share(str(i), *types) for i, types in enumerate(node_types)], delegates)
    assert set(found) == {str(i) for i in range(len(node_types))}
    assert all(count <= ATTEMPTS for count in delegates.done.values())
    assert all(delegates.most_at_once[node_type] <= count for node_type, count in nodes.items())
