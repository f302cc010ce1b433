"""The text of an output while its tokens arrive."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from pytest_infperf.tasks.text_writer import TextWriter

END = 256


def decode_bytes(tokens: Sequence[int]) -> str:
    """Decode tokens that are bytes, as a byte-level tokenizer does."""
    return bytes(token for token in tokens if token != END).decode("utf-8", "replace")


def decode_words(tokens: Sequence[str]) -> str:
    """Decode words, of which the first one has no space before it."""
    return " ".join(tokens)


def test_characters_are_written_as_a_whole() -> None:
    writer = TextWriter(decode_bytes)
    pieces = [writer.write([byte]) for byte in "aé三🎉".encode()]
    assert pieces == ["a", "", "é", "", "", "三", "", "", "", "🎉"]
    assert writer.rest() == ""


def test_words_have_their_spaces() -> None:
    writer = TextWriter(decode_words)
    assert [writer.write([word]) for word in ("one", "two", "three")] == ["one", " two", " three"]


def test_several_tokens_at_once_and_none() -> None:
    writer = TextWriter(decode_bytes)
    assert writer.write([]) == ""
    assert writer.write(list("ab€".encode())[:-1]) == ""
    assert writer.write(list("€".encode())[-1:]) == "ab€"


def test_the_rest_of_an_incomplete_character_is_marked() -> None:
    writer = TextWriter(decode_bytes)
    assert writer.write(list("aé".encode())[:1]) == "a"
    assert writer.write(list("é".encode())[:1]) == ""
    assert writer.rest() == "\ufffd"


def test_a_stop_text_is_not_written() -> None:
    writer = TextWriter(decode_bytes, ["\n\n", "END"])
    pieces = [writer.write([byte]) for byte in b"E EN\nx\n\ny"]
    assert "".join(pieces) == "E EN\nx"
    assert pieces[0] == "", "it may begin END"
    assert writer.has_stopped
    assert writer.has_ended
    assert writer.rest() == ""


def test_a_text_that_only_began_like_a_stop_text_is_in_the_rest() -> None:
    writer = TextWriter(decode_bytes, ["END"])
    assert [writer.write([byte]) for byte in b"aEN"] == ["a", "", ""]
    assert not writer.has_stopped
    assert writer.rest() == "EN"
    assert writer.rest() == ""


def test_the_first_of_two_stop_texts_counts() -> None:
    writer = TextWriter(decode_bytes, ["bc", "ab"])
    assert writer.write(list(b"xabc")) == "x"


def test_an_end_token_is_noticed() -> None:
    writer = TextWriter(decode_bytes, ends={END})
    assert writer.write([97]) == "a"
    assert not writer.has_ended
    assert writer.write([END]) == ""
    assert writer.has_ended
    assert not writer.has_stopped


@given(
    st.text(max_size=30),
    st.lists(st.text(min_size=1, max_size=3), max_size=2),
    st.lists(st.integers(1, 5), min_size=1),
)
def test_the_pieces_are_the_text_before_the_first_stop_text(
    text: str, stop: list[str], sizes: list[int]
) -> None:
    writer = TextWriter(decode_bytes, stop)
    tokens = list(text.encode("utf-8"))
    pieces, start = [], 0
    while start < len(tokens) and not writer.has_stopped:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(writer.write(tokens[start : start + size]))
        start += size
    written = "".join([*pieces, writer.rest()])
    if writer.has_stopped:
        assert text.startswith(written)
        assert any(text[len(written) :].startswith(each) for each in stop)
    else:
        assert written == text
        assert not any(each in text for each in stop)


@pytest.mark.parametrize("stop", [[], ["x"]])
def test_the_time_for_a_token_does_not_grow(stop: list[str]) -> None:
    longest = 0

    def decode(tokens: Sequence[int]) -> str:
        nonlocal longest
        longest = max(longest, len(tokens))
        return decode_bytes(tokens)

    writer = TextWriter(decode, stop)
    for _ in range(100):
        writer.write([97])
    assert longest == 2
