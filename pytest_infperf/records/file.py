"""Records on disk: writing and reading the file of `--infperf-json`, and its JSON Schema.

`python -m pytest_infperf.records.file` prints the schema, the content of record.schema.json.
Importing pydantic takes a tenth of a second, so this module is imported only to handle a file.
"""

from __future__ import annotations

import errno
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from numbers import Integral, Real
from pathlib import Path
from textwrap import indent
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pytest_infperf.errors import UserError
from pytest_infperf.host.files import is_stream, link_target, write_atomically, write_to_stream
from pytest_infperf.records.evidence import Entries, Evidence, VariantSettings
from pytest_infperf.records.record import Record, RunRecord

_RUN = TypeAdapter(RunRecord)
_SHOWN_FAULTS = 5
_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space, or write the record elsewhere",
    errno.EDQUOT: "the disk quota is used up: free some space, or write the record elsewhere",
    errno.EROFS: "the disk is read-only: write the record elsewhere",
    errno.EACCES: "you may not write there: choose another folder",
    errno.EPERM: "you may not write there: choose another folder",
    errno.EISDIR: "this is a folder: choose a file in it",
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
    errno.EEXIST: "a part of the path is a file: choose another folder",
    errno.EINVAL: "choose a file, a FIFO or a character device",
    errno.ELOOP: "its symbolic links form a circle: choose another file",
    errno.ENXIO: "no process reads from that FIFO: start the reader first",
}


class RecordError(UserError):
    """A record could not be written or read; the message names the file and the remedy."""


def write(path: Path, run: RunRecord) -> None:
    """Write the record of a run. An existing file remains until the new one is complete.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    write_text(path, run_text(run, map(record_text, run.records)))


def record_text(record: Record) -> str:
    """Return the text of one record in the file of its run."""
    return _dumps(in_json(_without_non_finite(record)))


def run_text(run: RunRecord, records: Iterable[str]) -> str:
    """Return the text of a run's file from the texts of its records."""
    document = to_document(replace(run, records=[]))
    texts = ",\n".join(indent(text, "    ") for text in records)
    inner = f"[\n{texts}\n  ]" if texts else "[]"
    return f"{_dumps(document).removesuffix(_NO_RECORDS)}{inner}\n}}\n"


_NO_RECORDS = "[]\n}"


def _dumps(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file of a run. An existing file remains until the new one is complete.

    Symbolic links are followed. A FIFO or a character device is written to, not replaced.

    Parameters
    ----------
    path : Path
        The file.
    text : str
        The content.
    durable : bool, default True
        Whether the content is on the disk when this function returns. If False, it can be lost in a
        power failure, but not at the end of the process.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    with _explained(path):
        if is_stream(path):
            write_to_stream(path, text)
            return
        target = link_target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, text, durable=durable)


def is_written_once(path: Path) -> bool:
    """Return whether a file can be written only once, because it is a FIFO or a device."""
    with _explained(path):
        return is_stream(path)


def withdraw(path: Path, *, keep: bool) -> str:
    """Rename an outdated file of a run to `NAME.incomplete`, or remove it.

    Both are possible on a full disk.

    Parameters
    ----------
    path : Path
        The file.
    keep : bool
        Whether to rename the file, because it is from this run, instead of removing it.

    Returns
    -------
    str
        The result as the end of a message; empty if there is no such file.
    """
    target = link_target(path)
    incomplete = target.with_name(f"{target.name}.incomplete")
    if not target.is_file():
        return ""
    try:
        if not keep:
            target.unlink()
            return "; the file of an earlier run was removed"
        os.replace(target, incomplete)
    except OSError as error:
        return f"; an outdated file remains there ({error.strerror or error})"
    return f"; the earlier content is in {incomplete}"


def check_writable(path: Path) -> None:
    """Check that `write` can write the file, before a run measures.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    with _explained(path):
        if is_stream(path):
            # Opening and closing a FIFO would end its reader.
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        target = link_target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Convert an OSError into a RecordError with a remedy."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "write the record elsewhere")
        reason = error.strerror or str(error)
        raise RecordError(f"{path}: the record was not written ({reason}); {remedy}") from error


def read(path: Path) -> RunRecord:
    """Read the record of a run.

    Raises
    ------
    RecordError
        If the file cannot be read or is not a record; the message lists the first errors.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise RecordError(f"{path}: the record cannot be read ({reason})") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: this is not a record: it is not UTF-8 text") from error
    try:
        return from_document(json.loads(text, parse_constant=_refuse_constant))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RecordError(f"{path}: this is not a record: {error.msg} at {where}") from error
    except (ValueError, RecursionError, RecordError) as error:
        raise RecordError(f"{path}: this is not a record: {error}") from error


