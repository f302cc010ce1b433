"""Distribute shares of work over nodes, and repeat the shares of lost nodes.

Each share has one outcome: a result that arrives twice, or after the share was given to another
node, counts once. This module does not depend on Ray: `Delegates` is its interface to a cluster,
with one delegate per node.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_infperf.fleet.work import Work

ATTEMPTS = 3
"""Number of attempts at a share, and at starting a delegate on a node type."""
POLL_S = 0.5
"""Time between two counts of the nodes while nothing else happens, in seconds."""


@dataclass(frozen=True)
class Share:
    """A part of the work, done as a whole by one delegate."""

    id: str
    node_types: Sequence[str]
    """Node types that may do it."""
    work: Work


@dataclass(frozen=True)
class Done:
    """Outcome of a share: its result, and the type of the node that did it."""

    share: Share
    result: Any
    node_type: str


@dataclass(frozen=True)
class NotDone:
    """Outcome of a share that failed, or for which no node is left."""

    share: Share
    reason: str


@dataclass(frozen=True)
class Ready:
    """The delegate is alone on its node and waits for work."""

    delegate: str


@dataclass(frozen=True)
class Finished:
    """The delegate did its share, and waits for work."""

    delegate: str
    share_id: str
    result: Any


@dataclass(frozen=True)
class ShareFailed:
    """The work raised an exception, as it would on any node. The delegate waits for work."""

    delegate: str
    share_id: str
    reason: str


@dataclass(frozen=True)
class Gone:
    """The delegate died, often with its node; the share that it worked on is lost."""

    delegate: str
    reason: str


News = Ready | Finished | ShareFailed | Gone


class Delegates(Protocol):
    """The nodes of a cluster, and the delegates that run there."""

    def nodes(self) -> Mapping[str, int]:
        """Return the number of live nodes by node type."""

    def hire(self, node_type: str) -> str:
        """Begin to start a delegate on any free node of the type, and return its name."""

    def give(self, delegate: str, share: Share) -> None:
        """Assign a share to an idle delegate."""

    def news(self, timeout_s: float) -> Sequence[News]:
        """Return the next events as soon as there are any; nothing after the timeout."""

    def release(self, delegate: str) -> None:
        """End a delegate, which frees its node. Does nothing if the delegate has ended."""


def dispatch(
    shares: Sequence[Share],
    delegates: Delegates,
    report_progress: Callable[[str], None] = lambda text: None,
) -> Generator[Done | NotDone]:
    """Yield the outcomes of all shares as they arrive.

    `report_progress` is called for each lost share that is repeated. Closing the generator releases
    all delegates.
    """
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
        """Number of attempts by share id."""
        self._node_types: dict[str, str] = {}
        """Node type by name of a hired delegate."""
        self._idle: set[str] = set()
        self._busy: dict[str, Share] = {}
        self._failed_starts: Counter[str] = Counter()
        """Number of delegates that died before they were ready, by node type."""
        self._last_losses: dict[str, str] = {}
        """Reason why the last delegate died, by node type."""

    def give_up(self) -> Iterator[NotDone]:
        """Yield the waiting shares for which no node is left."""
        self._nodes = {
            node_type: 0 if self._failed_starts[node_type] >= ATTEMPTS else count
            for node_type, count in self._delegates.nodes().items()
        }
        for share in [s for s in self._waiting if not any(map(self._nodes.get, s.node_types))]:
            self._waiting.remove(share)
            losses = [
                self._last_losses[node_type]
                for node_type in share.node_types
                if node_type in self._last_losses
            ]
            reason = f"no node of {' or '.join(share.node_types)} is left"
            yield self._not_done(share, ": ".join([reason, *losses]))

    def staff(self) -> None:
        """Hire delegates where shares wait, and dismiss those without work."""
        for delegate in [name for name in self._node_types if name not in self._busy]:
            node_type = self._node_types[delegate]
            stuck = delegate not in self._idle and not self._nodes.get(node_type)
            if stuck or not self._waiting_for(node_type):
                self._dismiss(delegate)
        hired = Counter(self._node_types.values())
        busy = Counter(self._node_types[delegate] for delegate in self._busy)
        for node_type, live in self._nodes.items():
            wanted = min(live, busy[node_type] + self._waiting_for(node_type))
            for _ in range(wanted - hired[node_type]):
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
                continue  # the delegate was dismissed
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
                        yield self._not_done(share, news.reason)
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
        self._last_losses[node_type] = news.reason
        if share is None:
            self._failed_starts[node_type] += 1
        elif (attempt := self._attempts[share.id]) >= ATTEMPTS:
            yield self._not_done(share, f"lost in each of {attempt} attempts: {news.reason}")
        else:
            self._report_progress(
                f"a node of {node_type} was lost ({news.reason}); {share.id} is repeated, "
                f"attempt {attempt + 1} of {ATTEMPTS}"
            )
            self._waiting.appendleft(share)

    def _dismiss(self, delegate: str) -> None:
        del self._node_types[delegate]
        self._idle.discard(delegate)
        self._busy.pop(delegate, None)
        self._delegates.release(delegate)

    def _not_done(self, share: Share, reason: str) -> NotDone:
        del self.unfinished[share.id]
        return NotDone(share, reason)
