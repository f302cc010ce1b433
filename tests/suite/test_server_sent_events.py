"""Server-sent events are the same in whatever pieces they arrive."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies as st

from pytest_infperf.suite.server_sent_events import EventParser

STREAM = (
    '\ufeffdata: {"text": "größer 世界"}\n\n: ping\n\n'
    "event: more\ndata:a\ndata: b\nid: 7\n\ndata\n\n"
)
EVENTS = ['{"text": "größer 世界"}', "a\nb", ""]


def events(*pieces: bytes) -> list[str]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@given(cuts=st.sets(st.integers(0, 100)))
def test_events_in_any_pieces(end: str, cuts: set[int]) -> None:
    stream = STREAM.replace("\n", end).encode()
    places = [0, *sorted(cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert events(*pieces) == EVENTS


def test_an_event_is_returned_with_the_piece_that_ends_it() -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\n\ndata: b\n") == ["a"]
    assert parser.feed(b"\ndata: c") == ["b"]
    assert parser.feed(b"\n") == []
    assert parser.feed(b"\n") == ["c"]


def test_a_line_feed_after_a_cut_line_end_is_no_empty_line() -> None:
    assert events(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == ["a\nb"]


@pytest.mark.parametrize("stream", [b"", b": ping\n\n", b"\n\n\n", b"data: a\n", b"event: x\n\n"])
def test_a_stream_without_a_complete_event(stream: bytes) -> None:
    assert events(stream) == []


def test_invalid_characters_are_replaced() -> None:
    assert events(b"data: \xff\n\n") == ["\ufffd"]
