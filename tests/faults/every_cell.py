"""Every fault in every stage of a run. `make test-faults` runs it; `make test` does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cells import CELLS, Cell, drive


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.id)
def test_cell(cell: Cell, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    record_property("cell", cell.id)
    if cell.senseless:
        record_property("outcome", cell.senseless)
        pytest.skip(cell.senseless)
    problems = drive(cell, tmp_path / "project")
    text = "\n\n".join(map(str, problems))
    record_property("outcome", "as it should be" if not problems else problems[0].kind)
    assert not problems, text
