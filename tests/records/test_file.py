from __future__ import annotations

import errno
import json
import math
import os
import socket
import subprocess
import sys
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, strategies as st

from pytest_infperf.records import file as record_file
from pytest_infperf.records.evidence import (
    AgainstEvidence,
    Evidence,
    RepeatedBlocks,
    ServerSettings,
    VariantSettings,
)
from pytest_infperf.records.file import RecordError, from_document, json_schema, read, to_document
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord, Record, RunRecord, Verdict

finite = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(words, json_values, max_size=4)
measures = st.builds(
    Measure, finite, words, st.none() | finite, st.none() | finite, st.integers(0, 10**9)
)
gates = st.builds(GateRecord, words, words, st.sampled_from(Verdict), words, words, words)
more = st.dictionaries(words.map("more {}".format), json_values, max_size=4)
settings_of_variants = st.builds(
    VariantSettings,
    threads=st.none() | st.integers(1, 64),
    decoding=st.none() | st.dictionaries(words, st.booleans() | st.integers(0, 9) | words),
    cpus=st.none() | st.lists(st.integers(0, 63), max_size=3),
    recipe=st.none() | json_objects,
    baseline=st.none() | st.booleans(),
    confidence=st.none() | st.floats(0.5, 1),
    serving=st.none() | st.just(ServerSettings(1, 64, 1, 0.0, 30.0, 1000, None, [0], [1])),
    more=more,
)
evidence = st.builds(
    Evidence,
    doubts=st.none() | st.lists(words, max_size=3),
    contaminated_blocks=st.none() | st.builds(RepeatedBlocks, *[st.integers(0, 9)] * 3),
    against=st.none()
    | st.builds(
        AgainstEvidence,
        words,
        words,
        st.booleans(),
        changes=st.none() | st.dictionaries(words, measures, max_size=2),
        unable=st.none() | words,
    ),
    differences=st.none() | st.dictionaries(words, measures, max_size=2),
    more=more,
)
records = st.builds(
    Record,
    words,
    words,
    st.dictionaries(words, measures, max_size=4),
    st.lists(gates, max_size=3),
    settings_of_variants,
    evidence,
    st.lists(words, max_size=3),
)
runs = st.builds(
    RunRecord,
    json_objects,
    st.none() | json_objects,
    st.lists(records, max_size=3, unique_by=lambda record: (record.suite, record.variant)),
)

RUN = RunRecord(
    host={"cpu_model": "AMD EPYC", "logical_cores": 2, "governor": None},
    revision={"commit": "f" * 40, "branch": "main", "dirty": False},
    records=[
        Record(
            "translation",
            "onnx-int8",
            {"speedup": Measure(1.31, "ratio", 1.29, 1.33, 24), "size": Measure(8.03e7, "bytes")},
            [GateRecord("speedup", "min = 1.5", Verdict.FAIL, "1.31x is below 1.5x", "", "t:12")],
            VariantSettings(threads=1),
            Evidence(differences={"bleu": Measure(-0.46, "points", -0.9, -0.1, 400)}),
            ["throughput: the worker was ended by signal 9"],
        )
    ],
)


@given(runs)
def test_a_record_survives_conversion_to_a_document(run: RunRecord) -> None:
    document = to_document(run)
    jsonschema.Draft202012Validator(json_schema()).validate(document)
    assert from_document(json.loads(json.dumps(document, allow_nan=False))) == run


def test_a_record_survives_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "a new folder" / "record.json"
    record_file.write(path, RUN)
    assert read(path) == RUN
    assert [found.name for found in path.parent.iterdir()] == ["record.json"]
    assert next(iter(json.loads(path.read_text(encoding="utf-8")))) == "schema"


def test_the_committed_schema_equals_that_of_the_code() -> None:
    committed = files("pytest_infperf.records") / "record.schema.json"
    assert json.loads(committed.read_text(encoding="utf-8")) == json_schema(), (
        "run: python -m pytest_infperf.records.file > pytest_infperf/records/record.schema.json"
    )


