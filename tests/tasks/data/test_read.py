"""Test data of every form gives the same rows, and one message names the place of bad data."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pytest_infperf import (
    HubDataset,
    ImageClassification,
    SpeechRecognition,
    Task,
    TextClassification,
    UserError,
)
from pytest_infperf.tasks.data import Data, read

ROWS = [{"text": 'one, "two"', "label": "a"}, {"text": "drei\nvier ü", "label": "b"}]
COLUMNS = ("text", "label")
CSV = 'label,text\na,"one, ""two"""\nb,"drei\nvier ü"\n'


def separated_by(delimiter: str) -> bytes:
    return (
        CSV.replace("l,", f"l{delimiter}")
        .replace("\na,", f"\na{delimiter}")
        .replace("\nb,", f"\nb{delimiter}")
        .encode()
    )


def parquet_bytes(folder: Path) -> bytes:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(ROWS), folder / "made.parquet")
    return (folder / "made.parquet").read_bytes()


FILES: dict[str, Callable[[Path], bytes]] = {
    "data.csv": lambda _: CSV.encode(),
    "bom.csv": lambda _: CSV.replace('"""\n', '"""\r\n').encode("utf-8-sig"),
    "semicolons.CSV": lambda _: separated_by(";"),
    "blank.csv": lambda _: CSV.replace("\na,", "\n\n,\na,").encode(),
    "data.tsv": lambda _: separated_by("\t"),
    "data.csv.gz": lambda _: gzip.compress(CSV.encode()),
    "data.jsonl": lambda _: "\n\n".join(map(json.dumps, ROWS)).encode(),
    "data.ndjson": lambda _: "\r\n".join(map(json.dumps, ROWS)).encode("utf-8-sig"),
    "rows.json": lambda _: json.dumps(ROWS).encode(),
    "columns.json": lambda _: json.dumps({n: [row[n] for row in ROWS] for n in COLUMNS}).encode(),
    "nested.json": lambda _: json.dumps({"version": 2, "tags": ["x"], "data": ROWS}).encode(),
    "data.parquet": parquet_bytes,
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name](tmp_path))
    table = read(name, tmp_path, COLUMNS)
    assert table.texts("text") == [row["text"] for row in ROWS]
    assert table.labels("label") == ["a", "b"]


def frame() -> Any:
    import pandas

    return pandas.DataFrame(ROWS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ROWS,
        lambda: {name: [row[name] for row in ROWS] for name in COLUMNS},
        lambda: frame,
        frame,
        lambda: lambda: iter(ROWS),
    ],
)
def test_values_and_functions_give_the_same_rows(tmp_path: Path, make: Callable[[], Data]) -> None:
    table = read(make(), tmp_path, COLUMNS)
    assert [dict(row) for row in table.rows] == ROWS


def test_a_function_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop_data.py").write_text(
        "def rows(): return [{'text': 'a'}]\ndef broken(): raise KeyError('shelf')\nnumber = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert read("shop_data:rows", tmp_path, ["text"]).texts("text") == ["a"]
    with pytest.raises(UserError, match=r"shop_data:broken: the function raised KeyError"):
        read("shop_data:broken", tmp_path, ["text"])
    for name, words in (
        ("number", "has a number that is not callable"),
        ("rws", r"has no rws; did you mean rows\?"),
    ):
        with pytest.raises(UserError, match=words):
            read(f"shop_data:{name}", tmp_path, ["text"])
    with pytest.raises(UserError, match="there is no module no_such_module_here"):
        read("no_such_module_here:rows", tmp_path, ["text"])
    sys.modules.pop("shop_data")


def test_a_function_beside_the_suite_is_named_without_its_package(tmp_path: Path) -> None:
    (tmp_path / "rows.py").touch()
    task = TextClassification(data="rows:load")
    assert task.beside(tmp_path, "suites.own").data == "suites.own.rows:load"
    for data in ("other:load", "rows.csv", [{"text": "a"}]):
        task = TextClassification(data=data)
        assert task.beside(tmp_path, "suites.own") == task


@pytest.mark.parametrize(
    ("task", "extras"),
    [
        (TextClassification(data="a.csv"), ()),
        (TextClassification(data="a.parquet"), ("data",)),
        (SpeechRecognition(data=HubDataset("calls")), ("data", "speech")),
        (ImageClassification(data="photos"), ("vision",)),
        (ImageClassification(images="a", labels="b"), ()),
    ],
)
def test_a_task_names_the_extras_that_its_data_needs(task: Task, extras: tuple[str, ...]) -> None:
    assert task.extras == extras


