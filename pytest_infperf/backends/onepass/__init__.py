"""ONNX variants of models that answer in one pass: arrays by name in, one array out.

Build one in a folder: `export`, then `fuse` and one way to quantise if the variant asks for them.
Nothing heavy is imported before one of them runs.
"""

from pytest_infperf.backends.onepass.export import MODEL, export
from pytest_infperf.backends.onepass.fuse import fuse
from pytest_infperf.backends.onepass.quantize import quantize_dynamically, quantize_statically

__all__ = ["MODEL", "export", "fuse", "quantize_dynamically", "quantize_statically"]
