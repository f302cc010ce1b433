"""Texts and lines of test data files."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path

from pytest_infperf.errors import UserError
from pytest_infperf.repository import lfs


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark; `.gz` is decompressed.

    Raises
    ------
    UserError
        If the file cannot be read, is empty, or is a Git LFS pointer.
    """
    try:
        content = path.read_bytes()
        if lfs.is_pointer(path):
            raise UserError(f"cannot read the test data: {lfs.fetch_it(path)}")
        if path.name.lower().endswith(".gz"):
            content = gzip.decompress(content)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"cannot read the test data {path}:{line}: it is not UTF-8 ({error}): save it as UTF-8"
        ) from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"cannot read the test data {path}: {error}") from error
    if not text.strip():
        raise UserError(f"the test data {path} is empty: it needs at least one sample")
    return text


def read_lines(path: Path) -> list[str]:
    r"""Return the lines of a UTF-8 file.

    Lines end at \n, \r\n or \r. Other Unicode separators, such as U+2028 and U+0085, do not end a
    line, because they occur within sentences.

    Raises UserError as `read_text` does.
    """
    text = io.StringIO(read_text(path), newline=None).read()
    return text.removesuffix("\n").split("\n")


def read_parallel(paths: Sequence[Path]) -> list[list[str]]:
    """Return the lines of parallel files.

    Trailing lines that are blank in all files are removed.

    Raises UserError if a file cannot be read or is empty, or if files have different numbers of
    lines.
    """
    files = [read_lines(path) for path in paths]
    count = max(map(_written, files))
    for path, lines in zip(paths, files, strict=True):
        if len(lines) < count:
            longest = max(range(len(paths)), key=lambda i: _written(files[i]))
            raise UserError(
                f"{paths[longest]} has {_written(files[longest]):,} lines, but {path} has "
                f"{len(lines):,}: line i of one must translate line i of the other"
            )
    return [lines[:count] for lines in files]


def _written(lines: Sequence[str]) -> int:
    """Return the number of lines without trailing blank lines."""
    return max((number for number, line in enumerate(lines, 1) if line.strip()), default=0)
