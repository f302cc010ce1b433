"""Who does which share of the work, and what happens to the share of a node that is lost.

Each share has an id, and one outcome: what comes in twice, or too late, counts once. Nothing here
knows Ray: `Delegates` is what a cluster offers, one delegate a node.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_infperf.fleet.work import Work

ATTEMPTS = 3
"""Of a share, and of starting a delegate on a kind of node."""
POLL_S = 0.5
"""How often nodes are counted while nothing else happens."""


@dataclass(frozen=True)
class Share:
    id: str
    node_types: Sequence[str]
    """The kinds of nodes that may do it."""
    work: Work


@dataclass(frozen=True)
class Done:
    share: Share
    result: Any
    node_type: str


@dataclass(frozen=True)
class NotDone:
    share: Share
    why: str


@dataclass(frozen=True)
class Ready:
    """The delegate has its node to itself and waits for work."""

    delegate: str


@dataclass(frozen=True)
class Finished:
    delegate: str
    share_id: str
    result: Any


@dataclass(frozen=True)
class ShareFailed:
    """The work raised an exception: it would elsewhere too. The delegate is still there."""

    delegate: str
    share_id: str
    why: str


@dataclass(frozen=True)
class Gone:
    """The delegate died, often with its node; what it was doing is lost."""

    delegate: str
    why: str


News = Ready | Finished | ShareFailed | Gone


class Delegates(Protocol):
    def nodes(self) -> Mapping[str, int]:
        """How many nodes of each kind are alive."""

    def hire(self, node_type: str) -> str:
        """Begin to start a delegate on any free node of the kind; returns its name."""

    def give(self, delegate: str, share: Share) -> None: ...

    def news(self, timeout_s: float) -> Sequence[News]:
        """What happened, as soon as something has; nothing when the time is up."""

    def release(self, delegate: str) -> None:
        """End a delegate, which gives its node back; one that is gone is no error."""


def dispatch(
    shares: Sequence[Share],
    delegates: Delegates,
    report_progress: Callable[[str], None] = lambda text: None,
) -> Generator[Done | NotDone]:
    """The outcomes of all shares, as they come; `said` hears of losses."""
    dispatcher = _Dispatcher(delegates, report_progress, shares)
    try:
        while dispatcher.unfinished:
            yield from dispatcher.give_up()
            dispatcher.staff()
            dispatcher.assign()
            if dispatcher.unfinished:
                yield from dispatcher.listen()
    finally:
        dispatcher.dismiss_all()


class _Dispatcher:
    def __init__(
        self, delegates: Delegates, report_progress: Callable[[str], None], shares: Sequence[Share]
    ) -> None:
        self._delegates = delegates
        self._report_progress = report_progress
        self.unfinished = {share.id: share for share in shares}
        self._waiting = deque(shares)
        self._attempts: Counter[str] = Counter()
        self._node_types: dict[str, str] = {}
        """Of the hired delegates, by name."""
        self._idle: set[str] = set()
        self._busy: dict[str, Share] = {}
        self._failed_starts: Counter[str] = Counter()
        self._last_words: dict[str, str] = {}

    def give_up(self) -> Iterator[NotDone]:
        """Of waiting shares those that no node is left for."""
        self._nodes = {
            node_type: 0 if self._failed_starts[node_type] >= ATTEMPTS else count
            for node_type, count in self._delegates.nodes().items()
        }
        for share in [s for s in self._waiting if not any(map(self._nodes.get, s.node_types))]:
            self._waiting.remove(share)
            words = [
                self._last_words[node_type]
                for node_type in share.node_types
                if node_type in self._last_words
            ]
            why = f"no node of {' or '.join(share.node_types)} is left"
            yield self._not_done(share, ": ".join([why, *words]))

    def staff(self) -> None:
        """Hire where work waits, and let nodes go that have none."""
        for delegate in [a for a in self._node_types if a not in self._busy]:
            node_type = self._node_types[delegate]
            stuck = delegate not in self._idle and not self._nodes.get(node_type)
            if stuck or not self._waiting_for(node_type):
                self._dismiss(delegate)
        for node_type, alive in self._nodes.items():
            busy = sum(self._node_types[delegate] == node_type for delegate in self._busy)
            hired = sum(its == node_type for its in self._node_types.values())
            for _ in range(min(alive, busy + self._waiting_for(node_type)) - hired):
                self._node_types[self._delegates.hire(node_type)] = node_type

    def assign(self) -> None:
        for delegate in sorted(self._idle):
            node_type = self._node_types[delegate]
            share = next((share for share in self._waiting if node_type in share.node_types), None)
            if share:
                self._waiting.remove(share)
                self._idle.discard(delegate)
                self._busy[delegate] = share
                self._attempts[share.id] += 1
                self._delegates.give(delegate, share)

    def listen(self) -> Iterator[Done | NotDone]:
        for news in self._delegates.news(POLL_S):
            node_type = self._node_types.get(news.delegate)
            if node_type is None:
                continue  # of a delegate that was let go
            match news:
                case Ready():
                    self._failed_starts[node_type] = 0
                    self._idle.add(news.delegate)
                case Gone():
                    yield from self._lost(news, node_type)
                case Finished() | ShareFailed():
                    share = self._busy.get(news.delegate)
                    if share is None or share.id != news.share_id:
                        continue
                    self._idle.add(news.delegate)
                    del self._busy[news.delegate]
                    if isinstance(news, ShareFailed):
                        yield self._not_done(share, news.why)
                    elif share.id in self.unfinished:
                        del self.unfinished[share.id]
                        yield Done(share, news.result, node_type)

    def dismiss_all(self) -> None:
        for delegate in list(self._node_types):
            self._dismiss(delegate)

    def _waiting_for(self, node_type: str) -> int:
        return sum(node_type in share.node_types for share in self._waiting)

    def _lost(self, news: Gone, node_type: str) -> Iterator[NotDone]:
        share = self._busy.pop(news.delegate, None)
        self._dismiss(news.delegate)
        self._last_words[node_type] = news.why
        if share is None:
            self._failed_starts[node_type] += 1
        elif (attempt := self._attempts[share.id]) >= ATTEMPTS:
            yield self._not_done(share, f"lost in each of {attempt} attempts: {news.why}")
        else:
            self._report_progress(
                f"a node of {node_type} was lost ({news.why}); {share.id} is done again, attempt "
                f"{attempt + 1} of {ATTEMPTS}"
            )
            self._waiting.appendleft(share)

    def _dismiss(self, delegate: str) -> None:
        del self._node_types[delegate]
        self._idle.discard(delegate)
        self._busy.pop(delegate, None)
        self._delegates.release(delegate)

    def _not_done(self, share: Share, why: str) -> NotDone:
        del self.unfinished[share.id]
        return NotDone(share, why)
