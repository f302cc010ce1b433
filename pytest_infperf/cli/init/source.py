"""The model of a new suite: a folder, hub id, ONNX file or function, and its description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_infperf.artifacts import models
from pytest_infperf.cli.init.choices import FILE_VARIANTS, TASKS
from pytest_infperf.errors import UserError
from pytest_infperf.repository import lfs
from pytest_infperf.suite import functions

_CONFIG = "config.json"
_WRITE_A_FUNCTION = "write a function that runs it, and give it as --function package.module:load"


@dataclass(frozen=True)
class Source:
    """The model or function that a new suite measures."""

    model: str | None = None
    """Hub id, or path of the model's folder relative to the project's root; None for none."""
    folder: Path | None = None
    """The model's folder, if it is here."""
    file: str | None = None
    """The ONNX graph, relative to the model's folder."""
    function: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    """The model's `config.json`; empty if it has none here."""
    task: str | None = None
    """Key of the model's task in TASKS; None if it is not known."""
    variants: Sequence[str] = ()
    """Ids of the variants of the file or of the function; empty for those of the task."""

    @property
    def labels(self) -> Sequence[str]:
        """The labels of the model, if its configuration contains them."""
        names = self.config.get("id2label")
        return [str(name) for name in names.values()] if isinstance(names, Mapping) else []

    @property
    def default_name(self) -> str:
        """A name for the suite."""
        text = self.function.split(":")[0].split(".")[0] if self.function else str(self.model)
        if self.file and self.folder:
            text = Path(self.file).stem if Path(self.file).stem != "model" else self.folder.name
        name = re.sub(r"\W+", "_", Path(text.partition("@")[0]).name).strip("_")
        return name if name.isidentifier() else "model"

    def described(self) -> str:
        """Return a description of the source in one line."""
        parts = [", ".join(map(str, self.config.get("architectures") or []))]
        if self.file:
            parts.append(f"the graph {self.file}")
        if self.function:
            parts.append(f"the function {self.function}")
        if labels := self.labels:
            shown = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
            parts.append(f"{len(labels)} labels ({shown})")
        if self.task:
            parts.append(f"task {self.task}")
        return "; ".join(filter(None, parts))


def source_of(model: str | None, function: str | None, root: Path) -> Source:
    """Return the source in the options: `model` is a folder, hub id, ONNX file or function.

    Raises UserError if it is not one of these, or if files for measuring it are missing.
    """
    if model and not function and functions.is_name(model) and not (root / model).exists():
        model, function = None, model
    if function:
        functions.imported(function, f"--function {function}")
        beside = source_of(model, None, root) if model else Source()
        return Source(
            beside.model,
            beside.folder,
            function=function,
            config=beside.config,
            task=beside.task,
            variants=["function"],
        )
    assert model
    path = root / model
    if path.suffix == ".onnx":
        return _of_file(model, root)
    if path.is_dir():
        config = read_json(path / _CONFIG)
        return Source(model, path, config=config, task=_task_of(path, config))
    if path.exists() or not models.is_hub_id(model):
        raise UserError(
            f"--model: {model} is neither a folder here, nor a hub id (OWNER/NAME, "
            "OWNER/NAME@REVISION), an ONNX file or a function (package.module:load)"
        )
    return Source(model)


def _of_file(model: str, root: Path) -> Source:
    path = root / model
    if lfs.is_pointer(path):
        raise UserError(lfs.fetch_it(path))
    if not path.is_file():
        raise UserError(f"--model: there is no ONNX file {path}")
    inputs, outputs, is_quantised = _graph(path)
    folder = next(
        (parent for parent in path.parents[:2] if (parent / _CONFIG).is_file()), path.parent
    )
    config = read_json(folder / _CONFIG)
    if not config:
        raise UserError(
            f"{model} has no {_CONFIG} beside it, which describes its outputs; the graph has the "
            f"inputs {', '.join(inputs)} and the outputs {', '.join(outputs)}. Copy the "
            f"{_CONFIG} of the model that it was exported from beside it, with its "
            f"{_beside(inputs)}; or {_WRITE_A_FUNCTION}{_of_tables(inputs)}"
        )
    variants = [v for v in FILE_VARIANTS if not (is_quantised and v.endswith("int8"))]
    return Source(
        folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder),
        folder,
        file=path.relative_to(folder).as_posix(),
        config=config,
        task=_task_of(folder, config) or _task_of_graph(inputs, outputs),
        variants=variants,
    )


def _graph(path: Path) -> tuple[list[str], list[str], bool]:
    """Return the inputs and outputs of a graph, and whether it is quantised."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise UserError(
            f'reading {path} needs: pip install "pytest-infperf[onnxruntime]"'
        ) from error
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except DecodeError:
        graph = None
    if graph is None or not graph.output:
        raise UserError(f"{path} is not a complete ONNX graph: download or export it again")
    weights = {tensor.name for tensor in graph.initializer}
    return (
        [value.name for value in graph.input if value.name not in weights],
        [value.name for value in graph.output],
        any("Quantize" in node.op_type for node in graph.node),
    )


def _of_tables(inputs: Sequence[str]) -> str:
    if "input_ids" in inputs:
        return ""
    return (
        ". For the rows of a table, write a suite with TabularClassification or TabularRegression "
        "and Onnx(file=...), as docs/tasks.md shows"
    )


def _beside(inputs: Sequence[str]) -> str:
    return "tokenizer.json" if "input_ids" in inputs else "preprocessor_config.json"


def with_remedy(error: UserError, source: Source) -> UserError:
    """Return the error of a model's files, with a remedy for an ONNX file without other files."""
    if not source.file:
        return error
    return UserError(
        f"{error}. Copy the files of the model that {source.file} was exported from beside it, or "
        f"{_WRITE_A_FUNCTION}"
    )


def hub_task(model: str) -> tuple[Mapping[str, Any], str | None]:
    """Return the configuration of a model of the hub, or of its cache, and its task."""
    try:
        from huggingface_hub import hf_hub_download

        repository, _, revision = model.partition("@")
        path = Path(hf_hub_download(repository, _CONFIG, revision=revision or None))
    except Exception:  # without a network or a configuration, the user specifies the task
        return {}, None
    config = read_json(path)
    return config, _task_of(path.parent, config)


def read_json(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _task_of(folder: Path, config: Mapping[str, Any]) -> str | None:
    """Return the task that the files of a model identify."""
    task = next(_tasks_of(folder, config), None)
    if task == "classification" and len(config.get("id2label") or (0, 1)) == 1:
        return "regression"
    return task


def _tasks_of(folder: Path, config: Mapping[str, Any]) -> Iterator[str]:
    names = config.get("architectures")
    architectures = [str(name) for name in names] if isinstance(names, list) else []
    for task, template in TASKS.items():
        if template.marker and (folder / template.marker).is_file():
            yield task
    for task, template in TASKS.items():
        ending = template.architectures
        if ending and any(name.endswith(ending) for name in architectures):
            yield task


def _task_of_graph(inputs: Sequence[str], outputs: Sequence[str]) -> str | None:
    for task, template in TASKS.items():
        taken, given = template.graph
        if taken in inputs and given in outputs:
            return task
    return None
