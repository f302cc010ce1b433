"""The columns of the results table, and which of them a narrow terminal goes without.

Room is made in a declared order, least important first. Nothing is ever cut inside a number: a
column is there whole, in its short form, or not at all and named below the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich.cells import cell_len

from pytest_infperf.record import Record
from pytest_infperf.report import cells
from pytest_infperf.report.cells import Write

GAP = 2
LEAST_FOR_IDS = 24
METRIC_HEADERS = {"bleu": "BLEU", "chrf": "chrF", "wer": "WER", "cer": "CER", "f1": "F1"}

Spell = Callable[[str], str]


@dataclass(frozen=True)
class Column:
    key: str
    header: str
    write: Write
    short_header: str = ""
    short_write: Write | None = None
    numeric: bool = True
    name: str = ""
    """What it is called where its header is not seen; the key when empty."""

    def shortened(self) -> Column:
        return replace(
            self,
            header=self.short_header or self.header,
            write=self.short_write or self.write,
        )

    def texts(self, records: Sequence[Record], spell: Spell) -> list[str]:
        """The header and a text a record, all of one width, heads below heads."""
        written = [self.write(record) for record in records]
        heads = [spell(head) for head, _ in written]
        if self.numeric:
            heads = _padded(heads, right=True)
        tails = [f" {spell(tail)}" if tail else "" for _, tail in written]
        cells = _padded([head + tail for head, tail in zip(heads, tails, strict=True)])
        return _padded([spell(self.header), *cells], right=self.numeric)

    def width(self, records: Sequence[Record], spell: Spell) -> int:
        return cell_len(self.texts(records, spell)[0])


@dataclass(frozen=True)
class Layout:
    columns: Sequence[Column]
    hidden: Sequence[str]
    """The columns for which there was no room."""
    id_width: int
    """Ids that are longer continue on the next line."""


TO_MAKE_ROOM: Sequence[tuple[Literal["shorten", "hide"], str]] = (
    ("shorten", "threads"),
    ("shorten", "variant"),
    ("hide", "memory"),
    ("hide", "size"),
    ("hide", "throughput"),
    ("shorten", "speed-up"),
    ("shorten", "verdict"),
    ("hide", "p99"),
    ("shorten", "quality"),
    ("hide", "p50"),
    ("hide", "quality"),
    ("hide", "threads"),
)
"""Variant, speed-up and verdict always stay: without them the table would be no answer."""


def fit(records: Sequence[Record], width: int, spell: Spell) -> Layout:
    """The columns for which there is room, each in the longest form that fits."""
    widest_id = max(LEAST_FOR_IDS, width // 2)
    shown = {column.key: column for column in _columns(records)}
    hidden: list[str] = []

    def width_of(key: str) -> int:
        natural = shown[key].width(records, spell)
        return min(natural, widest_id) if key == "variant" else natural

    def needed() -> int:
        return sum(map(width_of, shown)) + GAP * (len(shown) - 1)

    for action, key in TO_MAKE_ROOM:
        if needed() <= width:
            break
        if key not in shown:
            continue
        if action == "hide":
            hidden.append(shown.pop(key).name or key)
        elif (shorter := shown[key].shortened()).width(records, spell) < width_of(key):
            shown[key] = shorter
    return Layout(tuple(shown.values()), hidden[::-1], width_of("variant"))


def _padded(texts: Sequence[str], right: bool = False) -> list[str]:
    widest = max(map(cell_len, texts))
    spaces = [" " * (widest - cell_len(text)) for text in texts]
    return [
        space + text if right else text + space for text, space in zip(texts, spaces, strict=True)
    ]


def _columns(records: Sequence[Record]) -> list[Column]:
    return [
        Column(
            "variant",
            "variant",
            cells.variant,
            short_write=cells.variant_with_star,
            numeric=False,
        ),
        Column("threads", "threads", cells.threads, short_header="thr"),
        Column(
            "speed-up",
            "speed-up",
            cells.speedup_with_interval,
            short_write=cells.speedup_with_margin,
        ),
        Column("p50", "p50", cells.value_of("latency_p50")),
        Column("p99", "p99", cells.value_of("latency_p99")),
        Column("throughput", cells.RATE_UNIT, cells.rate),
        *_quality(records),
        Column("size", "size", cells.value_of("size")),
        Column("memory", "memory", cells.value_of("peak_memory")),
        Column("verdict", "verdict", cells.verdict, short_write=cells.short_verdict, numeric=False),
    ]


def _quality(records: Sequence[Record]) -> list[Column]:
    named = (record.evidence.get("quality_metric") for record in records)
    metric = next((str(name) for name in named if name), None)
    if metric is None:
        return []
    header = METRIC_HEADERS.get(metric, metric)
    alone = cells.quality(metric, with_difference=False)
    return [
        Column(
            "quality",
            f"{header} (diff.)",
            cells.quality(metric, with_difference=True),
            short_header=header,
            short_write=alone,
            name=header,
        )
    ]
