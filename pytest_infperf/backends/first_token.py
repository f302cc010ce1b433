"""The first token of all outputs of a multilingual model."""

from __future__ import annotations

from pytest_infperf.suite.backend import Material


def first_token(material: Material) -> int | None:
    """Return the token of the task's target language; None if outputs can begin with any token."""
    if not material.task.generates:
        return None
    first: int | None = getattr(material.task.codec(material.model), "first_token", None)
    return first
