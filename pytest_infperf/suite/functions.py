"""Functions of the user's project, named as `package.module:function`."""

from __future__ import annotations

import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_infperf.errors import UserError


def is_name(text: str) -> bool:
    """Return whether a text has the form `package.module:function`."""
    module, colon, function = text.partition(":")
    parts = [*module.split("."), function]
    return bool(colon) and all(map(str.isidentifier, parts))


def check_name(name: str, owner: str) -> None:
    """Check that a name has the form `package.module:function`.

    Raises UserError otherwise; `owner` is shown in the message, such as `Function('shop:load')`.
    """
    if not is_name(name):
        raise UserError(
            f"{owner}: {name!r} does not name a function: write MODULE:FUNCTION, such as "
            '"shop.inference:load"'
        )


def beside(name: str, folder: Path, package: str) -> str:
    """Return the full name of a function in a module in the suite's folder.

    It distinguishes modules with the same name beside different suites. Other names are returned
    unchanged.

    Parameters
    ----------
    name : str
        The name of the function.
    folder : Path
        The folder of the suite.
    package : str
        The package of the suite's module; empty if it is in none.
    """
    path = folder.joinpath(*name.partition(":")[0].split("."))
    is_there = path.with_name(f"{path.name}.py").is_file() or (path / "__init__.py").is_file()
    return f"{package}.{name}" if package and is_there else name


def imported(name: str, owner: str) -> Callable[..., Any]:
    """Import a module and return its function.

    Parameters
    ----------
    name : str
        The name of the function.
    owner : str
        The object that names the function, for messages.

    Raises
    ------
    UserError
        If there is no such module or function, or the module cannot be imported.
    """
    module_name, _, function = name.partition(":")
    try:
        module = import_module(module_name)
    except UserError:
        raise
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{module_name}.".startswith(f"{missing}."):
            raise UserError(
                f"{owner}: there is no module {missing}{_nearest_module(missing)}. It must be "
                "beside suite.py or in the project's root, or be installed"
            ) from error
        raise UserError(f"{owner}: importing {module_name} raised {described(error)}") from error
    found = getattr(module, function, None)
    if not callable(found):
        lacks = f"has no {function}" if found is None else f"has a {function} that is not callable"
        near = _nearest(function, _callables(module))
        raise UserError(f"{owner}: {module.__file__} {lacks}{near}")
    return found  # type: ignore[no-any-return]


def described(error: Exception) -> str:
    """Return the type of an error, its message, and the line that raised it."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen ")
    ]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def _callables(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if callable(value)]


def _nearest_module(missing: str) -> str:
    package, _, name = missing.rpartition(".")
    path = getattr(sys.modules[package], "__path__", []) if package else None
    return _nearest(name, (found.name for found in pkgutil.iter_modules(path)))


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return "did you mean" with the nearest known name; empty if none is near."""
    near = get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