def test_the_schema_is_valid_and_written_records_match_it(tmp_path: Path) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    path = tmp_path / "record.json"
    record_file.write(path, RUN)
    document = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    for wrong in ({**document, "schema": 2}, {**document, "extra": 1}, {"schema": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate(wrong)


def test_infinite_bounds_and_unknown_facts_become_null() -> None:
    run = RunRecord(
        {"steal_fraction": math.nan},
        None,
        [Record("s", "v", {"speedup": Measure(1.2, "ratio", -math.inf, math.inf)})],
    )
    document = to_document(run)
    assert document["host"] == {"steal_fraction": None}
    assert from_document(document).records[0].measures["speedup"] == Measure(1.2, "ratio")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_left_out_with_an_error(value: float) -> None:
    record = Record("s", "v", {"speedup": Measure(value, "ratio"), "size": Measure(1.0, "bytes")})
    written = from_document(to_document(RunRecord({}, None, [record]))).records[0]
    assert list(written.measures) == ["size"]
    assert written.errors == [f"speedup is {value} and was left out"]
    assert record.errors == []


def test_other_types_are_converted_to_jsons() -> None:
    import numpy as np

    more: dict[Any, Any] = {
        "single": np.float32(0.5),
        "count": np.int64(7),
        "flag": np.bool_(True),
        "folder": Path("models/marian"),
        "pair": (1, 2),
        "array": np.array([[1.5, math.nan]]),
        "third": Fraction(1, 4),
        "measure": Measure(1.0, "s"),
        "verdict": Verdict.PASS,
        3: "a key that is not text",
        "last words": "caf\udce9",
    }
    document = to_document(RunRecord({}, None, [Record("s", "v", evidence=Evidence(more=more))]))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["records"][0]["evidence"] == {
        "single": 0.5,
        "count": 7,
        "flag": True,
        "folder": "models/marian",
        "pair": [1, 2],
        "array": [[1.5, None]],
        "third": 0.25,
        "measure": {"value": 1.0, "unit": "s", "low": None, "high": None, "n": 1},
        "verdict": "pass",
        "3": "a key that is not text",
        "last words": "caf\\udce9",
    }


def refuse(code: int) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "the disk is full: free some space, or write the record elsewhere"),
        (errno.EROFS, "the disk is read-only: write the record elsewhere"),
        (errno.EIO, "write the record elsewhere"),
    ],
)
def test_an_error_of_the_disk_keeps_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, remedy: str
) -> None:
    path = tmp_path / "record.json"
    record_file.write(path, RUN)
    monkeypatch.setattr(os, call, refuse(code))
    with pytest.raises(RecordError) as raised:
        record_file.write(path, RunRecord({}, None))
    assert str(raised.value) == (
        f"{path}: the record was not written ({os.strerror(code)}); {remedy}"
    )
    assert read(path) == RUN
    assert [found.name for found in tmp_path.iterdir()] == ["record.json"]


def test_an_interruption_keeps_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "record.json"
    record_file.write(path, RUN)
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        record_file.write(path, RunRecord({}, None))
    assert read(path) == RUN
    assert [found.name for found in tmp_path.iterdir()] == ["record.json"]


def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    """The target may not exist yet."""
    target, link = tmp_path / "elsewhere/run.json", tmp_path / "run.json"
    link.symlink_to(target)
    for name in ("fast", "slow"):
        written = RunRecord({}, None, [Record("echo", name)])
        record_file.check_writable(link)
        record_file.write(link, written)
        assert record_file.read(target) == written
    assert link.is_symlink()
    assert [*target.parent.iterdir()] == [target]


def test_a_fifo_is_written_to(tmp_path: Path) -> None:
    fifo = tmp_path / "run.json"
    os.mkfifo(fifo)
    record_file.check_writable(fifo)
    with pytest.raises(RecordError, match="start the reader first"):
        record_file.write(fifo, RunRecord({}, None))
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    record_file.write(fifo, RunRecord({}, None))
    assert json.loads(os.read(reader, 1 << 16))["records"] == []
    os.close(reader)
    assert fifo.is_fifo()


