"""The table of docs/reliability.md: the outcome of each fault in each stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.faults.cells import Cell
from tests.faults.faults import FAULTS
from tests.faults.stages import STAGES

BEGIN = "<!-- table: written by `make test-faults` -->"
END = "<!-- end of the table -->"
RIGHT = "as it should be"


def table(outcomes: Mapping[str, str]) -> str:
    """Return the table in Markdown, with a note for each outcome that is not the right one.

    `outcomes` has the outcome of each cell by its id.
    """
    notes: list[str] = []

    def mark(outcome: str) -> str:
        if outcome == RIGHT:
            return "✓"
        if outcome not in notes:
            notes.append(outcome)
        return f"[{notes.index(outcome) + 1}]"

    rows = [
        " | ".join([fault.name, *(mark(outcomes[Cell(stage, fault).id]) for stage in STAGES)])
        for fault in FAULTS
    ]
    head = " | ".join(["fault", *(stage.name for stage in STAGES)])
    lines = [head, "|".join("---" for _ in range(len(STAGES) + 1)), *rows]
    numbered = [f"- [{number}] {note}" for number, note in enumerate(notes, 1)]
    return "\n".join([*(f"| {line} |" for line in lines), "", *numbered])


def write_table(page: Path, outcomes: Mapping[str, str]) -> None:
    """Replace the table of the page."""
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    text = f"{before}{BEGIN}\n{table(outcomes).rstrip()}\n{END}{after}"
    page.write_text(text, encoding="utf-8")
