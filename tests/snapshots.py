"""Snapshots of long texts, one file each: a change of output shows as a diff of its lines.

`pytest --snapshot-update` rewrites them, also with `-n`.
"""

from __future__ import annotations

from typing import Any

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode


class TextFile(SingleFileSnapshotExtension):
    """A text file in `__snapshots__` beside the tests.

    No line ends with spaces, the last one ends with a line break, and the escape character of
    terminals is written as its symbol.
    """

    _write_mode = WriteMode.TEXT
    file_extension = "txt"

    def serialize(self, data: str, **_: Any) -> str:
        lines = (line.rstrip() for line in data.replace("\x1b", "␛").split("\n"))
        return "\n".join(lines).rstrip("\n") + "\n"
