"""Backends as import path and field values, the form in which they are sent to a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

from pytest_infperf.suite.backend import Backend


def describe(backend: Backend) -> dict[str, Any]:
    """Return `{"type": "package.module:Class", "fields": {...}}`, in JSON's types."""
    backend_type = type(backend)
    values = {field.name: getattr(backend, field.name) for field in fields(backend)}
    return {
        "type": f"{backend_type.__module__}:{backend_type.__qualname__}",
        "fields": {
            name: describe(value) if isinstance(value, Backend) else value
            for name, value in values.items()
        },
    }


def restore(description: Mapping[str, Any]) -> Backend:
    """Return the backend that `describe` described."""
    module, _, name = description["type"].partition(":")
    backend_type: type[Backend] = getattr(import_module(module), name)
    values = {name: _restored(value) for name, value in description["fields"].items()}
    return backend_type(**values)


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"type", "fields"}:
        return restore(value)
    return tuple(value) if isinstance(value, list) else value