def test_a_device_is_written_to() -> None:
    null = Path(os.devnull)
    record_file.check_writable(null)
    record_file.write(null, RunRecord({}, None))
    assert null.is_char_device()
    with pytest.raises(RecordError, match="the disk is full"):
        record_file.write(Path("/dev/full"), RunRecord({}, None))


def test_a_socket_and_a_circle_of_links_are_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name, words in (("socket", "it is a socket"), ("circle", "form a circle")):
        for refusing in (record_file.check_writable, lambda path: record_file.write_text(path, "")):
            with pytest.raises(RecordError, match=words):
                refusing(tmp_path / name)


def test_the_file_that_the_output_goes_to_is_refused(tmp_path: Path) -> None:
    """Other output would be lost with the replaced file."""
    program = (
        "from pathlib import Path; from pytest_infperf.records import file; "
        "file.check_writable(Path('/dev/stdout'))"
    )
    with (tmp_path / "output").open("w") as output:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=output, stderr=subprocess.PIPE, text=True
        )
    assert "it is the standard output" in done.stderr


def test_a_folder_of_that_name(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="this is a folder: choose a file in it"):
        record_file.write(tmp_path, RUN)
    assert tmp_path.is_dir()
    assert not list(tmp_path.iterdir())


def test_a_file_in_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(RecordError, match="a part of the path is a file"):
        record_file.write(tmp_path / "file" / "record.json", RUN)
    assert (tmp_path / "file").read_text() == "kept"


def test_an_unwritable_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", refuse(errno.EACCES))
    with pytest.raises(RecordError, match="you may not write there: choose another folder"):
        record_file.write(tmp_path / "record.json", RUN)


def test_other_users_may_read_the_file(tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    beside.write_text("")
    path = tmp_path / "record.json"
    record_file.write(path, RUN)
    assert path.stat().st_mode == beside.stat().st_mode


def changed(**changes: object) -> str:
    return json.dumps({**to_document(RUN), **changes})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Expecting value at line 1, column 1"),
        ('{"schema": 1,', "line 1, column 14"),
        ("[]", 'it has no "schema" at the top level'),
        ("{}", 'it has no "schema" at the top level'),
        (changed(schema=2), "its schema is 2, but this version of pytest-infperf reads 1"),
        (changed(schema="1"), "its schema is '1'"),
        (changed(schema=True), "its schema is True"),
        (changed(records=3), "records: Input should be a valid array"),
        (changed(record=[]), "record: Unexpected keyword argument"),
        ('{"schema": 1, "revision": null, "records": []}', "host: Field required"),
        (
            changed(records=[{"suite": "s", "variant": "v", "measures": {"size": {"unit": "s"}}}]),
            "records[0].measures.size.value: Field required",
        ),
        (
            changed(
                records=[
                    {
                        "suite": "s",
                        "variant": "v",
                        "gates": [{"measure": "m", "limit": "l", "verdict": "maybe", "why": "w"}],
                    }
                ]
            ),
            "records[0].gates[0].verdict: Input should be 'pass', 'fail', 'xfailed' or "
            "'inconclusive'",
        ),
        (changed(records=[{}] * 4), "and 3 more"),
        ('{"schema": 1, "host": {"a": NaN}}', "it contains NaN, which JSON does not have"),
        ("[" * 100_000, "decoding a JSON array"),
    ],
)
def test_a_document_that_is_not_a_record_is_an_error(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(RecordError) as raised:
        read(path)
    assert str(raised.value).startswith(f"{path}: this is not a record: ")
    assert told in str(raised.value)


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError, match="it is not UTF-8 text"):
        read(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        read(tmp_path / "record.json")


def test_unknown_entries_are_kept_beside_the_others(tmp_path: Path) -> None:
    record = Record(
        "s", "v", {}, [], VariantSettings(threads=2, more={"a": 1}), Evidence(more={"b": [None]})
    )
    document = to_document(RunRecord({}, None, [record]))
    assert document["records"][0]["settings"] == {"threads": 2, "a": 1}
    assert document["records"][0]["evidence"] == {"b": [None]}
    assert from_document(document).records == [record]
