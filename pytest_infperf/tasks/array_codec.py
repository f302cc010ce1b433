"""Codec for inputs that are already arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_infperf.errors import UserError

ONLY_INPUT = "input"
"""Name of the feature if an input is a single array."""


class ArraysCodec:
    """Codec for inputs that are arrays, or dicts of arrays by the names of the model's inputs.

    Outputs are the rows of the results as lists, or the label with the largest value.

    Parameters
    ----------
    labels : sequence of str or int, optional
        The labels, in the order of the values that the model returns for each sample.
    """

    def __init__(self, labels: Sequence[str | int] | None) -> None:
        self._labels = labels
        self.axes: Mapping[str, Sequence[str | int]] = {}

    def encode(self, inputs: Sequence[Any]) -> dict[str, Any]:
        """Return the stacked arrays by name.

        Raises UserError if the inputs differ in their names or shapes.
        """
        import numpy as np

        samples = [arrays_of(sample) for sample in inputs]
        names = samples[0].keys()
        if other := next((sample for sample in samples if sample.keys() != names), None):
            raise UserError(
                f"the inputs of a query have different names: {_listed(names)} and "
                f"{_listed(other)}; give all samples the same arrays"
            )
        features = {}
        for name in names:
            arrays = [sample[name] for sample in samples]
            if len(shapes := {array.shape for array in arrays}) > 1:
                raise UserError(
                    f"the arrays {name!r} of a query have different shapes: "
                    f"{' and '.join(map(str, map(list, sorted(shapes)[:2])))}. Measure with "
                    "batch=1, or give all the same shape"
                )
            features[name] = np.stack(arrays)
        self.axes = {name: ("batch", *array.shape[1:]) for name, array in features.items()}
        return features

    def decode(self, results: Any, features: Any) -> list[Any]:
        """Return a list of numbers, a number or a label for each row of the results."""
        import numpy as np

        if isinstance(results, list):  # maps of labels
            return [{str(label): float(value) for label, value in row.items()} for row in results]
        rows = results.reshape(len(results), -1)
        if self._labels is None:
            values = results.tolist()
        elif rows.shape[1] == len(self._labels):
            values = [self._labels[number] for number in rows.argmax(axis=1).tolist()]
        else:
            raise UserError(
                f"the model returns {rows.shape[1]} values for each sample, but labels= has "
                f"{len(self._labels)} names"
            )
        if results.dtype.kind != "f":
            return list(values)
        finite = np.isfinite(rows).all(axis=1).tolist()
        return [value if usable else None for value, usable in zip(values, finite, strict=True)]


def arrays_of(sample: Any) -> dict[str, Any]:
    """Return the arrays of a sample by name.

    Raises ValueError for other types; the message describes the type.
    """
    import numpy as np

    named = sample if isinstance(sample, Mapping) else {ONLY_INPUT: sample}
    arrays = {name: np.asarray(value) for name, value in named.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biufO" or (
            array.dtype.kind == "O" and not isinstance(named[name], np.ndarray)
        ):
            where = f"a dict whose {name!r} is " if named is sample else ""
            raise ValueError(f"{where}an object of type {type(named[name]).__name__}")
    if not arrays:
        raise ValueError("an empty dict")
    return arrays


def _listed(names: Any) -> str:
    return ", ".join(map(repr, names)) or "none"
