"""Base class of backends for a model file: `build` copies the file, and `load` opens it."""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Protocol

from pytest_infperf.artifacts.models import find_file
from pytest_infperf.errors import BuildError, UserError
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.columns import Columns
from pytest_infperf.suite.labels import listed
from pytest_infperf.suite.runner import Runner
from pytest_infperf.suite.task import Decoding, Task


class OpenedModel(Protocol):
    """A model opened from a file.

    Attributes
    ----------
    threads : int
        The number of threads in use.
    evidence : mapping
        Facts about the file for the record.
    """

    threads: int
    evidence: Mapping[str, Any]

    def answer(self, features: Any) -> Any:
        """Return an array with a row for each row of the features.

        Raises UserError if the features lack a column or are not numbers.
        """


@dataclass(frozen=True)
class ModelFile(Backend):
    """A model in a file that was saved by its library."""

    file: str
    _: KW_ONLY

    @property
    def default_id(self) -> str:
        return type(self).__name__.lower()

    @property
    def needs_model(self) -> bool:
        return False

    @property
    def model_files(self) -> tuple[str, ...]:
        return (self.file,)

    def files(self, model: Path, folder: Path) -> list[Path]:
        return [find_file(self.file, model, folder)]

    @abstractmethod
    def opened(self, path: Path, threads: int | None) -> OpenedModel:
        """Open a file with a number of threads; None means the library's default.

        Raises UserError if the file cannot be read.
        """

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        path = find_file(self.file, material.model, material.folder or material.data)
        if material.task.generates:
            raise BuildError(f"{path} is a one-pass model, but this task generates text")
        model, codec = self.opened(path, None), material.codec()
        samples = material.task.samples(material.data).inputs
        for query in ([samples[0], samples[-1]], samples[:1]):
            features = codec.encode(query)
            try:
                outputs = codec.decode(model.answer(features), features)
            except UserError as error:
                raise UserError(f"{path}: {error}") from error
            except Exception as error:  # any error of the library or of the user's steps
                raise BuildError(
                    f"{path} cannot run a query of {len(query)} rows: "
                    f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
                ) from error
            if len(outputs) != len(query):
                raise BuildError(
                    f"{path} returned {len(outputs)} outputs for {len(query)} rows: it must return "
                    "one for each row"
                )
        shutil.copy(path, folder / path.name)
        return dict(model.evidence)

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        model = self.opened(artifact / Path(self.file).name, threads)
        return ModelFileRunner(model, task.decoding)


class ModelFileRunner:
    """Runner of a model opened from a file."""

    def __init__(self, model: OpenedModel, decoding: Decoding) -> None:
        self._model = model
        self.decoding = decoding
        self.threads = model.threads

    def infer(self, features: Any) -> Any:
        return self._model.answer(features)


def numbers(features: Any, names: Sequence[str] | None) -> Any:
    """Return the input array of a numeric model, shape [batch, columns].

    Parameters
    ----------
    features : mapping of str to ndarray
        The features of a query.
    names : sequence of str, optional
        The columns on which the model was trained; None means all, in their order.

    Raises
    ------
    UserError
        If a column is missing or contains texts, or if there are several arrays that are not
        columns.
    """
    if not isinstance(features, Columns):
        return only_array(features)
    require_columns(features, names or ())
    if features.matrix is None:
        texts = [name for name, kind in features.kinds.items() if kind is str]
        raise UserError(
            f"the columns {listed(texts)} have texts, but the model requires numbers: exclude them "
            "with features=(...), or encode them in a Function"
        )
    return features.matrix if names is None else features.selected(names)


def require_columns(features: Columns, names: Sequence[str]) -> None:
    """Check that the features have all columns on which a model was trained.

    Raises UserError if a column is missing.
    """
    if missing := [name for name in names if name not in features.kinds]:
        raise UserError(
            f"the data lacks the columns {listed(missing)}, on which the model was trained: it has "
            f"{listed([*features.kinds])}"
        )


def only_array(features: Any) -> Any:
    """Return the only array of features that are not columns of a table.

    Raises UserError if there are several.
    """
    if not isinstance(features, Mapping) or len(features) != 1:
        names = listed([*features]) if isinstance(features, Mapping) else "no arrays"
        raise UserError(
            f"the model requires one array with a row for each sample, but the task has {names}"
        )
    return next(iter(features.values()))


def two_columns(second: Any) -> Any:
    """Return the values of both classes, shape [batch, 2], from those of the second class."""
    import numpy as np

    return np.stack([1 - second, second], axis=1)
