"""The time of a run by activity; nested activities count as the innermost one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident
from time import perf_counter
from typing import Literal

Activity = Literal["measuring", "scoring", "building", "starting"]
OTHER = "other"
"""Time outside of every activity: collection, checks, reports."""


class TimeAccount:
    """The time of a run by activity since the account was created.

    Only the thread that created the account enters time; it waits while other threads work.

    Parameters
    ----------
    clock : callable, optional
        Returns the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._thread = get_ident()
        self._entered_until = clock()
        self._under_way: list[str] = [OTHER]
        self._seconds: dict[str, float] = {OTHER: 0.0}

    @contextmanager
    def spending(self, activity: Activity) -> Iterator[None]:
        """Enter the time of the body as time of an activity, except for nested activities."""
        if get_ident() != self._thread:
            yield
            return
        self._enter()
        self._under_way.append(activity)
        try:
            yield
        finally:
            self._enter()
            self._under_way.pop()

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each activity so far, and the remaining seconds as "other"."""
        self._enter()
        return dict(self._seconds)

    def _enter(self) -> None:
        now = self._clock()
        activity = self._under_way[-1]
        self._seconds[activity] = self._seconds.get(activity, 0.0) + now - self._entered_until
        self._entered_until = now


_ACCOUNT: ContextVar[TimeAccount | None] = ContextVar("infperf_time_account", default=None)


def keep(account: TimeAccount) -> Callable[[], None]:
    """Let `spending` enter time in this account until the returned function is called."""
    token = _ACCOUNT.set(account)
    return lambda: _ACCOUNT.reset(token)


@contextmanager
def spending(activity: Activity) -> Iterator[None]:
    """Enter the time of the body in the account of the run, if there is one."""
    account = _ACCOUNT.get()
    if account is None:
        yield
        return
    with account.spending(activity):
        yield


def is_of_measuring(seconds: Mapping[str, float]) -> bool:
    """Return whether a process with these seconds by activity has measured."""
    return any(value for name, value in seconds.items() if name != OTHER)


def total(times: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the sum of the seconds of several processes by activity."""
    whole: dict[str, float] = {}
    for seconds in times:
        for name, value in seconds.items():
            whole[name] = whole.get(name, 0.0) + value
    return whole


def in_words(seconds: Mapping[str, float]) -> str:
    """Return the percentages of the activities, which add up to 100, and the total time.

    Examples
    --------
    >>> in_words({"measuring": 141.5, "building": 46.4, "starting": 28.1, "other": 16.0})
    'measuring 61 %, building 20 %, starting 12 %, other 7 % of 3 min 52 s'
    """
    whole = sum(seconds.values())
    largest_first = sorted(seconds, key=lambda name: (name == OTHER, -seconds[name]))
    shares = _in_per_cent([seconds[name] for name in largest_first])
    parts = [
        f"{name} {share} %" for name, share in zip(largest_first, shares, strict=True) if share
    ]
    return f"{', '.join(parts)} of {_duration(whole)}"


def _in_per_cent(values: list[float]) -> list[int]:
    """Return integer percentages that add up to 100, by the method of largest remainders."""
    whole = sum(values)
    exact = [100 * value / whole for value in values]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: shares[i] - exact[i])
    for i in by_remainder[: 100 - sum(shares)]:
        shares[i] += 1
    return shares


def _duration(seconds: float) -> str:
    if seconds < 59.5:
        return f"{seconds:.3g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
