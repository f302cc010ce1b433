"""Classification and regression of the rows of a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pytest_infperf.errors import UserError
from pytest_infperf.suite.codec import ArrayCodec
from pytest_infperf.suite.columns import FEATURES, Columns, Kind
from pytest_infperf.suite.labels import listed
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding, Task
from pytest_infperf.tasks.data import Data, ReadsCalibration, Table, read
from pytest_infperf.tasks.probabilities import best_classes

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


class ReadsRows(ReadsCalibration, Task):
    """Base class of tasks on tables. A sample is a row, a dict of cells by column."""

    reads_model: ClassVar[bool] = False

    data: Data
    features: Sequence[str] | None
    texts: Sequence[str]
    missing: Literal["error", "nan"]

    @property
    def decoding(self) -> Decoding:
        return {}

    def _read(self, folder: Path, target: str) -> Table:
        return read(self.data, folder, [target, *(self.features or ())])

    def _rows(self, table: Table, target: str) -> list[dict[str, Any]]:
        """Return the rows without the target column."""
        names = [*(self.features or (name for name in table.columns if name != target))]
        if target in names or not names:
            raise UserError(
                f"the test data {table.source} has no usable features for {target!r}: the features "
                f"are {listed(names)}"
            )
        if unknown := sorted({*self.texts} - {*names}):
            raise UserError(
                f"texts={list(self.texts)!r}: {unknown[0]!r} is not one of the features "
                f"{listed(names)}"
            )
        columns = [
            table.values(name, as_texts=name in self.texts, missing_as_nan=self.missing == "nan")
            for name in names
        ]
        return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]

    def check(self, samples: Samples, codec: Any) -> None:
        """Pass the columns of the data to the codec."""
        codec.learn(samples.inputs)


@dataclass(frozen=True)
class TabularClassification(ReadsRows):
    """Classification of the rows of a table.

    Supports scikit-learn, XGBoost and LightGBM models, ONNX graphs, models with a `modeling.py`,
    and functions. A function gets rows as dicts of cells by column. Other models get the columns
    as one array `features`, float32, shape [batch, columns], or one input for each column, shape
    [batch, 1]. If there are text columns, only the latter is possible. A scikit-learn pipeline
    that was fitted on a DataFrame gets a DataFrame.

    The output is a label. A model returns labels, a value for each class (the largest value
    determines the label), a dict of such values, or one value that is compared with `threshold`.

    Parameters
    ----------
    data : Data
        The test data: a CSV, TSV, JSON, JSON Lines or Parquet file relative to the suite's folder,
        a hub dataset, rows, or a function.
    label : str, default "label"
        The column with the label.
    features : sequence of str, optional
        The columns that the model gets, in this order; by default, all but the label.
    texts : sequence of str, default ()
        Columns to read as texts although all their cells are numbers, such as codes.
    missing : {"error", "nan"}, default "error"
        Whether a missing cell is an error or NaN.
    classes : sequence of str or int, optional
        The labels in the order of the model's classes. Required if the model returns class numbers
        or values and the data has names.
    threshold : float, optional
        For models with one value for each sample, the value above which the output is the second
        class.
    calibration : Data, optional
        Rows of the same form that calibrate ``int8="static"``, at most 200. None uses a fifth of
        the test data, at most 200 rows, which are not scored.
    metrics : sequence of Metric, CorpusMetric or str, default ("accuracy", "f1")
        Quality scores.
    sample_size : int, default 2000
        Number of rows to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If the data cannot be read, or a cell is missing or is a text among numbers (when the
        samples are read); if the data has a label that is not in `classes` (before a model is
        built); or if the model's results cannot be labels of the data (when they are decoded).

    Examples
    --------
    >>> from pathlib import Path
    >>> from pytest_infperf import TabularClassification
    >>> rows = [{"size": 5.1, "species": "setosa"}, {"size": 7.0, "species": "virginica"}]
    >>> TabularClassification(data=rows, label="species").samples(Path()).inputs
    [{'size': 5.1}, {'size': 7.0}]
    """

    _: KW_ONLY
    data: Data
    label: str = "label"
    features: Sequence[str] | None = None
    texts: Sequence[str] = ()
    missing: Literal["error", "nan"] = "error"
    classes: Sequence[str | int] | None = None
    threshold: float | None = None
    metrics: Sequence[AnyMetric | str] = ("accuracy", "f1")
    sample_size: int = 2000

    def samples(self, folder: Path) -> Samples:
        table = self._read(folder, self.label)
        labels = table.labels(self.label)
        for label, place in zip(labels, table.places, strict=True):
            if isinstance(label, list):
                raise UserError(f"{place}: {self.label!r} must be one label, not {label}")
        return Samples(self._rows(table, self.label), labels)

    def codec(self, model: Path) -> ArrayCodec:
        return RowLabelCodec(self.missing, self.classes, self.threshold)

    def check(self, samples: Samples, codec: Any) -> None:
        """Check that every label of the data is one of `classes`, if they are given."""
        super().check(samples, codec)
        codec.answer_like(samples.references)

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks import payloads

        return payloads.RowToLabel(getattr(codec, "row", dict))


@dataclass(frozen=True)
class TabularRegression(ReadsRows):
    """Regression on the rows of a table.

    Supports the same models as `TabularClassification`. The output is the number that the model
    returns.

    Parameters
    ----------
    data : Data
        The test data, as of `TabularClassification`.
    target : str, default "target"
        The column with the correct number.
    features : sequence of str, optional
        The columns that the model gets, in this order; by default, all but the target.
    texts : sequence of str, default ()
        Columns to read as texts although all their cells are numbers, such as codes.
    missing : {"error", "nan"}, default "error"
        Whether a missing cell is an error or NaN.
    calibration : Data, optional
        Rows of the same form that calibrate ``int8="static"``, at most 200. None uses a fifth of
        the test data, at most 200 rows, which are not scored.
    metrics : sequence of Metric, CorpusMetric or str, default ("mae", "rmse", "spearman")
        Quality scores.
    sample_size : int, default 2000
        Number of rows to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If the data cannot be read, or a cell is missing or is a text among numbers (when the
        samples are read); or if a model returns several values for a sample (when they are
        decoded).

    Examples
    --------
    >>> from pathlib import Path
    >>> from pytest_infperf import TabularRegression
    >>> rows = [{"rooms": 3, "area": 70.5, "price": 200}, {"rooms": 2, "area": 50, "price": 150}]
    >>> samples = TabularRegression(data=rows, target="price").samples(Path())
    >>> samples.inputs[1], samples.references
    ({'rooms': 2, 'area': 50.0}, [200.0, 150.0])
    """

    _: KW_ONLY
    data: Data
    target: str = "target"
    features: Sequence[str] | None = None
    texts: Sequence[str] = ()
    missing: Literal["error", "nan"] = "error"
    metrics: Sequence[AnyMetric | str] = ("mae", "rmse", "spearman")
    sample_size: int = 2000

    def samples(self, folder: Path) -> Samples:
        table = self._read(folder, self.target)
        return Samples(self._rows(table, self.target), table.numbers(self.target))

    def codec(self, model: Path) -> ArrayCodec:
        return RowNumberCodec(self.missing)

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks import payloads

        return payloads.RowToScore(getattr(codec, "row", dict))


class RowCodec:
    """Codec for rows. It gets the columns and their types from the test data.

    Parameters
    ----------
    missing : {"error", "nan"}
        Whether a missing cell in a request is an error or NaN.
    """

    def __init__(self, missing: str) -> None:
        self._takes_gaps = missing == "nan"
        self.axes: Mapping[str, Sequence[str | int]] = {}
        self._kinds: dict[str, Kind] = {}

    def learn(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Determine the columns and their types from rows of the test data."""
        self._kinds = {
            name: str if any(isinstance(row[name], str) for row in rows) else type(value)
            for name, value in rows[0].items()
        }
        self.axes = dict.fromkeys(self._kinds, ("batch", 1))
        if str not in self._kinds.values():
            self.axes = {FEATURES: ("batch", len(self._kinds)), **self.axes}

    def encode(self, inputs: Sequence[Mapping[str, Any]]) -> Columns:
        """Return the columns of the rows."""
        if not self._kinds:
            self.learn(inputs)
        return Columns(inputs, self._kinds)

    def row(self, instance: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row of a request, with the columns of the test data.

        Raises ValueError if it has different columns, or a value of the wrong type.
        """
        if self._kinds and instance.keys() != self._kinds.keys():
            raise ValueError(
                f"an instance must have the columns {listed([*self._kinds])}, not "
                f"{listed([*instance])}"
            )
        if not self._takes_gaps and (gaps := [n for n, v in instance.items() if v is None]):
            raise ValueError(f"{gaps[0]!r} is missing")
        return {
            name: _cell(name, instance[name], kind) for name, kind in self._kinds.items()
        } or dict(instance)


class RowLabelCodec(RowCodec):
    """Codec for classifiers of rows.

    Parameters
    ----------
    missing : {"error", "nan"}
        As in `RowCodec`.
    classes : sequence of str or int, optional
        The labels in the order of the model's classes.
    threshold : float, optional
        For models with one value, the value above which the output is the second class.
    """

    def __init__(
        self, missing: str, classes: Sequence[str | int] | None, threshold: float | None
    ) -> None:
        super().__init__(missing)
        self._classes = None if classes is None else [str(label) for label in classes]
        self._threshold = threshold
        self._found: Collection[str] = ()

    def answer_like(self, references: Sequence[str]) -> None:
        """Store the labels of the test data.

        Raises UserError if a label is not in `classes`.
        """
        self._found = sorted({*references})
        if self._classes is not None and (unknown := sorted({*self._found} - {*self._classes})):
            raise UserError(
                f"the data has the labels {listed(unknown)}, which are not in "
                f"classes={self._classes!r}"
            )

    def decode(self, results: Any, features: Any) -> list[Any]:
        import numpy as np

        if isinstance(results, list):  # maps of labels
            return [_largest(row) for row in results]
        values = np.asarray(results)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim == 2 and values.dtype.kind in "fiu":
            return [
                None if number is None else self._named(number, values.shape[1])
                for number in best_classes(values)
            ]
        if values.ndim != 1:
            raise UserError(
                f"the model returns the shape {list(values.shape)}: it must return a label, or a "
                "value for each class, for each row"
            )
        if values.dtype.kind in "OUS":
            return [str(label) for label in values.tolist()]
        if values.dtype.kind == "f":
            return [self._of_number(value) for value in values.tolist()]
        return [self._named(int(number)) for number in values.tolist()]

    def _of_number(self, value: float) -> str | None:
        if value != value or abs(value) == float("inf"):
            return None
        if self._threshold is not None:
            return self._named(int(value > self._threshold), 2)
        if not value.is_integer():
            raise UserError(
                f"the model returns one number for each row, such as {value:.4g}, which is not a "
                "label: set the value above which it means the second class, such as "
                "threshold=0.5, or use TabularRegression"
            )
        return self._named(int(value))

    def _named(self, number: int, count: int | None = None) -> str:
        """Return the label of a class number; `count` is the number of classes, if known."""
        if self._classes is not None:
            if not 0 <= number < len(self._classes) or count not in (None, len(self._classes)):
                has = f"class {number}" if count is None else f"{count} classes"
                raise UserError(
                    f"the model returns {has}, but classes={self._classes!r} has "
                    f"{len(self._classes)} labels: name all classes, in the model's order"
                )
            return self._classes[number]
        known = None if count is None else {*map(str, range(count))}
        strange = [label for label in self._found if not _is_class(label, known)]
        if strange and (known is not None or len(strange) == len(self._found)):
            raise UserError(
                f"the model returns class numbers, such as {number}, but the data has the labels "
                f"{listed([*self._found])}: name the classes in the model's order, as in "
                f"classes={[*self._found]!r}"
            )
        return str(number)


class RowNumberCodec(RowCodec):
    """Codec for models that return a number for each row."""

    def decode(self, results: Any, features: Any) -> list[Any]:
        import numpy as np

        values = np.asarray(results)
        if values.size != len(values) or values.dtype.kind not in "biuf":
            raise UserError(
                f"the model returns the shape {list(values.shape)} and the type "
                f"{values.dtype}: a regression must return one number for each row"
            )
        values = values.reshape(-1).astype(np.float64)
        return [value if np.isfinite(value) else None for value in values.tolist()]


def _is_class(label: str, known: Collection[str] | None) -> bool:
    return label.lstrip("-").isdecimal() if known is None else label in known


def _largest(row: Mapping[Any, float]) -> str | None:
    if not all(value == value for value in row.values()):
        return None
    return str(max(row, key=lambda label: row[label]))


def _cell(name: str, value: Any, kind: Kind) -> Any:
    if value is None and kind is not int:
        return float("nan")
    if isinstance(value, str) != (kind is str) or value is None:
        raise ValueError(f"{name!r} must be a {'text' if kind is str else 'number'}, not {value!r}")
    if kind is int and int(value) != value:
        raise ValueError(f"{name!r} must be a whole number, not {value!r}")
    return kind(value)
