"""Docstrings of public backends and tasks describe every parameter and have examples that run."""

from __future__ import annotations

import doctest
import re
from dataclasses import fields
from importlib import import_module

import pytest

import pytest_infperf
from pytest_infperf.suite.backend import Backend
from pytest_infperf.suite.task import Task

NAMES = sorted(
    name
    for name in pytest_infperf.__all__
    if isinstance(kind := getattr(pytest_infperf, name), type)
    and issubclass(kind, Backend | Task)
    and kind not in (Backend, Task)
)
OF_EVERY_BACKEND = {field.name for field in fields(Backend)}
COMMON = r"    model, id, threads, cpus(, python)?\n        As in `Backend`"


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_described(name: str) -> None:
    public_class = getattr(pytest_infperf, name)
    described = re.findall(r"^    (\w+) : ", public_class.__doc__, re.MULTILINE)
    inherited = OF_EVERY_BACKEND if issubclass(public_class, Backend) else ()
    own = [field.name for field in fields(public_class) if field.name not in inherited]
    assert sorted(described) == sorted(own)
    names_common_ones = re.search(COMMON, public_class.__doc__) is not None
    assert issubclass(public_class, Backend) == names_common_ones


@pytest.mark.parametrize("name", NAMES)
def test_the_example_runs(name: str) -> None:
    public_class = getattr(pytest_infperf, name)
    [example] = doctest.DocTestFinder(recurse=False).find(
        public_class, name, import_module(public_class.__module__)
    )
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0
