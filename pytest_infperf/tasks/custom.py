"""A task on any inputs and references, for any Python code and any graph."""

from __future__ import annotations

import inspect
import json
import pickle
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.suite import functions
from pytest_infperf.suite.codec import ArrayCodec
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding, Task
from pytest_infperf.tasks.array_codec import ArraysCodec, arrays_of
from pytest_infperf.tasks.data import ReadsCalibration


@dataclass(frozen=True)
class Custom(ReadsCalibration, Task):
    """Your own data and metrics, for any Python code and any graph.

    A `Function` gets the inputs unchanged, and its outputs are scored against the references. If
    the inputs are arrays, or dicts of arrays by the names of the model's inputs, variants can also
    be graphs (`Onnx(file=...)`, `OpenVino(file=...)`) or models with a `modeling.py`. Arrays have
    no batch axis: the arrays of a query are stacked and must have the same shape.

    Parameters
    ----------
    data : str or sequence
        The data itself, or the function that returns it, ``"package.module:function"``. The module
        is beside suite.py, in the project's root, or installed. The function is called with the
        suite's folder, or without arguments if it has no parameters, and must return the same data
        in each call. Data is a tuple of two lists or arrays, ``(inputs, references)``; a list of
        tuples, ``(input, reference)``; or a list of dicts with ``"input"`` and ``"reference"``.
        Inputs must be picklable. References must have JSON types, with lists instead of tuples.
    metrics : sequence of Metric, CorpusMetric or str
        Quality scores, at least one.
    labels : sequence of str or int, optional
        The names of the model's classes, in the order of its values; an output is then the class
        with the largest value. By default, an output is the list of values, or a number if the
        model returns one value for each sample.
    calibration : str or sequence, optional
        Data of the same form that calibrates ``int8="static"``, at most 200 samples. None uses a
        fifth of `data`, at most 200 samples, which are not scored.
    sample_size : int, default 200
        Number of samples to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If `metrics` is empty or `data` is not a valid function name (at once); if the data cannot
        be read or has another form (when the samples are read); or if a variant runs a model and
        an input does not consist of arrays (before the variant is built).

    Examples
    --------
    >>> from pathlib import Path
    >>> from pytest_infperf import Custom
    >>> data = [("a fine day", "good"), ("it rained", "bad")]
    >>> Custom(data=data, metrics=["accuracy"]).samples(Path()).references
    ['good', 'bad']
    """

    reads_model: ClassVar[bool] = False

    _: KW_ONLY
    data: str | Sequence[Any]
    metrics: Sequence[AnyMetric | str]
    labels: Sequence[str | int] | None = None
    sample_size: int = 200

    def __post_init__(self) -> None:
        if isinstance(self.data, str):
            functions.check_name(self.data, self._name)
        if not self.metrics:
            raise UserError(
                f'{self._name} has no metric: set at least one, such as metrics=["accuracy"]'
            )

    @property
    def _name(self) -> str:
        return f"Custom(data={self.data!r})" if isinstance(self.data, str) else "Custom(data=...)"

    @property
    def decoding(self) -> Decoding:
        return {}

    def samples(self, folder: Path) -> Samples:
        inputs, references = self._columns(self._read(folder))
        samples = Samples(inputs, references)
        for number, (sample, reference) in enumerate(zip(inputs, references, strict=True)):
            try:
                pickle.dumps(sample)
            except Exception as error:
                raise UserError(
                    f"{self._name}: input {number} cannot be pickled ({error}), so it cannot be "
                    "compared between processes: use plain values or arrays as inputs"
                ) from error
            if not _survives_json(reference):
                raise UserError(
                    f"{self._name}: reference {number}, {reference!r}, does not have a JSON type, "
                    "which outputs have: use str, int, float, bool, None, and lists and dicts of "
                    "them (lists instead of tuples, str keys, no NaN)"
                )
        return samples

    def _read(self, folder: Path) -> Any:
        if not isinstance(self.data, str):
            return self.data
        read = functions.imported(self.data, self._name)
        try:
            return read(folder) if inspect.signature(read).parameters else read()
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{self._name} raised {functions.described(error)}") from error

    def _columns(self, data: Any) -> tuple[list[Any], list[Any]]:
        """Return the inputs and the references."""
        if isinstance(data, tuple) and len(data) == 2:
            inputs, references = data
            if _is_column(inputs) and _is_column(references):
                return list(inputs), _plain(references)
        elif isinstance(data, list):
            pairs = [self._pair(number, sample) for number, sample in enumerate(data)]
            return [sample for sample, _ in pairs], [reference for _, reference in pairs]
        raise UserError(
            f"{self._name}: the data must be a tuple of two lists or arrays, (inputs, "
            'references), or a list of tuples (input, reference) or of dicts {"input": ..., '
            f'"reference": ...}}, not {_kind(data)}'
        )

    def _pair(self, number: int, sample: Any) -> tuple[Any, Any]:
        if isinstance(sample, tuple) and len(sample) == 2:
            return sample
        if isinstance(sample, dict) and {"input", "reference"} <= sample.keys():
            return sample["input"], sample["reference"]
        raise UserError(
            f"{self._name}: sample {number} must be a tuple (input, reference) or a dict "
            f'{{"input": ..., "reference": ...}}, not {_kind(sample)}'
        )

    def codec(self, model: Path) -> ArrayCodec:
        return ArraysCodec(self.labels)

    def check(self, samples: Samples, codec: Any) -> None:
        """Check the labels, and that inputs are arrays, or dicts of arrays with the same names."""
        names: set[str] = set()
        for number, sample in enumerate(samples.inputs):
            try:
                arrays = arrays_of(sample)
            except ValueError as error:
                raise UserError(
                    f"{self._name}: a variant that runs a model requires arrays, or dicts of "
                    f"arrays by the names of its inputs, but input {number} is {error}: use "
                    'arrays, Function("package.module:load"), or a task that encodes its inputs, '
                    "such as TextClassification"
                ) from error
            names = names or {*arrays}
            if names != {*arrays}:
                raise UserError(
                    f"{self._name}: input {number} has the arrays {sorted(arrays)}, but the first "
                    f"input has {sorted(names)}: use the same names in all inputs"
                )
        for number, reference in enumerate(samples.references):
            if self.labels is not None and reference not in self.labels:
                raise UserError(
                    f"{self._name}: reference {number}, {reference!r}, is not one of labels="
                    f"{[*self.labels]!r}: correct one of them"
                )
        codec.encode(samples.inputs[-1:])


def _is_column(values: Any) -> bool:
    return isinstance(values, list) or (hasattr(values, "tolist") and hasattr(values, "__len__"))


def _plain(references: Any) -> list[Any]:
    """Return references as a list of Python values."""
    return references if isinstance(references, list) else list(references.tolist())


def _survives_json(reference: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(reference)) == reference)
    except (TypeError, ValueError):
        return False


def _kind(data: Any) -> str:
    if isinstance(data, tuple):
        return f"a tuple of {', '.join(type(part).__name__ for part in data) or 'nothing'}"
    if isinstance(data, dict):
        return f"a dict with {', '.join(map(repr, data)) or 'nothing'}"
    return f"an object of type {type(data).__name__}"
