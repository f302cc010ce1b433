"""The methods that the tests of a folder call on their `variant`, read from the source.

Only calls on a function's parameter `variant` count; `json.load(file)` in the same file does not.
The marker `infperf(calls=...)` declares calls that the source of the test does not show, such as
those of an imported helper.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pytest_infperf.errors import UserError
from pytest_infperf.records.catalogue import Method

METHODS: tuple[Method, ...] = get_args(Method)
_FIXTURE = "variant"

Calls = Mapping[str, frozenset[Method]]
"""The methods that each function of a file calls, by the function's qualified name."""


def called_in_folder(folder: Path) -> set[Method]:
    """Return the methods that the files of a suite's folder call.

    All files count, because files that were not collected may be part of another run.
    """
    calls = (called_in_file(path) for path in sorted(folder.glob("*.py")))
    return {method for functions in calls for methods in functions.values() for method in methods}


def called_by(function: Callable[..., Any]) -> frozenset[Method]:
    """Return the methods that a test calls."""
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None)
    if code is None:
        return frozenset()
    return called_in_file(Path(code.co_filename)).get(inner.__qualname__, frozenset())


@cache
def called_in_file(path: Path) -> Calls:
    """Return the methods that the functions of a file call; none if it is not valid Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError):  # pytest reports it if the file is collected
        return {}
    return {name: _called_on_variant(function) for name, function in _functions(tree, "")}


def declared(marker: Mapping[str, Any], test_file: Path) -> set[Method]:
    """Return the methods that the arguments of a marker `infperf` declare.

    Raises
    ------
    UserError
        If the marker has another argument, or names an unknown method.
    """
    calls = marker.get("calls", ())
    calls = [calls] if isinstance(calls, str) else list(calls)
    for words, known in ((marker, ("calls",)), (calls, METHODS)):
        for word in words:
            if word not in known:
                near = get_close_matches(str(word), known, 1)
                raise UserError(
                    f"{test_file}: the marker infperf does not know {word!r}; "
                    + (f"did you mean {near[0]}?" if near else f"it knows {', '.join(known)}")
                )
    return {method for method in METHODS if method in calls}


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, _Function]]:
    """Yield the functions of a module and its classes, with their qualified names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Function):
            yield f"{prefix}{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.stmt):
            yield from _functions(child, prefix)


def _called_on_variant(function: _Function) -> frozenset[Method]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if _FIXTURE not in (argument.arg for argument in named):
        return frozenset()
    names = {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == _FIXTURE
    }
    return frozenset(method for method in METHODS if method in names)
