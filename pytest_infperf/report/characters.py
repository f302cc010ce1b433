"""Characters that are safe to print, and ASCII replacements for terminals without Unicode."""

from __future__ import annotations

import unicodedata
from typing import IO

from rich.text import Text

ASCII_REPLACEMENTS = {
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
"""Each replacement with the characters that it replaces."""
_TO_ASCII = {
    ord(character): replacement
    for replacement, characters in ASCII_REPLACEMENTS.items()
    for character in characters
}


def shows_unicode(stream: IO[str]) -> bool:
    """Return whether the stream's encoding has the characters that the reports use."""
    try:
        "±·─…".encode(getattr(stream, "encoding", None) or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def printable(text: str, *, unicode: bool = True) -> str:
    """Return the text in one line, without colours and control characters.

    Without `unicode`, the line is ASCII: letters lose their accents, and characters without a
    replacement become question marks.
    """
    plain = " ".join(Text.from_ansi(text).plain.split())
    line = "".join(character for character in plain if character.isprintable())
    return line if unicode else _ascii(line)


def _ascii(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.translate(_TO_ASCII))
    letters = "".join(part for part in decomposed if not unicodedata.combining(part))
    return letters.encode("ascii", "replace").decode("ascii")
