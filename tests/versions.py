"""Properties of the installed versions that tests need."""

from __future__ import annotations

from importlib.metadata import version

import pytest

TRANSFORMERS = int(version("transformers").partition(".")[0])
"""The major version."""
BEFORE_TRANSFORMERS_5 = pytest.mark.skipif(
    TRANSFORMERS >= 5, reason="of transformers before version 5"
)
SINCE_TRANSFORMERS_5 = pytest.mark.skipif(
    TRANSFORMERS < 5, reason="the model builder of onnxruntime-genai imports transformers 5"
)
