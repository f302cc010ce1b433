"""Backend for any function of the user's project."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from pytest_infperf.errors import UserError
from pytest_infperf.host.cpu import usable_cores
from pytest_infperf.suite import functions
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.runner import Runner
from pytest_infperf.suite.task import Decoding, Task


@dataclass(frozen=True)
class Function(Backend):
    """Your own inference code, such as a pipeline of transformers or scikit-learn.

    The function gets the task's inputs unchanged, such as texts, and returns the task's outputs,
    such as labels. The task's codec is not used, and a model is optional. Nothing is built or
    cached: each worker imports the module and calls `load`, so `--infperf-against` compares the
    code of two revisions. `size` is that of the model's files, and is not measured without a model.

    Parameters
    ----------
    function : str
        ``"package.module:load"``, a function in a module beside suite.py, in the project's root or
        installed. ``load(folder, threads)`` gets the folder of the model (of the suite if there is
        no model) as a `pathlib.Path`, and the number of threads, or None for the default. It
        returns a callable from a list of inputs to the list of their outputs, in JSON types. If
        the task has decoding settings, the callable is compared with other variants only if it has
        an attribute `decoding`, a mapping of the settings that it uses.
    model, id, threads, cpus, python
        As in `Backend`; the id defaults to ``"function"``.

    Raises
    ------
    UserError
        If `function` is not a valid name (at once); if there is no such module or function, or if
        `load` raises or does not return a callable (when the variant is loaded); or if a call does
        not return a list with one output per input.

    Examples
    --------
    >>> from pytest_infperf import Function
    >>> Function("shop.inference:load", id="pipeline").variant_id
    'pipeline'
    """

    function: str

    def __post_init__(self) -> None:
        functions.check_name(self.function, self._name)

    @property
    def _name(self) -> str:
        return f"Function({self.function!r})"

    @property
    def default_id(self) -> str:
        return "function"

    @property
    def answers_inputs(self) -> bool:
        return True

    def beside(self, folder: Path, package: str) -> Self:
        return replace(self, function=functions.beside(self.function, folder, package))

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        (folder / "function.json").write_text(json.dumps({"function": self.function}))
        return {}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        load = functions.imported(self.function, self._name)
        try:
            answer = load(artifact, threads)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{self._name} raised {functions.described(error)}") from error
        if not callable(answer):
            raise UserError(
                f"{self._name} returned {_kind(answer)}, which is not callable: return a callable "
                "from a list of inputs to the list of their outputs"
            )
        decoding = getattr(answer, "decoding", {})
        if not isinstance(decoding, Mapping):
            raise UserError(
                f"{self._name} returned a callable whose `decoding` is {_kind(decoding)}: it must "
                'be a mapping of settings, such as {"beams": 4}'
            )
        return FunctionRunner(self._name, answer, dict(decoding), threads or len(usable_cores()))


class FunctionRunner:
    """Runner of `Function`: calls the callable of `load` and checks its outputs."""

    def __init__(
        self, name: str, answer: Callable[[Any], Any], decoding: Decoding, threads: int
    ) -> None:
        self.decoding = decoding
        self.threads = threads
        self._name = name
        self._answer = answer

    def infer(self, features: list[Any]) -> list[Any]:
        count = len(features)
        outputs = self._answer(features)
        if not isinstance(outputs, list):
            hint = ": return its tolist()" if hasattr(outputs, "tolist") else ""
            raise UserError(
                f"what {self._name} returned answered with {_kind(outputs)}, not with a list{hint}"
            )
        if len(outputs) != count:
            raise UserError(
                f"the callable of {self._name} returned {len(outputs)} outputs for {count} inputs: "
                "it must return one output per input, in the same order"
            )
        return outputs


def _kind(value: Any) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"
