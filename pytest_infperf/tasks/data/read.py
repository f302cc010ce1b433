"""Reading of test data: files, datasets, and values in the suite."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Self

from pytest_infperf.errors import UserError
from pytest_infperf.repository import lfs
from pytest_infperf.suite import functions
from pytest_infperf.tasks.data.hub import HubDataset
from pytest_infperf.tasks.data.lines import read_text
from pytest_infperf.tasks.data.table import Table, table_of, table_of_columns

Data = (
    str | HubDataset | Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]] | Callable[[], Any]
)
"""A file, `module:function`, a dataset, rows, columns, or a function that returns rows or columns.
"""

_DELIMITERS = (",", ";", "\t", "|")


def read(data: Data, folder: Path, columns: Collection[str]) -> Table:
    """Return the rows of test data.

    Parameters
    ----------
    data : Data
        The test data. A file is relative to `folder`; its suffix determines the format: `.jsonl`
        (or `.ndjson`), `.json`, `.csv`, `.tsv` or `.parquet`, the text formats also with `.gz`.
    folder : Path
        The folder of the suite.
    columns : collection of str
        The columns that will be used; they help to detect the delimiter of a CSV file.

    Raises
    ------
    UserError
        If the data cannot be read; the message names the file, the line and the remedy.
    """
    if isinstance(data, HubDataset):
        return data.table(folder)
    if isinstance(data, str):
        if not functions.is_name(data) or (folder / data).exists():
            return _read_file(folder / data, columns)
        function = functions.imported(data, f"data={data!r}")
        return _from_values(_result(function, data), data, folder)
    if callable(data):
        name = getattr(data, "__qualname__", type(data).__name__)
        return _from_values(_result(data, name), name, folder)
    return _from_values(data, "in the suite", folder)


class ReadsData:
    """Mixin for tasks whose test data can be the name of a function.

    The name of a module beside suite.py needs no package, also in workers.
    """

    sources: ClassVar[Sequence[str]] = ("data",)
    """The fields with test data."""

    @property
    def extras(self) -> tuple[str, ...]:
        return ("data",) if any(map(_needs_extra, self._data().values())) else ()

    def beside(self, folder: Path, package: str) -> Self:
        task: Any = self  # a dataclass
        named = {
            source: functions.beside(data, folder, package)
            for source, data in self._data().items()
            if isinstance(data, str) and functions.is_name(data)
        }
        beside: Self = replace(task, **named)
        return beside

    def _data(self) -> dict[str, Any]:
        return {source: getattr(self, source) for source in self.sources}


@dataclass(frozen=True, kw_only=True)
class ReadsCalibration(ReadsData):
    """Mixin for tasks with models that can be calibrated for static int8."""

    calibration: Data | None = None

    def calibration_inputs(self, folder: Path) -> Sequence[Any] | None:
        if self.calibration is None:
            return None
        calibrating: Any = replace(self, **{self.sources[0]: self.calibration})
        inputs: Sequence[Any] = calibrating.samples(folder).inputs
        return inputs

    def _data(self) -> dict[str, Any]:
        return {**super()._data(), "calibration": self.calibration}


def _needs_extra(data: Any) -> bool:
    is_file = isinstance(data, str) and data.lower().endswith(".parquet")
    return is_file or isinstance(data, HubDataset)


def require_file(path: Path) -> None:
    """Raise UserError if a file of test data does not exist."""
    if not path.exists():
        raise UserError(f"there is no test data {path}{_others(path)}")
    if path.is_dir():
        raise UserError(f"the test data {path} is a folder: name a file in it")


def _read_file(path: Path, columns: Collection[str]) -> Table:
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    require_file(path)
    if suffix == ".parquet":
        return _read_parquet(path)
    if suffix not in (".jsonl", ".ndjson", ".json", ".csv", ".tsv"):
        raise UserError(
            f"the format of the test data {path} is unknown: use a .jsonl, .json, .csv, .tsv or "
            ".parquet file (for TokenClassification also a CoNLL file with the column numbers, "
            "such as words=0, tags=-1), or read the file in a function and set data=FUNCTION"
        )
    text = read_text(path)
    match suffix:
        case ".csv" | ".tsv":
            delimiter = "\t" if suffix == ".tsv" else _delimiter(text, columns)
            rows, lines = _csv_rows(path, text, delimiter)
        case ".json":
            return _from_json(path, text)
        case _:
            rows, lines = _json_rows(path, text)
    return table_of(str(path), rows, lambda i: f"{path}:{lines[i]}", path.parent)


def _delimiter(text: str, columns: Collection[str]) -> str:
    """Return the delimiter that finds the most of `columns`, then the most columns, in line 1."""
    first_line = text.lstrip("\r\n").splitlines()[0]

    def found(delimiter: str) -> tuple[int, int]:
        header = [name.strip() for name in next(csv.reader([first_line], delimiter=delimiter), [])]
        return len({*columns} & {*header}), len(header)

    return max(_DELIMITERS, key=found)


def _csv_rows(path: Path, text: str, delimiter: str) -> tuple[list[dict[str, str]], list[int]]:
    """Return the rows of a file with a header, and the first line of each row."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    records = _csv_records(path, text, delimiter)
    try:
        line, header = next(records)
    except StopIteration:
        raise UserError(f"the test data {path} has no header: name the columns in line 1") from None
    names = [name.strip() for name in header]
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{path}:{line}: two columns are named {twice!r}")
    rows, lines = [], []
    for line, record in records:
        if len(record) != len(names):
            raise UserError(
                f"{path}:{line}: the row has {len(record)} fields, but the header has "
                f"{len(names)} columns; fields are separated by {delimiter!r}, and a field that "
                "contains one must be in double quotes"
            )
        rows.append(dict(zip(names, record, strict=True)))
        lines.append(line)
    return rows, lines


