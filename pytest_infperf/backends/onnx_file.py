"""Reading and opening of ONNX graphs that were exported elsewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_infperf.backends.binding import Binding, Tensor, bind_opened
from pytest_infperf.errors import BuildError, UserError, first_line
from pytest_infperf.repository import lfs
from pytest_infperf.suite.backend import Material

_LARGEST_GRAPH_BYTES = 2**31 - 1
"""The limit of protobuf for a graph with its data in one file."""


def require_file_of(backend: Any) -> None:
    """Check that a backend with an `output` also has a `file`.

    Raises UserError if it has no `file`.
    """
    if backend.output is not None and backend.file is None:
        raise UserError(
            f"{type(backend).__name__}(output={backend.output!r}): output requires file=..."
        )


def data_files(path: Path) -> list[Path]:
    """Return the files with the external data of a graph.

    Raises UserError if the graph or one of the files cannot be read.
    """
    graph = _read(path).graph
    locations = {
        entry.value
        for tensor in _tensors(graph)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return [_data_file(path, location) for location in sorted(locations)]


def copy(path: Path, target: Path) -> None:
    """Copy a graph to `target`, and its external data beside it."""
    for data in data_files(path):
        copied = target.parent / data.relative_to(path.parent)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data, copied)
    shutil.copy(path, target)


def copy_as_one_file(path: Path, target: Path) -> None:
    """Write a graph with its external data to `target`.

    Raises BuildError if the result would be larger than an ONNX file can be.
    """
    import onnx

    files = [path, *data_files(path)]
    if sum(file.stat().st_size for file in files) > _LARGEST_GRAPH_BYTES:
        raise BuildError(
            f"{path} with its external data is larger than 2 GB, more than can be fused or "
            "quantised: remove fused and int8, or name a file that was quantised elsewhere"
        )
    onnx.save(onnx.load(path), target)


def bind(path: Path, material: Material, output: str | None) -> Binding:
    """Return the binding of a graph to the features of a task, after a trial run.

    Raises BuildError if the runtime cannot open the graph, or as `bind_opened` does.
    """
    session = _open(path)
    return bind_opened(
        path,
        material,
        inputs=_described(session.get_inputs()),
        outputs=_described(session.get_outputs()),
        output=output,
        run=lambda name, arrays: session.run([name], arrays)[0],
    )


def _read(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError:
        model = None
    if model is None or not model.graph.output:
        raise UserError(
            f"{path} is not a complete ONNX graph ({path.stat().st_size:,} bytes): it is truncated "
            "or has a different format; download or export it again"
        )
    return model


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _data_file(graph: Path, location: str) -> Path:
    relative = PurePosixPath(location)
    path = graph.parent / relative
    if relative.is_absolute() or ".." in relative.parts:
        raise UserError(
            f"{graph} has external data in {location}, outside its folder: save the graph again "
            "with its data beside it"
        )
    if not path.is_file():
        raise UserError(
            f"{graph} has external data in {path}, which does not exist: copy it to that folder"
        )
    if lfs.is_pointer(path):
        raise UserError(lfs.fetch_it(path))
    return path


def _open(path: Path) -> Any:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BuildError(_cannot_open(path, first_line(error))) from error


def _cannot_open(path: Path, reason: str) -> str:
    import onnxruntime

    model = _read(path)
    runtime = f"ONNX Runtime {onnxruntime.__version__}"
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if newest := re.search(r"support for domain ai\.onnx is till opset (\d+)", reason):
        return (
            f"{path} has opset {opset}, but {runtime} runs opsets up to {newest[1]}: export it "
            f"with opset {newest[1]} or lower, or upgrade onnxruntime"
        )
    if newest := re.search(r"max supported IR version: (\d+)", reason):
        return (
            f"{path} has IR version {model.ir_version}, but {runtime} reads versions up to "
            f"{newest[1]}: save it with a lower ir_version, or upgrade onnxruntime"
        )
    return f"{runtime} cannot open {path} (opset {opset}): {reason}"


def _described(values: Sequence[Any]) -> list[Tensor]:
    return [
        Tensor(
            value.name,
            _TYPES.get(value.type, value.type),
            tuple(size if isinstance(size, int) else None for size in value.shape or ()),
        )
        for value in values
    ]


_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(string)": "object",
    **{
        f"tensor({name})": name
        for name in ("float16", "bool", "uint8", "int8", "uint16", "int16", "int32", "int64")
    },
}
"""NumPy's names of the runtime's types."""
