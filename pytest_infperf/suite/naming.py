"""Backends by import path and field values, as they travel to a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

from pytest_infperf.suite.backend import Backend


def describe(backend: Backend) -> dict[str, Any]:
    """`{"type": "package.module:Class", "fields": {...}}`, of JSON's types."""
    kind = type(backend)
    values = {f.name: getattr(backend, f.name) for f in fields(backend)}
    return {
        "type": f"{kind.__module__}:{kind.__qualname__}",
        "fields": {
            name: describe(value) if isinstance(value, Backend) else value
            for name, value in values.items()
        },
    }


def restore(description: Mapping[str, Any]) -> Backend:
    module, _, name = description["type"].partition(":")
    kind: type[Backend] = getattr(import_module(module), name)
    values = {name: _value(value) for name, value in description["fields"].items()}
    return kind(**values)


def _value(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"type", "fields"}:
        return restore(value)
    return tuple(value) if isinstance(value, list) else value
