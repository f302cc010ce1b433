"""Requests and responses of KServe's protocols, versions 1 and 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from pytest_infperf.backends.endpoint_json import (
    at_path,
    check_path,
    in_json,
    list_at,
)
from pytest_infperf.backends.endpoint_payload import EndpointPayload
from pytest_infperf.errors import UserError


@dataclass(frozen=True)
class KServeV1(EndpointPayload):
    """KServe's V1 protocol, also used by TensorFlow Serving and `infperf serve`.

    The request is ``{"instances": [...]}`` and the response ``{"predictions": [...]}``, with one
    element per sample.

    Parameters
    ----------
    instance : str, optional
        The key of the input in an instance, such as `text` for ``{"text": ...}``; None sends the
        input itself.
    answer : str, default ""
        The path to the output in a prediction, such as `label`; empty means the prediction itself.

    Raises
    ------
    UserError
        If `answer` is not a path.

    Examples
    --------
    >>> from pytest_infperf import KServeV1
    >>> KServeV1(answer="label").outputs({"predictions": [{"label": "good"}]})
    ['good']
    """

    _: KW_ONLY
    instance: str | None = None
    answer: str = ""

    def __post_init__(self) -> None:
        check_path("KServeV1", self.answer, may_be_empty=True)

    def body(self, inputs: Sequence[Any]) -> Any:
        values = [in_json(value) for value in inputs]
        if self.instance is None:
            return {"instances": values}
        return {"instances": [{self.instance: value} for value in values]}

    def outputs(self, answer: Any) -> list[Any]:
        path = "predictions[*]"
        return list_at(answer, f"{path}.{self.answer}" if self.answer else path)


@dataclass(frozen=True)
class KServeV2(EndpointPayload):
    """KServe's V2 protocol (Open Inference Protocol), also used by Triton and MLServer.

    A request has one tensor with a row per sample. The response's tensor also has a row per
    sample; rows with several values become lists.

    Parameters
    ----------
    input : str
        The name of the input tensor.
    output : str, optional
        The name of the output tensor; None means the only one.
    datatype : str, optional
        The type of the input, such as `FP32`; None means BYTES for texts, BOOL, INT64 or FP64.

    Examples
    --------
    >>> from pytest_infperf import KServeV2
    >>> KServeV2("text").body(["good"])["inputs"]
    [{'name': 'text', 'shape': [1], 'datatype': 'BYTES', 'data': ['good']}]
    """

    input: str
    _: KW_ONLY
    output: str | None = None
    datatype: str | None = None

    def body(self, inputs: Sequence[Any]) -> Any:
        rows = [in_json(value) for value in inputs]
        shape = _shape(rows)
        data = _flat(rows)
        datatype = self.datatype or _datatype(data)
        tensor = {"name": self.input, "shape": shape, "datatype": datatype, "data": data}
        wanted = [] if self.output is None else [{"name": self.output}]
        return {"inputs": [tensor], **({"outputs": wanted} if wanted else {})}

    def outputs(self, answer: Any) -> list[Any]:
        tensors = list_at(answer, "outputs[*]")
        names = [tensor.get("name") if isinstance(tensor, dict) else None for tensor in tensors]
        wanted = self.output
        if wanted is None and len(tensors) == 1:
            wanted = names[0]
        if wanted is None or names.count(wanted) != 1:
            raise ValueError(f"it has the outputs {names}: name one with KServeV2(output=...)")
        tensor = tensors[names.index(wanted)]
        shape, data = at_path(tensor, "shape"), _flat(list_at(tensor, "data[*]"))
        if not isinstance(shape, list) or not shape or not all(type(n) is int for n in shape):
            raise ValueError(f"the shape of the output {wanted} is {shape!r}")
        size = 1
        for count in shape[1:]:
            size *= count
        if len(data) != shape[0] * size:
            raise ValueError(f"the output {wanted} has {len(data)} values and the shape {shape}")
        if len(shape) == 1:
            return data
        return [_reshaped(data[i * size : (i + 1) * size], shape[1:]) for i in range(shape[0])]


def _shape(rows: Any) -> list[int]:
    shape = []
    while isinstance(rows, list):
        shape.append(len(rows))
        lengths = {len(row) if isinstance(row, list) else -1 for row in rows}
        if len(lengths) > 1:
            raise UserError(
                "KServeV2: the samples of a query have different shapes and do not fit in one "
                "tensor: measure with batch=1, or use another payload"
            )
        rows = rows[0] if rows else None
    return shape


def _flat(values: list[Any]) -> list[Any]:
    if not any(isinstance(value, list) for value in values):
        return values
    return [
        leaf for value in values for leaf in _flat(value if isinstance(value, list) else [value])
    ]


def _reshaped(data: list[Any], shape: Sequence[int]) -> Any:
    if len(shape) == 1:
        return data
    size = len(data) // shape[0] if shape[0] else 0
    return [_reshaped(data[i * size : (i + 1) * size], shape[1:]) for i in range(shape[0])]


def _datatype(data: Sequence[Any]) -> str:
    kinds = {type(value) for value in data}
    for kind, datatype in ((str, "BYTES"), (bool, "BOOL"), (int, "INT64")):
        if kinds == {kind}:
            return datatype
    if kinds <= {int, float}:
        return "FP64"
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise UserError(f"KServeV2: one tensor cannot contain {names}: use another payload")
