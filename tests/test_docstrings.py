"""Every public name is documented, with its fields, parameters and methods."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

import pytest_infperf

PUBLIC = sorted(pytest_infperf.__all__)
ERRORS = {name for name in PUBLIC if issubclass(getattr(pytest_infperf, name), BaseException)}


def public(name: str) -> Any:
    return getattr(pytest_infperf, name)


def described(docstring: str) -> set[str]:
    """Return the names that the sections Parameters and Attributes describe."""
    names: set[str] = set()
    for line in re.findall(r"^( *[\w, ]+?)(?: : .+)?\n +\S", docstring, flags=re.MULTILINE):
        names |= {name.strip() for name in line.split(",")}
    return names


def fields_of(cls: type) -> list[str]:
    """Return the parameters of the class and its bases that are fields."""
    if not dataclasses.is_dataclass(cls):
        return []
    return [field.name for field in dataclasses.fields(cls) if field.init]


def own_methods(cls: type) -> Iterator[tuple[str, Any]]:
    for name, member in vars(cls).items():
        function = member.fget if isinstance(member, property) else member
        if inspect.isfunction(function) and not name.startswith("_"):
            yield name, function


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_says_what_it_is(name: str) -> None:
    docstring = inspect.getdoc(public(name)) or ""
    assert docstring.partition("\n")[0].endswith("."), docstring


@pytest.mark.parametrize("name", sorted({*PUBLIC} - ERRORS))
def test_the_fields_of_a_public_class_are_described(name: str) -> None:
    cls = public(name)
    docstring = "\n".join(inspect.cleandoc(c.__doc__ or "") for c in cls.__mro__[:-1])
    source = "\n".join(inspect.getsource(c) for c in cls.__mro__[:-1] if c.__module__ != "abc")
    documented = {
        *described(docstring),
        *re.findall(r'^    (\w+): [^\n]+\n    """', source, flags=re.MULTILINE),
    }
    assert [field for field in fields_of(cls) if field not in documented] == []


@pytest.mark.parametrize("name", sorted({*PUBLIC} - ERRORS))
def test_the_methods_of_a_public_class_say_what_they_do(name: str) -> None:
    cls = public(name)
    for method, function in own_methods(cls):
        docstring = inspect.getdoc(getattr(cls, method)) or function.__doc__
        assert docstring, f"{name}.{method} has no docstring"
        parameters = [p for p in inspect.signature(function).parameters if p != "self"]
        if function.__doc__ and "Parameters\n" in docstring:
            assert {*parameters} <= described(docstring), f"{name}.{method}"


def test_sections_are_read_correctly() -> None:
    text = (
        "X.\n\nParameters\n----------\na : int\n    One.\n"
        "b, c : float, default 2\n    Two.\nd\n    3."
    )
    assert {"a", "b", "c", "d"} <= described(text)
