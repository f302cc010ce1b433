"""ONNX graphs of one-pass models, from arrays by name to one array.

A variant is built in a folder: `export` writes the graph, and `fuse` and the quantisations replace
it if the variant is fused or quantised. The functions import their libraries when they are called.
"""

from pytest_infperf.backends.onepass.export import MODEL, export
from pytest_infperf.backends.onepass.fuse import can_be_fused, fuse
from pytest_infperf.backends.onepass.quantize import (
    int8_operators,
    quantize_dynamically,
    quantize_statically,
)

__all__ = [
    "MODEL",
    "can_be_fused",
    "export",
    "fuse",
    "int8_operators",
    "quantize_dynamically",
    "quantize_statically",
]
