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
        ([["a", 1]], r"sample 0 must be a tuple .* not an object of type list"),
        ([("a", 1), {"input": "b"}], r"sample 1 must be .* not a dict with 'input'"),
        ((("a", 1), ("b", 2)), r"a tuple of two lists .* not a tuple of tuple, tuple"),
        ({"a": 1}, r"a tuple of two lists or arrays, .* not a dict with 'a'"),
        ([(lambda: 1, 1)], r"input 0 cannot be pickled \(.*\)"),
        ([("a", 1), ("b", (1, 2))], r"reference 1, \(1, 2\), does not have a JSON type"),
        ([("a", float("nan"))], r"reference 0, nan, does not have a JSON type"),
        ([("a", {1: 2})], r"reference 0, \{1: 2\}, does not have a JSON type.*str keys"),
        ([("a", np.float32(1))], r"reference 0, .*does not have a JSON type"),
    ],
)
def test_data_that_cannot_be_scored_is_an_error(data: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        read(data, tmp_path)


def test_a_wrong_name_and_no_metric_are_errors_at_once() -> None:
    with pytest.raises(UserError, match="does not name a function"):
        Custom(data="data/reviews.csv", metrics=["accuracy"])
    with pytest.raises(UserError, match="has no metric: set at least one"):
        Custom(data=[("a", 1)], metrics=[])


def test_metrics_may_be_objects_and_the_sample_size_is_that_of_other_tasks() -> None:
    accuracy = Accuracy()
    task = Custom(data=[("a", 1)], metrics=[accuracy])
    assert task.metrics == [accuracy]
    assert task.sample_size == 200
    assert task.decoding == {}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["a", "b"], "input 0 is an object of type str"),
        ([np.zeros(2), {"x": "text"}], "input 1 is a dict whose 'x' is an object of type str"),
        ([{}], "input 0 is an empty dict"),
        (
            [{"x": np.zeros(2)}, {"y": np.zeros(2)}],
            r"1 has the arrays \['y'\], but the first",
        ),
    ],
)
def test_inputs_that_are_no_arrays_are_refused_for_models(
    inputs: list[Any], message: str, tmp_path: Path
) -> None:
    task = Custom(data=(inputs, [0] * len(inputs)), metrics=["accuracy"])
    with pytest.raises(UserError, match=message):
        task.check(task.samples(tmp_path), task.codec(tmp_path))


def coded(labels: Any = None) -> Any:
    return Custom(data=[(0, 0)], metrics=["accuracy"], labels=labels).codec(Path())


def test_arrays_are_stacked_by_their_names() -> None:
    codec = coded()
    features = codec.encode([{"x": np.ones((2, 3), np.uint8), "n": 1}] * 4)
    assert {name: (a.shape, a.dtype.name) for name, a in features.items()} == {
        "x": ((4, 2, 3), "uint8"),
        "n": ((4,), "int64"),
    }
    assert codec.axes == {"x": ("batch", 2, 3), "n": ("batch",)}
    assert codec.encode([[1.0, 2.0]])["input"].tolist() == [[1, 2]]


def test_arrays_of_one_query_have_one_shape() -> None:
    with pytest.raises(
        UserError, match=r"'input' of a query have different shapes: \[2\] and \[3\].*batch=1"
    ):
        coded().encode([np.zeros(3), np.zeros(2)])


def test_outputs_are_lists_numbers_or_labels() -> None:
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [np.nan, 1]], np.float32)
    assert coded(["a", "b"]).decode(scores, {}) == ["b", "a", None]
    assert coded().decode(scores[:, 1], {}) == pytest.approx([0.9, 0.2, 1])
    assert coded().decode(np.array([[1, 2]]), {}) == [[1, 2]]
    assert coded().decode([{0: 0.25, 1: 0.75}], {}) == [{"0": 0.25, "1": 0.75}]
    with pytest.raises(
        UserError, match="returns 2 values for each sample, but labels= has 3 names"
    ):
        coded(["a", "b", "c"]).decode(scores, {})


def test_a_reference_that_is_none_of_the_labels_is_named() -> None:
    task = Custom(data=[([0.5], "idle"), ([0.7], "sprint")], metrics=["accuracy"], labels=["idle"])
    with pytest.raises(UserError, match=r"reference 1, 'sprint', is not one of labels=\['idle'\]"):
        task.check(task.samples(Path()), task.codec(Path()))
