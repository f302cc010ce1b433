"""The methods that tests call on their `variant`, read from the source.

Only calls on a function's parameter `variant` count; `json.load(file)` in the same file does not.
The marker `infperf(calls=...)` declares calls that the source of the test does not show, such as
those of an imported helper. The name of a load, sweep or protocol is read if it is a constant or
made from the constants of `pytest.mark.parametrize`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pytest_infperf.errors import UserError
from pytest_infperf.records.catalogue import MeasureSpec, Method
from pytest_infperf.records.points import parameter_of, point_of

METHODS: tuple[Method, ...] = get_args(Method)
_FIXTURE = "variant"
_NAMED: Mapping[Method, str] = {"load": "name", "sweep": "parameter", "protocol": "name"}
"""The methods that measure at points, and their parameter for the load, sweep or protocol."""


class Call(NamedTuple):
    """A call of a method on `variant`."""

    method: Method
    name: str | None = None
    """The load, sweep or protocol; None if it is not known, and for other methods."""

    def measures(self, spec: MeasureSpec) -> bool:
        """Return whether the call may give a measure."""
        if spec.method != self.method:
            return False
        point = point_of(spec.name)
        return self.name in (None, parameter_of(point) if self.method == "sweep" else point)


Calls = Mapping[str, frozenset[Call]]
"""The calls of each function of a file, by the function's qualified name."""


def called_in_folder(folder: Path) -> set[Call]:
    """Return the calls of all files in a suite's folder.

    Files that were not collected are included, because they may be part of another run.
    """
    files = (called_in_file(path) for path in sorted(folder.glob("*.py")))
    return {call for functions in files for calls in functions.values() for call in calls}


def called_by(function: Callable[..., Any]) -> frozenset[Call]:
    """Return the calls of one test."""
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None)
    if code is None:
        return frozenset()
    return called_in_file(Path(code.co_filename)).get(inner.__qualname__, frozenset())


@cache
def called_in_file(path: Path) -> Calls:
    """Return the calls of each function of a file; empty if it is not valid Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError):  # pytest reports it if the file is collected
        return {}
    return {name: _called_on_variant(function) for name, function in _functions(tree, "")}


def declared(marker: Mapping[str, Any], test_file: Path) -> set[Call]:
    """Return the calls that the arguments of a marker `infperf` declare.

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
                    f"{test_file}: unknown argument {word!r} of the marker infperf; "
                    + (f"did you mean {near[0]}?" if near else f"valid are {', '.join(known)}")
                )
    return {Call(method) for method in METHODS if method in calls}


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


def _called_on_variant(function: _Function) -> frozenset[Call]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if _FIXTURE not in (argument.arg for argument in named):
        return frozenset()
    nodes = list(ast.walk(function))
    called = {id(node.func): node for node in nodes if isinstance(node, ast.Call)}
    stored = {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    parameters = {
        name: values for name, values in _parametrized(function).items() if name not in stored
    }
    return frozenset(
        call
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == _FIXTURE
        for call in _calls(node.attr, called.get(id(node)), parameters)
    )


def _calls(name: str, call: ast.Call | None, parameters: Mapping[str, Sequence[Any]]) -> set[Call]:
    """Return the possible calls of one use of a method; `call` is None if it is not called."""
    method = next((method for method in METHODS if method == name), None)
    if method is None:
        return set()
    if method not in _NAMED:
        return {Call(method)}
    arguments = [] if call is None else [*call.args]
    if call:
        arguments += [each.value for each in call.keywords if each.arg == _NAMED[method]]
    texts = _texts(arguments[0], parameters) if arguments else None
    return {Call(method)} if texts is None else {Call(method, text) for text in texts}


def _texts(node: ast.expr, parameters: Mapping[str, Sequence[Any]]) -> set[str] | None:
    """Return the possible values of a constant, parameter or f-string; None for others."""
    match node:
        case ast.Constant(value=value):
            return {str(value)}
        case ast.Name(id=name) if name in parameters:
            return {str(value) for value in parameters[name]}
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return _texts(value, parameters)
        case ast.JoinedStr(values=values):
            parts = [_texts(value, parameters) for value in values]
            if all(part is not None for part in parts):
                return {"".join(texts) for texts in product(*(part or () for part in parts))}
    return None


def _parametrized(function: _Function) -> dict[str, Sequence[Any]]:
    """Return the constant values of a function's parameters in `pytest.mark.parametrize`."""
    values: dict[str, Sequence[Any]] = {}
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(
                func=ast.Attribute(attr="parametrize"), args=[ast.Constant(value=str(name)), given]
            ) if name.isidentifier():
                constants = _constants(given)
                if constants is not None:
                    values[name] = constants
    return values


def _constants(node: ast.expr) -> Sequence[Any] | None:
    try:
        found = ast.literal_eval(node)
    except ValueError:
        return None
    return found if isinstance(found, list | tuple) else None


def points_named(
    called: Iterable[Call], sweeps: Mapping[str, Sequence[str]]
) -> dict[Method, set[str]]:
    """Return the points that calls measure, by method, without methods that may measure any point.

    Parameters
    ----------
    called : iterable of Call
        The calls.
    sweeps : mapping of str to sequence of str
        The points of each sweep, by its parameter.
    """
    points: dict[Method, set[str]] = {}
    open_ended = {call.method for call in called if call.name is None}
    for method, name in called:
        if name is not None and method not in open_ended:
            more = {name, *sweeps.get(name, ())} if method == "sweep" else {name}
            points.setdefault(method, set()).update(more)
    return points
