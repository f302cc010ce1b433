"""Comparison of labels, and messages about unknown labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

_SHOWN = 12


def nearest_label(label: Any, known: Collection[Any]) -> Any | None:
    """Return the nearest known label; None if none is near.

    Labels that differ only in case, surrounding space or type are the nearest.
    """
    by_text = {_plain(name): name for name in known}
    if (near := by_text.get(_plain(label))) is not None:
        return near
    matches = get_close_matches(_plain(label), by_text, 1)
    return by_text[matches[0]] if matches else None


def listed(labels: Collection[Any]) -> str:
    """Return the reprs of labels, shortened if there are many."""
    texts = [repr(label) for label in labels]
    more = [f"... ({len(texts)} in all)"] if len(texts) > _SHOWN else []
    return ", ".join([*texts[:_SHOWN], *more]) or "none"


def suggestions(nearest: Mapping[Any, Any]) -> str:
    """Return a hint that names the nearest known label of each unknown one."""
    pairs = [f"{label!r} is probably {near!r}" for label, near in nearest.items() if near]
    return f"; {', '.join(pairs[:_SHOWN])}" if pairs else ""


def _plain(label: Any) -> str:
    return str(label).strip().casefold()
