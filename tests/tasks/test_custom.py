"""Custom takes data in several forms, and refuses data that could not be scored."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from pytest_infperf import Accuracy, Custom, UserError

CODE = """
    def from_folder(folder):
        return [(line, line.upper()) for line in (folder / "lines.txt").read_text().split()]

    def without_parameters():
        return ["a"], ["A"]

    def fails():
        raise KeyError("column")
"""


@pytest.fixture(autouse=True)
def _data_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "shop_data.py").write_text(dedent(CODE))
    (tmp_path / "lines.txt").write_text("a\nb\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("shop_data", None)


def read(data: Any, folder: Path = Path()) -> tuple[list[Any], list[Any]]:
    samples = Custom(data=data, metrics=["accuracy"]).samples(folder)
    return list(samples.inputs), list(samples.references)


@pytest.mark.parametrize(
    "data",
    [
        (["a", "b"], [1, 2]),
        [("a", 1), ("b", 2)],
        [{"input": "a", "reference": 1}, {"reference": 2, "input": "b", "note": "more"}],
        (np.array(["a", "b"]), np.array([1, 2])),
    ],
    ids=["columns", "pairs", "dicts", "arrays"],
)
def test_all_forms_of_data_give_the_same_samples(data: Any) -> None:
    inputs, references = read(data)
    assert inputs == ["a", "b"]
    assert references == [1, 2]
    assert {type(reference) for reference in references} == {int}


def test_rows_of_an_array_are_inputs() -> None:
    inputs, references = read((np.eye(3), np.array([0.5, 1.5, 2.5])))
    assert [row.tolist() for row in inputs] == np.eye(3).tolist()
    assert references == [0.5, 1.5, 2.5]


def test_a_function_gets_the_folder_if_it_has_a_parameter(tmp_path: Path) -> None:
    assert read("shop_data:from_folder", tmp_path) == (["a", "b"], ["A", "B"])
    assert read("shop_data:without_parameters", tmp_path) == (["a"], ["A"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("shop_data:fails", r"Custom\(data='shop_data:fails'\) raised KeyError: .*shop_data.py:9"),
        ("shop_data:missing", r"shop_data.py has no missing"),
        ("no_such_module:read", r"there is no module no_such_module.*beside suite.py"),
        ((["a", "b"], [1]), "2 inputs and 1 references"),
        ([], "empty: it needs at least one sample"),
        (([], []), "empty: it needs at least one sample"),
        ([["a", 1]], r"sample 0 has to be a tuple .* not an object of type list"),
        ([("a", 1), {"input": "b"}], r"sample 1 has to be .* and not a dict with 'input'"),
        ((("a", 1), ("b", 2)), r"a tuple of two lists .* and not a tuple of tuple, tuple"),
        ({"a": 1}, r"a tuple of two lists or arrays, .* and not a dict with 'a'"),
        ([(lambda: 1, 1)], r"input 0 cannot be pickled \(.*\)"),
        ([("a", 1), ("b", (1, 2))], r"reference 1, \(1, 2\), is not of JSON's types"),
        ([("a", float("nan"))], r"reference 0, nan, is not of JSON's types"),
        ([("a", {1: 2})], r"reference 0, \{1: 2\}, is not of JSON's types.*texts as keys"),
        ([("a", np.float32(1))], r"reference 0, .*is not of JSON's types"),
    ],
)
def test_data_that_cannot_be_scored_is_an_error(data: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        read(data, tmp_path)


def test_a_wrong_name_and_no_metric_are_errors_at_once() -> None:
    with pytest.raises(UserError, match="does not name a function"):
        Custom(data="data/reviews.csv", metrics=["accuracy"])
    with pytest.raises(UserError, match="has no metric: name at least one"):
        Custom(data=[("a", 1)], metrics=[])


def test_metrics_may_be_objects_and_the_sample_size_is_that_of_other_tasks() -> None:
    accuracy = Accuracy()
    task = Custom(data=[("a", 1)], metrics=[accuracy])
    assert task.metrics == [accuracy]
    assert task.sample_size == 200
    assert task.decoding == {}


def test_a_variant_that_needs_a_codec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Custom goes with .*Function.* such as Torch or Onnx"):
        Custom(data=[("a", 1)], metrics=["accuracy"]).codec(tmp_path)