def to_document(run: RunRecord) -> dict[str, Any]:
    """Return the record as a document in JSON's types.

    JSON has neither infinity nor NaN. A bound that is not finite becomes null. A measure that is
    not finite is left out, and an error is added to its record.
    """
    records = [in_json(_without_non_finite(record)) for record in run.records]
    return {
        "schema": run.schema,
        "host": in_json(run.host),
        "revision": in_json(run.revision),
        "against": in_json(run.against),
        "when": run.when,
        "time_s": in_json(run.time_s),
        "records": records,
    }


def from_document(document: object) -> RunRecord:
    """Return the record in a document in JSON's types.

    Raises
    ------
    RecordError
        If the document is not a record; the message lists the first errors with their paths.
    """
    if not isinstance(document, dict) or document.get("schema") is None:
        raise RecordError('it has no "schema" at the top level')
    version = document["schema"]
    if type(version) is not int or version != 1:
        raise RecordError(
            f"its schema is {version!r}, but this version of pytest-infperf reads 1; "
            "read it with the version that wrote it, or measure again"
        )
    try:
        run = _RUN.validate_json(json.dumps(_with_more(document)), strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        messages = [
            f"{_json_path(fault['loc'])}: {fault['msg']}" for fault in faults[:_SHOWN_FAULTS]
        ]
        if len(faults) > _SHOWN_FAULTS:
            messages.append(f"and {len(faults) - _SHOWN_FAULTS} more")
        raise RecordError("; ".join(messages)) from error
    _check_time_and_names(run)
    return run


def _check_time_and_names(run: RunRecord) -> None:
    """Raise RecordError for a time that is not ISO 8601, or a variant with two records."""
    try:
        if run.when:
            datetime.fromisoformat(run.when)
    except ValueError:
        raise RecordError(f"when: {run.when!r} is not a time in ISO 8601") from None
    names = set()
    for i, record in enumerate(run.records):
        name = record.suite, record.variant
        if name in names:
            raise RecordError(
                f"records[{i}]: there is another record of {record.suite}[{record.variant}]"
            )
        names.add(name)


def _with_more(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with unknown entries moved to the key `more`."""
    records = document.get("records")
    if not isinstance(records, list):
        return dict(document)
    return {**document, "records": [_record_with_more(record) for record in records]}


def _record_with_more(record: object) -> object:
    if not isinstance(record, dict):
        return record
    split = {}
    for name, part in (("settings", VariantSettings), ("evidence", Evidence)):
        entries = record.get(name)
        if isinstance(entries, dict):
            known = {field.name for field in fields(part)} - {"more"}
            more = {key: value for key, value in entries.items() if key not in known}
            split[name] = {**{key: entries[key] for key in entries.keys() & known}, "more": more}
    return {**record, **split}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a run's record, the content of record.schema.json."""
    schema = _RUN.json_schema()
    for part in (VariantSettings, Evidence):
        definition = schema["$defs"][part.__name__]
        del definition["properties"]["more"]
        definition["additionalProperties"] = True
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "required": ["schema", "host", "revision", "records"],
    }


def _without_non_finite(record: Record) -> Record:
    non_finite = {
        name: measure.value
        for name, measure in record.measures.items()
        if not math.isfinite(measure.value)
    }
    if not non_finite:
        return record
    messages = [f"{name} is {value} and was left out" for name, value in non_finite.items()]
    return Record(
        suite=record.suite,
        variant=record.variant,
        measures={
            name: measure for name, measure in record.measures.items() if name not in non_finite
        },
        gates=record.gates,
        settings=record.settings,
        evidence=record.evidence,
        errors=[*record.errors, *messages],
    )


def in_json(value: object) -> Any:
    """Return a value in JSON's types; values of other types become `str(value)`."""
    match value:
        case None | bool():
            return value
        case str():
            # The last output of a worker may contain bytes that are not text.
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case Integral():
            return int(value)
        case Real():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(in_json(key)): in_json(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [in_json(item) for item in value]
    if isinstance(value, Entries):
        return in_json(value.entries())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: in_json(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "tolist"):  # an array of numpy or torch
        return in_json(value.tolist())
    return in_json(str(value))


def _json_path(parts: tuple[int | str, ...]) -> str:
    """Return the path of a value, such as records[3].measures.size."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".") or "the file"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it contains {name}, which JSON does not have")


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))
