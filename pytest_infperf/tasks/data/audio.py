"""Waveforms of recordings at the rate of a model."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.repository import lfs
from pytest_infperf.tasks.data.table import Table


def waveforms(table: Table, column: str, rate: int) -> list[Any]:
    """Return the recordings of a column as float32 from -1 to 1, shape [samples].

    A cell is a path relative to the folder of the table, the bytes of a file, an array with its
    rate, or a mapping of these as in `datasets`. Channels are averaged. Recordings at other rates
    are resampled with soxr.

    Raises
    ------
    UserError
        If the column or a cell is missing, or a recording cannot be read or is empty.
    """
    return [_waveform(cell, place, table.folder, rate) for cell, place in table.cells(column)]


def _waveform(cell: Any, place: str, folder: Path, rate: int) -> Any:
    import numpy as np

    samples, its_rate = _samples(cell, place, folder)
    samples = np.asarray(samples, np.float32)
    if samples.ndim == 2:  # [samples, channels], as soundfile returns it
        samples = samples.mean(axis=1)
    if samples.ndim != 1 or not samples.size:
        raise UserError(f"{place} is empty: a recording must have at least one sample")
    if not np.isfinite(samples).all():
        raise UserError(f"{place} has samples that are not finite")
    return samples if its_rate == rate else _resampled(samples, its_rate, rate)


def _samples(cell: Any, place: str, folder: Path) -> tuple[Any, int]:
    """Return the samples of a recording, shape [samples] or [samples, channels], and their rate."""
    if isinstance(cell, Mapping) and cell.get("array") is not None:
        return cell["array"], int(cell["sampling_rate"])
    if isinstance(cell, Mapping):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, tuple | list) and len(cell) == 2:
        return cell[0], int(cell[1])
    if isinstance(cell, bytes):
        return _decoded(io.BytesIO(cell), place)
    if isinstance(cell, str | Path):
        path = folder / cell
        if lfs.is_pointer(path):
            raise UserError(f"{place}: {lfs.fetch_it(path)}")
        if not path.is_file():
            raise UserError(f"{place}: there is no recording {path}")
        return _decoded(path, place)
    raise UserError(
        f"{place} must be a recording: a path, bytes, or a pair of samples and their rate, not "
        f"{type(cell).__name__}"
    )


def _decoded(file: Any, place: str) -> tuple[Any, int]:
    try:
        import soundfile
    except ImportError as error:
        raise UserError('reading recordings needs: pip install "pytest-infperf[speech]"') from error
    try:
        samples, rate = soundfile.read(file, dtype="float32")
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{place}: the recording cannot be read: {error}") from error
    return samples, int(rate)


def _resampled(samples: Any, rate: int, wanted: int) -> Any:
    try:
        import soxr
    except ImportError as error:
        raise UserError(
            f'resampling from {rate} to {wanted} Hz needs: pip install "pytest-infperf[speech]"'
        ) from error
    return soxr.resample(samples, rate, wanted)
