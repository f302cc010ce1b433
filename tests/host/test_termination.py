"""Signals that are delayed while an action must not be interrupted."""

from __future__ import annotations

import signal
import threading

import pytest

from pytest_infperf.host.termination import Terminated, TerminationSignals, held_back

pytestmark = pytest.mark.usefixtures("default_signals")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_process_after_the_context(name: str) -> None:
    number = getattr(signal, name)
    signals = TerminationSignals()
    signals.install()
    done = []

    def work() -> None:
        with held_back():
            signal.raise_signal(number)
            done.append("the rest")

    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            work()
    finally:
        signals.restore()
    assert done == ["the rest"]
    assert isinstance(caught.value, Terminated) == (name != "SIGINT")


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="an error"), held_back():
        raise ValueError("an error")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_ignored_signals_stay_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with held_back():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_have_no_signals() -> None:
    done = []

    def work() -> None:
        with held_back():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done
