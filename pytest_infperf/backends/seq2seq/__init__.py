"""ONNX variants of encoder-decoder models, each one graph from token ids to decoded token ids.

Build one in a folder: `export`, then `fuse` and `quantize` if the variant asks for them, then
`compose`. Nothing heavy is imported before one of them runs.
"""

from pytest_infperf.backends.seq2seq.compose import compose
from pytest_infperf.backends.seq2seq.export import export
from pytest_infperf.backends.seq2seq.fuse import fuse
from pytest_infperf.backends.seq2seq.generation import Generation
from pytest_infperf.backends.seq2seq.quantize import quantize

__all__ = ["Generation", "compose", "export", "fuse", "quantize"]
