"""Tables: conversion of cells to numbers and texts, and of results to labels and numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_infperf import TabularClassification, TabularRegression, UserError

CSV = """
size,colour,code,label
1,red,007,a
2.5,blue,010,b
"""


def read(
    folder: Path, text: str = CSV, task: Any = TabularClassification, **options: Any
) -> tuple[list[Any], list[Any]]:
    (folder / "data.csv").write_text(text.lstrip("\n"))
    samples = task(data="data.csv", **options).samples(folder)
    return list(samples.inputs), list(samples.references)


def test_cells_become_numbers_or_texts(tmp_path: Path) -> None:
    inputs, references = read(tmp_path, texts=["code"])
    assert inputs == [
        {"size": 1.0, "colour": "red", "code": "007"},
        {"size": 2.5, "colour": "blue", "code": "010"},
    ]
    assert references == ["a", "b"]
    assert {type(row["size"]) for row in inputs} == {float}


def test_features_are_chosen_and_ordered(tmp_path: Path) -> None:
    inputs, references = read(
        tmp_path, task=TabularRegression, target="size", features=["code", "colour"]
    )
    assert [list(row.items()) for row in inputs] == [
        [("code", 7), ("colour", "red")],
        [("code", 10), ("colour", "blue")],
    ]
    assert references == [1.0, 2.5]


def test_truth_values_are_numbers(tmp_path: Path) -> None:
    inputs, _ = read(tmp_path, "x,label\nTrue,a\nfalse,b\n")
    assert inputs == [{"x": 1}, {"x": 0}]
    rows = [{"x": True, "y": np.float32(0.5), "label": 1}]
    assert TabularClassification(data=rows).samples(Path()).inputs == [{"x": 1, "y": 0.5}]


def test_missing_cells_are_nan_only_if_said(tmp_path: Path) -> None:
    text = "x,y,label\n1,q,a\n,,b\nNA,r,b\n"
    inputs, _ = read(tmp_path, text, missing="nan")
    assert inputs[0] == {"x": 1.0, "y": "q"}
    assert [np.isnan(row["x"]) for row in inputs] == [False, True, True]
    assert np.isnan(inputs[1]["y"])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("x,label\n1,a\n,b\n", {}, r"data.csv:3: 'x' is missing.*missing=\"nan\""),
        ("x,label\n1,a\nNA,b\n", {}, r"data.csv:3: 'x' is 'NA', but other cells .* are numbers"),
        ("x,label\n1,a\n12x,b\n", {"missing": "nan"}, r"data.csv:3: 'x' is '12x'"),
        ("x,label\n,a\n,b\n", {"missing": "nan"}, "the column 'x' of the test data .* is empty"),
        ("x,label\n1,a\n", {"label": "lable"}, "no column 'lable'; did you mean 'label'"),
        ("x,label\n1,a\n", {"features": ["x", "label"]}, "no usable features for"),
        ("label\na\n", {}, "no usable features for 'label'"),
        ("x,label\n1,a\n", {"texts": ["y"]}, "'y' is not one of the features 'x'"),
        ("x,label\n1e999,a\n", {}, "data.csv:2: 'x' must be a finite number"),
        ("x,label\n1,\n", {}, "data.csv:2: 'label' is empty"),
    ],
)
def test_tables_that_cannot_be_read(
    text: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text, **options)


def informed(task: Any) -> Any:
    return task.informed_codec(Path(), Path())


NUMBERS = [{"x": 1, "y": 2.5, "label": "a"}, {"x": 3, "y": 4.0, "label": "b"}]


def test_numbers_are_one_array_and_one_for_each_column() -> None:
    task = TabularClassification(data=NUMBERS)
    codec = informed(task)
    features = codec.encode(task.samples(Path()).inputs)
    assert codec.axes == {"features": ("batch", 2), "x": ("batch", 1), "y": ("batch", 1)}
    assert features["features"].tolist() == [[1, 2.5], [3, 4]]
    assert features["features"].dtype == np.float32
    assert features["x"].tolist() == [[1], [3]]
    assert {name: features[name].dtype.name for name in "xy"} == {"x": "int64", "y": "float64"}
    assert [*features] == ["features", "x", "y"]
    assert features.selected(["y", "x"]).tolist() == [[2.5, 1], [4, 3]]
    assert "z" not in features


def test_texts_are_columns() -> None:
    rows = [{"x": 1, "y": None, "label": "a"}, {"x": 3, "y": "blue", "label": "b"}]
    codec = informed(TabularClassification(data=rows, missing="nan"))
    features = codec.encode([{"x": 3, "y": "blue"}])
    assert codec.axes == {"x": ("batch", 1), "y": ("batch", 1)}
    assert features["y"].tolist() == [["blue"]]
    assert features.matrix is None


def decoded(results: Any, data: Any = ("a", "b"), **options: Any) -> list[Any]:
    rows = [{"x": 1, "label": label} for label in data]
    return list(informed(TabularClassification(data=rows, **options)).decode(results, {}))


@pytest.mark.parametrize(
    ("results", "labels", "options"),
    [
        (np.array(["b", "a"], object), ["b", "a"], {}),
        (np.array([2, 1]), ["2", "1"], {"data": [1, 2]}),
        (np.array([[2], [1]], np.int64), ["2", "1"], {"data": [1, 2]}),
        (np.array([2.0, np.nan]), ["2", None], {"data": [1, 2]}),
        (np.array([[0.1, 0.9], [0.8, 0.2]]), ["1", "0"], {"data": [1, 0]}),
        (np.array([[0.1, 0.9], [np.nan, 0.2]]), ["b", None], {"classes": ["a", "b"]}),
        (np.array([1, 0]), ["b", "a"], {"classes": ["a", "b"]}),
        (np.array([[0.7], [0.2]]), ["b", "a"], {"classes": ["a", "b"], "threshold": 0.5}),
        ([{"a": 0.9, "b": 0.1}, {"a": 0.2, "b": np.nan}], ["a", None], {}),
        ([{1: 0.9, 2: 0.1}], ["1"], {"data": [1, 2]}),
        (np.array([1.0, 0.0]), ["1", "0"], {"data": [True, False]}),
    ],
)
def test_answers_become_labels(results: Any, labels: Any, options: dict[str, Any]) -> None:
    assert decoded(results, **options) == labels


@pytest.mark.parametrize(
    ("results", "message", "options"),
    [
        (
            np.array([[0.1, 0.9]]),
            r"the labels 'a', 'b': name the classes .* classes=\['a', 'b'\]",
            {},
        ),
        (np.array([1]), r"class numbers, such as 1, .* classes=\['a', 'b'\]", {}),
        (np.array([[0.1, 0.9]]), r"classes=\['1', '2'\]", {"data": [1, 2]}),
        (np.array([0.3]), "such as 0.3, which is not a label: .*threshold=0.5", {}),
        (np.array([[0.1, 0.2, 0.7]]), "returns 3 classes, but", {"classes": ["a", "b"]}),
        (np.array([2]), "returns class 2, but", {"classes": ["a", "b"]}),
        (np.zeros((1, 2, 3)), r"the shape \[1, 2, 3\]", {}),
    ],
)
def test_answers_that_cannot_be_labels(results: Any, message: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=message):
        decoded(results, **options)


def test_the_data_has_a_label_that_is_no_class() -> None:
    with pytest.raises(UserError, match=r"labels 'b', which are not in classes=\['a', 'c'\]"):
        decoded([], classes=["a", "c"])


def test_answers_of_a_regression() -> None:
    codec = informed(TabularRegression(data=NUMBERS, target="y", features=["x"]))
    assert codec.decode(np.array([[1.5], [np.inf]]), {}) == [1.5, None]
    assert codec.decode(np.array([1, 2]), {}) == [1.0, 2.0]
    with pytest.raises(UserError, match=r"the shape \[1, 2\] and the type float64: a regression"):
        codec.decode(np.zeros((1, 2)), {})


def test_rows_are_served() -> None:
    task = TabularClassification(data=NUMBERS)
    codec = informed(task)
    payload = task.payload(codec)
    request = payload.ask(task.samples(Path()).inputs)
    assert request.model_dump() == {"instances": [{"x": 1, "y": 2.5}, {"x": 3, "y": 4.0}]}
    assert payload.samples(request) == task.samples(Path()).inputs
    assert [type(cell) for cell in payload.samples(request)[0].values()] == [int, float]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"x": 1}, "must have the columns 'x', 'y', not 'x'"),
        ({"x": 1, "y": None}, "'y' is missing"),
        ({"x": 1.5, "y": 1}, "'x' must be a whole number, not 1.5"),
        ({"x": 1, "y": "1"}, "'y' must be a number, not '1'"),
    ],
)
def test_rows_that_are_not_served(row: dict[str, Any], message: str) -> None:
    task = TabularClassification(data=NUMBERS)
    payload = task.payload(informed(task))
    with pytest.raises(ValueError, match=message):
        payload.samples(payload.request(instances=[row]))


def test_gaps_are_served_if_the_model_takes_them() -> None:
    task = TabularClassification(data=NUMBERS, missing="nan")
    payload = task.payload(informed(task))
    request = payload.ask([{"x": 1, "y": float("nan")}])
    assert np.isnan(payload.samples(request)[0]["y"])
