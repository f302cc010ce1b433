"""One call of a function as a suite with one variant.

The function and its arguments are pickled. Pickle stores a function as its module and name, so a
worker of another revision calls that revision's function with the same arguments.
"""

from __future__ import annotations

import inspect
import os
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.host.cpu import usable_cores
from pytest_infperf.suite import functions
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.codec import Codec
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.runner import Runner
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.suite import Suite
from pytest_infperf.suite.task import Decoding, Task


class FunctionMissing(UserError):
    """The module, or the function in it, does not exist in this checkout."""


@dataclass(frozen=True)
class CallAddress(SuiteAddress):
    """The data from which any process makes the suite of a call."""

    file: str = ""
    """The file of the module below the root; empty for a module without one."""
    function: str = ""
    """The qualified name of the function in its module."""
    pickled: str = ""
    """The file with the function and its arguments."""
    suite: str = ""
    variant_id: str = ""

    @property
    def path(self) -> Path:
        return Path(self.root, self.file)

    def named(self, suite: str) -> str:
        return f"function {self.module}:{self.function} for {suite}[{self.variant_id}]"

    def load(self) -> Suite:
        """Import the function's module and return the suite.

        Raises
        ------
        FunctionMissing
            If the module or the function does not exist in this checkout.
        UserError
            If the module cannot be imported, or is imported from elsewhere.
        """
        if self.file and self.root not in sys.path:
            sys.path.insert(0, self.root)
        try:
            module = import_module(self.module)
        except Exception as error:
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            if missing and f"{self.module}.".startswith(f"{missing}."):
                raise FunctionMissing(f"there is no module {missing}") from error
            raise UserError(
                f"importing {self.module} raised {functions.described(error)}"
            ) from error
        found = _file_of(module)
        if self.file and os.path.realpath(found) != os.path.realpath(self.path):
            raise UserError(
                f"{self.module} is imported from {found}, not from {self.path}: install the "
                "project with pip install --editable, or add its folder to pytest's `pythonpath`"
            )
        try:
            attrgetter(self.function)(module)
        except AttributeError as error:
            raise FunctionMissing(f"{found} has no {self.function}") from error
        return self.made()

    def made(self) -> Suite:
        """Return the suite, without importing the function's module."""
        variant = Call(self.pickled, id=self.variant_id)
        return Suite(self.suite, task=CallTask(), variants=[variant], folder=self.path.parent)


def address_of(fields: Mapping[str, str]) -> SuiteAddress:
    """Return the address with these fields, of the class that they belong to."""
    return CallAddress(**fields) if "function" in fields else SuiteAddress(**fields)


def pickled_call(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    folder: Path,
    suite: str,
    variant_id: str,
) -> CallAddress:
    """Pickle a call, and return the address of its suite.

    Parameters
    ----------
    function : callable
        The function; other processes must be able to import it by module and name.
    args, kwargs : sequence, mapping
        Its arguments.
    folder : Path
        An empty folder for the pickled call.
    suite, variant_id : str
        The names of the suite and its variant.

    Raises
    ------
    UserError
        If another process cannot import the function or get its arguments.
    """
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    qualified = getattr(function, "__qualname__", None) or ""
    if module is None or not all(map(str.isidentifier, qualified.split("."))):
        raise UserError(
            f"infperf_benchmark: {function!r} cannot be imported by the worker process that "
            "measures it: write a function at the top level of a module, instead of a lambda, a "
            "nested function or an object, and pass its data as arguments"
        )
    name = f"{module.__name__}:{qualified}"
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise UserError(
            f"infperf_benchmark: a call of {name} only creates a coroutine or a generator, whose "
            "work would not be measured: write a function that runs it to completion"
        )
    pickled = b""
    for part, value in (("the function", function), ("its arguments", (args, kwargs))):
        try:
            pickled += pickle.dumps(value)
        except Exception as error:
            raise UserError(
                f"infperf_benchmark: {part} cannot be pickled for the worker that calls {name} "
                f"({type(error).__name__}: {error}): pass plain values, arrays, or objects of "
                "classes at the top level of a module"
            ) from error
    file = folder / "call.pickle"
    file.write_bytes(pickled)
    root, below = _place(module)
    return CallAddress(
        root=str(root),
        module=module.__name__,
        file=below,
        function=qualified,
        pickled=str(file),
        suite=suite,
        variant_id=variant_id,
    )


def _place(module: ModuleType) -> tuple[Path, str]:
    """Return the folder from which a module is imported, and its file relative to that folder.

    The file is empty for a module of the interpreter.
    """
    path = Path(_file_of(module))
    if not path.name:
        return Path(sys.base_prefix), ""
    depth = module.__name__.count(".") + hasattr(module, "__path__")
    root = path.parents[depth]
    return root, str(path.relative_to(root))


def _file_of(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or ""


@dataclass(frozen=True)
class CallTask(Task):
    """The task of a call: one query, without outputs to score."""

    metrics: ClassVar[Sequence[AnyMetric | str]] = ()  # type: ignore[misc]
    sample_size: ClassVar[int] = 1  # type: ignore[misc]

    @property
    def decoding(self) -> Decoding:
        return {}

    def samples(self, folder: Path) -> Samples:
        return Samples(["the call"], [None])

    def codec(self, model: Path) -> Codec:
        raise UserError("a call of a function has no model")


@dataclass(frozen=True)
class Call(Backend):
    """The variant that calls the function."""

    pickled: str

    @property
    def default_id(self) -> str:
        return "call"

    @property
    def answers_inputs(self) -> bool:
        return True

    def recipe(self) -> dict[str, Any]:
        return {"backend": self.default_id}  # nothing is built: all calls share one artifact

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        return {}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        try:
            with Path(self.pickled).open("rb") as file:
                function, (args, kwargs) = pickle.load(file), pickle.load(file)
        except Exception as error:
            raise UserError(
                f"the arguments of the call cannot be read by its worker: "
                f"{functions.described(error)}. Their classes must be importable there"
            ) from error
        call = partial(function, *args, **kwargs)
        return CallRunner(call, threads or len(usable_cores()))


class CallRunner:
    """Runner of `Call`."""

    def __init__(self, call: Callable[[], Any], threads: int) -> None:
        self.decoding: Decoding = {}
        self.threads = threads
        self._call = call

    def infer(self, features: list[Any]) -> list[Any]:
        return [self._call()]
