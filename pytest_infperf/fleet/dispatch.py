"""Who does which share of the work, and what happens to the share of a node that is lost.

Each share has an id, and one outcome: what comes in twice, or too late, counts once. Nothing here
knows Ray: `Delegates` is what a cluster offers, one delegate a node.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pytest_infperf.fleet.work import Work

if TYPE_CHECKING:
    pass

ATTEMPTS = 3
"""Of a share, and of starting a delegate on a kind of node."""
POLL_S = 0.5
"""How often nodes are counted while nothing else happens."""


@dataclass(frozen=True)
class Share:
    id: str
    kinds: Sequence[str]
    """The kinds of nodes that may do it."""
    work: Work


@dataclass(frozen=True)
class Done:
    share: Share
    result: Any
    kind: str
    attempts: int


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
class Failed:
    """The work raised an exception: it would elsewhere too. The delegate is still there."""

    delegate: str
    share_id: str
    why: str


@dataclass(frozen=True)
class Gone:
    """The delegate died, often with its node; what it was doing is lost."""

    delegate: str
    why: str


News = Ready | Finished | Failed | Gone


class Delegates(Protocol):
    def nodes(self) -> Mapping[str, int]:
        """How many nodes of each kind are alive."""

    def hire(self, kind: str) -> str:
        """Begin to start a delegate on any free node of the kind; returns its name."""

    def give(self, delegate: str, share: Share) -> None: ...

    def news(self, timeout_s: float) -> Sequence[News]:
        """What happened, as soon as something has; nothing when the time is up."""

    def release(self, delegate: str) -> None:
        """End a delegate, which gives its node back; one that is gone is no error."""


def dispatch(
    shares: Sequence[Share], delegates: Delegates, said: Callable[[str], None] = lambda text: None
) -> Generator[Done | NotDone]:
    """The outcomes of all shares, as they come; `said` hears of losses."""
    dispatcher = _Dispatcher(delegates, said, shares)
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
        self, delegates: Delegates, said: Callable[[str], None], shares: Sequence[Share]
    ) -> None:
        self._delegates = delegates
        self._said = said
        self.unfinished = {share.id: share for share in shares}
        self._waiting = deque(shares)
        self._attempts: Counter[str] = Counter()
        self._kinds: dict[str, str] = {}
        """Of the hired delegates, by name."""
        self._idle: set[str] = set()
        self._busy: dict[str, Share] = {}
        self._failed_starts: Counter[str] = Counter()
        self._last_words: dict[str, str] = {}

    def give_up(self) -> Iterator[NotDone]:
        """Of waiting shares those that no node is left for."""
        self._nodes = {
            kind: 0 if self._failed_starts[kind] >= ATTEMPTS else count
            for kind, count in self._delegates.nodes().items()
        }
        for share in [s for s in self._waiting if not any(map(self._nodes.get, s.kinds))]:
            self._waiting.remove(share)
            words = [self._last_words[kind] for kind in share.kinds if kind in self._last_words]
            why = f"no node of {' or '.join(share.kinds)} is left"
            yield self._not_done(share, ": ".join([why, *words]))

    def staff(self) -> None:
        """Hire where work waits, and let nodes go that have none."""
        for delegate in [a for a in self._kinds if a not in self._busy]:
            kind = self._kinds[delegate]
            stuck = delegate not in self._idle and not self._nodes.get(kind)
            if stuck or not self._waiting_for(kind):
                self._dismiss(delegate)
        for kind, alive in self._nodes.items():
            busy = sum(self._kinds[delegate] == kind for delegate in self._busy)
            hired = sum(its == kind for its in self._kinds.values())
            for _ in range(min(alive, busy + self._waiting_for(kind)) - hired):
                self._kinds[self._delegates.hire(kind)] = kind

    def assign(self) -> None:
        for delegate in sorted(self._idle):
            kind = self._kinds[delegate]
            share = next((share for share in self._waiting if kind in share.kinds), None)
            if share:
                self._waiting.remove(share)
                self._idle.discard(delegate)
                self._busy[delegate] = share
                self._attempts[share.id] += 1
                self._delegates.give(delegate, share)

    def listen(self) -> Iterator[Done | NotDone]:
        for news in self._delegates.news(POLL_S):
            kind = self._kinds.get(news.delegate)
            if kind is None:
                continue  # of a delegate that was let go
            match news:
                case Ready():
                    self._failed_starts[kind] = 0
                    self._idle.add(news.delegate)
                case Gone():
                    yield from self._lost(news, kind)
                case Finished() | Failed():
                    share = self._busy.get(news.delegate)
                    if share is None or share.id != news.share_id:
                        continue
                    self._idle.add(news.delegate)
                    del self._busy[news.delegate]
                    if isinstance(news, Failed):
                        yield self._not_done(share, news.why)
                    elif share.id in self.unfinished:
                        del self.unfinished[share.id]
                        yield Done(share, news.result, kind, self._attempts[share.id])

    def dismiss_all(self) -> None:
        for delegate in list(self._kinds):
            self._dismiss(delegate)

    def _waiting_for(self, kind: str) -> int:
        return sum(kind in share.kinds for share in self._waiting)

    def _lost(self, news: Gone, kind: str) -> Iterator[NotDone]:
        share = self._busy.pop(news.delegate, None)
        self._dismiss(news.delegate)
        self._last_words[kind] = news.why
        if share is None:
            self._failed_starts[kind] += 1
        elif (attempt := self._attempts[share.id]) >= ATTEMPTS:
            yield self._not_done(share, f"lost in each of {attempt} attempts: {news.why}")
        else:
            self._said(
                f"a node of {kind} was lost ({news.why}); {share.id} is done again, attempt "
                f"{attempt + 1} of {ATTEMPTS}"
            )
            self._waiting.appendleft(share)

    def _dismiss(self, delegate: str) -> None:
        del self._kinds[delegate]
        self._idle.discard(delegate)
        self._busy.pop(delegate, None)
        self._delegates.release(delegate)

    def _not_done(self, share: Share, why: str) -> NotDone:
        del self.unfinished[share.id]
        return NotDone(share, why)
