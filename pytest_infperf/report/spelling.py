"""What a terminal can show: text of others made safe, and everything in ASCII where need be."""

from __future__ import annotations

import unicodedata
from typing import IO

from rich.text import Text

ASCII_FOR = {
    "->": "→",
    ">=": "≥",
    "<=": "≤",
    "+-": "±",
    "...": "…",
    "|": "·",
    "u": "µ",
    "x": "×",
    "-": "−–—",
    "'": "‘’",
    '"': "“”„",
}
IN_ASCII = {ord(sign): likeness for likeness, signs in ASCII_FOR.items() for sign in signs}


def shows_unicode(stream: IO[str]) -> bool:
    """Whether the stream's encoding has what the report is drawn with."""
    try:
        "±·─…".encode(getattr(stream, "encoding", None) or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def printable(text: str) -> str:
    """One line without colours and control characters, which would spoil the layout."""
    plain = " ".join(Text.from_ansi(text).plain.split())
    return "".join(character for character in plain if character.isprintable())


def in_ascii(text: str) -> str:
    """Letters lose their accents; what has no likeness becomes a question mark."""
    likened = unicodedata.normalize("NFKD", text.translate(IN_ASCII))
    unmarked = "".join(part for part in likened if not unicodedata.combining(part))
    return unmarked.encode("ascii", "replace").decode("ascii")
