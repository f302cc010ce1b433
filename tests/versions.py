"""What tests need of the installed versions."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import pytest

NEEDS_OPTIMUM = pytest.mark.skipif(
    find_spec("optimum") is None, reason="optimum-onnx exports graphs that generate text"
)
BEFORE_TRANSFORMERS_5 = pytest.mark.skipif(
    int(version("transformers").partition(".")[0]) >= 5, reason="of transformers before version 5"
)


def variants(ids: Iterable[str]) -> list[Any]:
    """Return parameters for ids of variants that generate text, of which ONNX needs optimum."""
    return [pytest.param(i, marks=NEEDS_OPTIMUM if i.startswith("onnx") else ()) for i in ids]
