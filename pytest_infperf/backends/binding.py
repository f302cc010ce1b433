"""Mapping from the features of a task to the inputs of a graph with other names or types."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain, islice, permutations
from pathlib import Path
from typing import Any

from pytest_infperf.errors import BuildError, first_line
from pytest_infperf.suite.backend import Material

_FILE = "binding.json"
_KINDS = {
    "int32": "integer",
    "int64": "integer",
    "float16": "real",
    "float32": "real",
    "float64": "real",
}
"""Kinds of types. Features are cast within a kind, and from integer to real."""

Axes = Mapping[str, Sequence[str | int]]


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph."""

    name: str
    dtype: str
    """NumPy's name of the type, or the runtime's if NumPy has none."""
    shape: tuple[int | None, ...]
    """Sizes of the axes; None for a dynamic size."""

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}{_shape(self.shape)}"


@dataclass(frozen=True)
class Binding:
    """The inputs of a graph by name, and the output with the results."""

    inputs: Mapping[str, str]
    """Name of the feature, by the name of the input."""
    casts: Mapping[str, str]
    """Type to which a feature is cast, by the name of the input."""
    output: str
    """Name of the output."""
    batch: int | None = None
    """Fixed batch size of the graph; None for any size."""

    @classmethod
    def of(
        cls,
        inputs: Mapping[Tensor, str],
        features: Mapping[str, Any],
        output: str,
        batch: int | None,
    ) -> Binding:
        """Return the binding of the inputs to features of these types."""
        casts = {
            tensor.name: tensor.dtype
            for tensor, feature in inputs.items()
            if features[feature].dtype.name != tensor.dtype
        }
        names = {tensor.name: feature for tensor, feature in inputs.items()}
        return cls(names, casts, output, batch)

    @classmethod
    def read(cls, folder: Path, inputs: Iterable[str], outputs: Sequence[str]) -> Binding:
        """Return the binding that `write` wrote; by default, names of inputs and features match."""
        path = folder / _FILE
        if path.is_file():
            return cls(**json.loads(path.read_text("utf-8")))
        return cls({name: name for name in inputs}, {}, outputs[0])

    def write(self, folder: Path) -> None:
        """Write the binding to the folder of an artifact."""
        (folder / _FILE).write_text(json.dumps(asdict(self)), "utf-8")

    @property
    def evidence(self) -> dict[str, Any]:
        """The evidence about the binding, for the record."""
        return {} if self.batch is None else {"batch_of_graph": self.batch}

    def feed(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs of a graph for the features of a query."""
        arrays = {name: features[feature] for name, feature in self.inputs.items()}
        for name, dtype in self.casts.items():
            arrays[name] = arrays[name].astype(dtype)
        return arrays

    def feeds(self, features: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the inputs of each run of the graph for a query.

        The last row is repeated to fill the last run.
        """
        arrays = self.feed(features)
        if self.batch is None:
            yield arrays
            return
        count = len(next(iter(arrays.values())))
        for first in range(0, count, self.batch):
            rows = [min(row, count - 1) for row in range(first, first + self.batch)]
            yield {name: array[rows] for name, array in arrays.items()}

    def answer(self, features: Mapping[str, Any], run: Callable[[dict[str, Any]], Any]) -> Any:
        """Return the results of a graph for a query, in several runs if its batch size is fixed.

        Parameters
        ----------
        features : mapping of str to ndarray
            The features of the query.
        run : callable
            Returns the output of the graph for its inputs, valid until the next call.
        """
        if self.batch is None:
            return run(self.feed(features))
        import numpy as np

        count = len(features[next(iter(self.inputs.values()))])
        answers = [copy(run(inputs)) for inputs in self.feeds(features)]
        if isinstance(answers[0], np.ndarray):
            return np.concatenate(answers)[:count]
        return list(chain.from_iterable(answers))[:count]  # maps of labels, one for each row


def bind_opened(
    graph: Path,
    material: Material,
    *,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    output: str | None,
    run: Callable[[str, dict[str, Any]], Any],
) -> Binding:
    """Return the binding of a graph to the features of a task, after a trial run.

    `run` returns the named output for arrays by the names of the inputs.

    Raises BuildError if inputs and features do not match, or the output lacks a row per sample.
    """
    codec = material.codec()
    samples = material.task.samples(material.data).inputs
    pair = codec.encode([samples[-1], samples[-1]])
    binding = Binding.of(
        match_inputs(graph, inputs, codec.axes, pair),
        pair,
        choose_output(graph, outputs, output, material.task.answer),
        batch_of(graph, inputs),
    )
    for features in (pair, codec.encode([samples[0]])):
        count = len(features[next(iter(binding.inputs.values()))])
        try:
            answer = binding.answer(features, partial(run, binding.output))
        except Exception as error:
            raise BuildError(
                f"{graph} cannot run a query of {count} rows: {first_line(error)}"
            ) from error
        shape = getattr(answer, "shape", None)
        if shape is None and isinstance(answer, list):  # maps of labels
            shape = (len(answer),)
        if not shape or shape[0] != count:
            raise BuildError(
                f"{graph}: the output {binding.output} has the shape {list(shape or ())} for "
                f"{count} rows of input, but must have one row each: name another output with "
                "output=..., or export the graph with a dynamic batch axis"
            )
    return binding


def batch_of(graph: Path, inputs: Sequence[Tensor]) -> int | None:
    """Return the fixed batch size of a graph, or None.

    Raises BuildError if its inputs have different batch sizes.
    """
    fixed = {tensor.shape[0] for tensor in inputs if tensor.shape} - {None}
    if len(fixed) > 1:
        raise BuildError(
            f"the inputs of {graph} have different sizes of the first axis, the batch: "
            f"{_listed(inputs)}. Export it with a dynamic batch axis"
        )
    return next(iter(fixed), None)


def match_inputs(
    graph: Path, inputs: Sequence[Tensor], axes: Axes, features: Mapping[str, Any]
) -> dict[Tensor, str]:
    """Return the feature for each input of a graph.

    Inputs and features are matched by name, then by shape and type if there is exactly one way.
    Features without an input are left out.

    Raises BuildError if an input matches no feature or several, or has a fixed shape.
    """
    dtypes = {name: features[name].dtype.name for name in axes}
    matched = {tensor: tensor.name for tensor in inputs if tensor.name in axes}
    others = [tensor for tensor in inputs if tensor.name not in axes]
    free = [name for name in axes if name not in matched.values()]
    ways = (
        chosen
        for chosen in permutations(free, len(others))
        if all(_fits(t, axes[n], dtypes[n]) for t, n in zip(others, chosen, strict=True))
    )
    found = list(islice(ways, 2))
    named_fit = all(_fits(tensor, axes[name], dtypes[name]) for tensor, name in matched.items())
    if len(found) != 1 or not named_fit:
        made = [f"{name} {dtypes[name]}{_shape(axes[name])}" for name in axes]
        raise BuildError(
            f"the inputs of {graph} do not match the features of the task: the graph has "
            f"{_listed(inputs)}; the task has {_listed(made)}"
            f"{'; more than one of them fits' if len(found) > 1 else ''}. Export the graph with "
            "the task's names and types"
        )
    matched |= dict(zip(others, found[0], strict=True))
    for tensor, name in matched.items():
        _require_free_axes(graph, tensor, axes[name])
    return matched


def choose_output(
    graph: Path, outputs: Sequence[Tensor], name: str | None, usual: str = "logits"
) -> str:
    """Return the named output, the only one, or the usual one of the task, in this order.

    Raises BuildError if there is no such output.
    """
    names = [tensor.name for tensor in outputs]
    if name is not None and name not in names:
        raise BuildError(f"{graph} has no output {name!r}: it has {_listed(outputs)}")
    if name is not None:
        return name
    if len(names) == 1:
        return names[0]
    if usual in names:
        return usual
    raise BuildError(
        f"{graph} has {len(names)} outputs: {_listed(outputs)}. Name the one with the results, "
        f"such as output={names[0]!r}"
    )


def _fits(tensor: Tensor, axes: Sequence[str | int], dtype: str) -> bool:
    """Return whether an input accepts a feature, ignoring fixed sizes of dynamic axes."""
    kinds = _KINDS.get(dtype, dtype), _KINDS.get(tensor.dtype, tensor.dtype)
    if kinds[0] != kinds[1] and kinds != ("integer", "real"):
        return False
    if not tensor.shape:
        return True  # the graph does not declare its shape
    return len(tensor.shape) == len(axes) and all(
        isinstance(axis, str) or size in (None, axis)
        for size, axis in zip(tensor.shape[1:], axes[1:], strict=True)
    )


def _require_free_axes(graph: Path, tensor: Tensor, axes: Sequence[str | int]) -> None:
    fixed = [
        axis
        for size, axis in zip(tensor.shape[1:], axes[1:], strict=False)
        if isinstance(axis, str) and size is not None
    ]
    if fixed:
        free = {index: axis for index, axis in enumerate(axes) if isinstance(axis, str)}
        raise BuildError(
            f"{graph}: the input {tensor} has a fixed {' and '.join(fixed)}, which varies between "
            "queries: export the graph with dynamic axes, with torch.onnx.export(..., "
            f"dynamic_axes={{{tensor.name!r}: {free}, ...}})"
        )


def _shape(axes: Sequence[str | int | None]) -> str:
    return f"[{', '.join('?' if axis is None else str(axis) for axis in axes)}]"


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(str, values)) or "nothing"