def test_a_dataset_names_its_classes(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        text=datasets.Value("string"), label=datasets.ClassLabel(names=["neg", "pos"])
    )
    rows = {"text": ["good", "bad"], "label": [1, 0]}
    folder = tmp_path / "reviews"
    folder.mkdir()
    datasets.Dataset.from_dict(rows, features).to_parquet(folder / "test-00000-of-00001.parquet")
    table = read(HubDataset("reviews", split="test[:1]"), tmp_path, COLUMNS)
    assert (table.texts("text"), table.labels("label")) == (["good"], ["pos"])
    with pytest.raises(UserError, match=r"cannot read the split 'dev' of the dataset reviews"):
        read(HubDataset("reviews", split="dev"), tmp_path, COLUMNS)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "a.csv",
            "text,label\none,a\ntwo\n",
            r"a\.csv:3: the row has 1 fields, but the header has 2",
        ),
        ("a.csv", "text,label\none,a,b\n", r"a\.csv:2: the row has 3 fields.*separated by ','"),
        ("a.csv", 'text,label\n"one\ntwo",a\n"x"y,b\n', r"a\.csv:4: .*double quote"),
        ("a.csv", 'text,label\none,a\n"two,b\nthree,c\n', r"a\.csv:3: unexpected end of data"),
        ("a.csv", "text,text\none,a\n", r"a\.csv:1: two columns are named 'text'"),
        ("a.csv", "txt,label\none,a\n", r"no column 'text'; did you mean 'txt'\?"),
        ("a.csv", "id,label\n1,a\n", r"no column 'text'; there are 'id', 'label'"),
        ("a.csv", "text,label\n", r"a\.csv has no rows"),
        ("a.csv", " \n", r"a\.csv is empty"),
        ("a.tsv", "text\tlabel\n\ta\n\t\tb\n", r"a\.tsv:3: the row has 3 fields"),
        ("a.jsonl", '{"text": "a"}\n{"text": 1e\n', r"a\.jsonl:2: write an object"),
        (
            "a.jsonl",
            '{"text": "a"}\n[1]\n',
            r"a\.jsonl:2: a row must be an object .* not list \[1\]",
        ),
        ("a.jsonl", '{"text": "a"}\n{"label": "b"}\n', r"a\.jsonl:2: 'text' is missing"),
        (
            "a.jsonl",
            '{"text": "a"}\n{"text": {}}\n',
            r"a\.jsonl:2: 'text' must be a text",
        ),
        ("a.json", '[{"text": "a"},\n}', r"a\.json:2: it is not valid JSON"),
        ("a.json", '"text"', r"must be rows or columns"),
        ("a.json", "[]", r"has no rows"),
        ("a.json", '{"text": ["a"], "label": []}', r"'text' has 1, 'label' has 0"),
        ("a.json", '{"text": "a", "label": "b"}', r"it must be a list of objects"),
        ("a.json", "[" * 100_000, r"it is not valid JSON"),
        ("a.txt", "one\n", r"the format of the test data .*a\.txt is unknown"),
        ("a.parquet", "PAR1", r"cannot read the test data .*a\.parquet"),
        ("a.csv.gz", "text\n", r"cannot read the test data .*a\.csv\.gz"),
    ],
)
def test_bad_data_is_named_with_its_place(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=words):
        read(name, tmp_path, ["text"]).texts("text")


def test_a_missing_file_is_named_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text(CSV)
    with pytest.raises(UserError, match=r"there is no test data .*reviws\.csv; did you mean rev"):
        read("reviws.csv", tmp_path, COLUMNS)
    with pytest.raises(UserError, match=r"there is no folder .*nowhere"):
        read("nowhere/reviews.csv", tmp_path, COLUMNS)
    with pytest.raises(UserError, match="is a folder"):
        read(".", tmp_path, COLUMNS)


def test_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text\neins\nfünf\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"a\.csv:3: it is not UTF-8 .*save it as UTF-8"):
        read("a.csv", tmp_path, ["text"])


@pytest.mark.parametrize("values", ["text", [1], {"text": 3}, [{"text": None}], [{"text": [1]}]])
def test_values_of_another_form_are_refused(tmp_path: Path, values: Any) -> None:
    with pytest.raises(UserError):
        read(lambda: values, tmp_path, ["text"]).texts("text")


@pytest.mark.parametrize(
    ("label", "expected"),
    [("a", "a"), (3, "3"), (2.0, "2"), (True, "1"), (["a", 1], ["a", "1"]), ((), [])],
)
def test_labels_are_texts(tmp_path: Path, label: object, expected: object) -> None:
    assert read([{"label": label}], tmp_path, ["label"]).labels("label") == [expected]


@pytest.mark.parametrize("label", [None, float("nan"), 1.5, "", " ", {}])
def test_a_value_that_is_not_a_label_is_refused(tmp_path: Path, label: object) -> None:
    with pytest.raises(UserError, match="row 1: 'label'"):
        read([{"label": label}], tmp_path, ["label"]).labels("label")


def test_a_column_for_each_label_must_be_true_or_false(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,0\n2,1\n")
    with pytest.raises(UserError, match=r"a\.csv:3: 'x' must be 1 or 0 .*not '2'"):
        read("a.csv", tmp_path, ("x", "y")).labels(("x", "y"))


@pytest.mark.parametrize(
    "name", [name for name in FILES if name not in ("bom.csv", "data.ndjson", "blank.csv")]
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_file_is_read_or_refused_by_its_name(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    content = bytearray(FILES[name](tmp_path))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["cut", "change", "insert", "delete"])):
            case "cut":
                del content[at + 1 :]
            case "change":
                content[at] = data.draw(st.integers(0, 255))
            case "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=4))
            case "delete" if len(content) > 1:
                del content[at]
    (tmp_path / name).write_bytes(content)
    complaint = complaint_about(tmp_path, name)
    assert not complaint or name in complaint


def complaint_about(folder: Path, name: str) -> str:
    """Return why a file is refused; empty if all its rows have a text and a label."""
    try:
        table = read(name, folder, COLUMNS)
        assert len(table.texts("text")) == len(table.labels("label"))
    except UserError as error:
        return str(error)
    return ""


def test_a_misspelt_column_of_a_semicolon_table_is_the_one_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a;b;y\n"x; y";w1, so;neutral\n')
    table = read("a.csv", tmp_path, ["a", "b", "label"])
    assert table.texts("a") == ["x; y"]
    with pytest.raises(UserError, match=r"has no column 'label'; there are 'a', 'b', 'y'"):
        table.labels("label")
