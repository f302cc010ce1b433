"""The columns of the results, and how a narrow terminal shares them out among several tables.

Room is made in a declared order, least important first. Nothing is ever cut inside a number, and
nothing is left out: a column for which the first table has no room stands in one below it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich.cells import cell_len

from pytest_infperf.records.record import Record
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.cells import Write

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
    tables: Sequence[Sequence[Column]]
    """Each begins with the variant's id."""
    id_width: int
    """Ids that are longer continue on the next line."""


TO_MAKE_ROOM: Sequence[tuple[Literal["shorten", "move"], str]] = (
    ("shorten", "threads"),
    ("shorten", "variant"),
    ("move", "cost"),
    ("move", "memory"),
    ("move", "size"),
    ("move", "throughput"),
    ("shorten", "speed-up"),
    ("shorten", "regression"),
    ("shorten", "verdict"),
    ("move", "p99"),
    ("move", "p50"),
    ("move", "quality"),
    ("move", "quality change"),
    ("move", "regression"),
    ("move", "threads"),
    ("move", "verdict"),
)
"""In the first table. The speed-up always stays in it, and the verdict leaves it last."""

ALWAYS = ("variant", "speed-up", "verdict")
"""Shown even where nothing was measured."""


def fit(records: Sequence[Record], width: int, spell: Spell) -> Layout:
    """The first table with all for which it has room, and as few below it as the rest takes."""
    widest_id = max(LEAST_FOR_IDS, width // 2)
    columns = {column.key: column for column in filled_columns(records, ALWAYS)}
    first = list(columns)

    def width_of(key: str) -> int:
        natural = columns[key].width(records, spell)
        return min(natural, widest_id) if key == "variant" else natural

    def fits(keys: Sequence[str]) -> bool:
        return sum(map(width_of, keys)) + GAP * (len(keys) - 1) <= width

    for action, key in TO_MAKE_ROOM:
        if fits(first):
            break
        if key not in columns:
            continue
        if action == "move":
            first.remove(key)
        elif (shorter := columns[key].shortened()).width(records, spell) < width_of(key):
            columns[key] = shorter
    below: list[list[str]] = []
    moved = [key for key in columns if key not in first]
    for key in sorted(moved, key=lambda key: key != "verdict"):
        table = next((table for table in below if fits([*table, key])), None)
        if table is None:
            table = ["variant"]
            below.append(table)
        table.append(key)
    tables = [[columns[key] for key in table] for table in (first, *below)]
    return Layout(tables, width_of("variant"))


def side_by_side(
    columns: Sequence[Column], records: Sequence[Record], width: int, spell: Spell
) -> Layout:
    """All columns in their order, in as many tables as it takes; the first stands in each."""
    ids, *others = columns
    id_width = min(ids.width(records, spell), max(LEAST_FOR_IDS, width // 2))
    tables: list[list[Column]] = [[ids]]
    room = width - id_width
    for column in others:
        needed = GAP + column.width(records, spell)
        if needed > room and len(tables[-1]) > 1:
            tables.append([ids])
            room = width - id_width
        tables[-1].append(column)
        room -= needed
    return Layout(tables, id_width)


def _padded(texts: Sequence[str], right: bool = False) -> list[str]:
    widest = max(map(cell_len, texts))
    spaces = [" " * (widest - cell_len(text)) for text in texts]
    return [
        space + text if right else text + space for text, space in zip(texts, spaces, strict=True)
    ]


def filled_columns(records: Sequence[Record], always: Collection[str] = ()) -> list[Column]:
    """Those in which any of the records has something, and those with a key of `always`."""
    return [
        column
        for column in _all_columns(records)
        if column.key in always or any(column.write(record) != cells.NOTHING for record in records)
    ]


def _all_columns(records: Sequence[Record]) -> list[Column]:
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
        Column(
            "regression",
            "regression",
            cells.regression_with_interval,
            short_write=cells.regression_with_margin,
        ),
        Column("p50", "p50", cells.value_of("latency_p50")),
        Column("p99", "p99", cells.value_of("latency_p99")),
        Column("throughput", cells.RATE_UNIT, cells.rate),
        *_quality(records),
        Column("cost", "USD/million", cells.cost),
        Column("size", "size", cells.value_of("size")),
        Column("memory", "memory", cells.value_of("peak_memory")),
        Column("verdict", "verdict", cells.verdict, short_write=cells.short_verdict, numeric=False),
    ]


def _quality(records: Sequence[Record]) -> list[Column]:
    metric = next((m for record in records if (m := record.evidence.quality_metric)), None)
    if metric is None:
        return []
    header = METRIC_HEADERS.get(metric, metric)
    return [
        Column("quality", f"{header} (diff.)", cells.quality(metric)),
        Column("quality change", f"{header} change", cells.quality_change(metric)),
    ]
