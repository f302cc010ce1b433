"""Conversion of backends to import paths and field values, to send them to a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from inspect import isfunction
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.suite.backend import Backend


def describe(backend: Any) -> dict[str, Any]:
    """Return `{"type": "package.module:Class", "fields": {...}}`, in JSON types.

    Fields can be dataclasses, such as payloads, and classes and functions of modules.
    """
    values = {field.name: getattr(backend, field.name) for field in fields(backend)}
    return {
        "type": _name(type(backend)),
        "fields": {name: _described(value) for name, value in values.items()},
    }


def _described(value: Any) -> Any:
    if isinstance(value, type) or isfunction(value):
        return {"named": _name(value)}
    return describe(value) if is_dataclass(value) else value


def _name(named: Any) -> str:
    """Return the name by which any process imports a class or function."""
    if not named.__qualname__.isidentifier():
        raise UserError(
            f"{named.__module__}: workers import {named.__qualname__} by name: define it at the "
            "top level of a module"
        )
    return f"{named.__module__}:{named.__qualname__}"


def restore(description: Mapping[str, Any]) -> Backend:
    """Return the backend that `describe` described."""
    values = {name: _restored(value) for name, value in description["fields"].items()}
    backend: Backend = _imported(description["type"])(**values)
    return backend


def _imported(named: str) -> Any:
    module, _, name = named.partition(":")
    return getattr(import_module(module), name)


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"type", "fields"}:
        return restore(value)
    if isinstance(value, dict) and value.keys() == {"named"}:
        return _imported(value["named"])
    return tuple(value) if isinstance(value, list) else value