def _csv_records(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line and the fields of each record that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for record in reader:
            if any(field.strip() for field in record):
                yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{path}:{line}: {error}; write a double quote within a quoted field twice"
        ) from error


def _json_rows(path: Path, text: str) -> tuple[list[Any], list[int]]:
    """Return the object in each line that is not blank, and the line number."""
    rows, lines = [], []
    for line, written in enumerate(io.StringIO(text, newline=None), 1):
        if not written.strip():
            continue
        try:
            rows.append(json.loads(written))
        except (ValueError, RecursionError) as error:
            raise UserError(
                f'{path}:{line}: write an object such as {{"text": ...}} on each line ({error})'
            ) from error
        lines.append(line)
    return rows, lines


def _from_json(path: Path, text: str) -> Table:
    """Return the rows of a list of objects, of columns, or of an object with a list of objects."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: it is not valid JSON ({error.msg})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: it is not valid JSON ({error})") from error
    if isinstance(document, dict):
        tables = [v for v in document.values() if isinstance(v, list) and v and _are_rows(v)]
        if len(tables) == 1:
            document = tables[0]
        elif not all(isinstance(cells, list) for cells in document.values()):
            raise UserError(
                f"{path}: it must be a list of objects, an object with a list for each column, or "
                "an object with one list of objects"
            )
    return _from_values(document, str(path), path.parent)


def _are_rows(values: Iterable[Any]) -> bool:
    return all(isinstance(value, Mapping) for value in values)


def _read_parquet(path: Path) -> Table:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise UserError(f'reading {path} needs: pip install "pytest-infperf[data]"') from error
    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, ValueError, ArrowException) as error:
        reason = lfs.fetch_it(path) if lfs.is_pointer(path) else str(error)
        raise UserError(f"cannot read the test data {path}: {reason}") from error
    return table_of(str(path), rows, lambda i: f"{path}, row {i + 1}", path.parent)


def _from_values(values: Any, source: str, folder: Path) -> Table:
    if hasattr(values, "to_dict") and hasattr(values, "columns"):  # pandas.DataFrame
        values = values.to_dict("records")
    if isinstance(values, Mapping):
        return table_of_columns(source, values, folder)
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise UserError(
            f"the test data {source} must be rows or columns: a list of dictionaries, or a "
            f"dictionary of lists, not {type(values).__name__}"
        )
    return table_of(source, list(values), lambda i: f"{source}, row {i + 1}", folder)


def _result(function: Callable[[], Any], name: str) -> Any:
    try:
        return function()
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"the test data {name}: the function raised {functions.described(error)}"
        ) from error


def _others(path: Path) -> str:
    """Return a hint that names a similar file in the folder of a missing one."""
    if not path.parent.is_dir():
        return f": there is no folder {path.parent}"
    names = [other.name for other in path.parent.iterdir() if other.is_file()]
    near = get_close_matches(path.name, names, 1)
    return f"; did you mean {near[0]}?" if near else ""
