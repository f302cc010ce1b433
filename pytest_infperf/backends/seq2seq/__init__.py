"""ONNX graphs of encoder-decoder models, from token ids to decoded token ids.

A variant is built in a folder: `export` writes the parts of the model, `fuse` and `quantize`
replace them if the variant is fused or quantised, and `compose` joins them with the decoding to one
graph. The functions import their libraries when they are called.
"""

from pytest_infperf.backends.seq2seq.compose import compose
from pytest_infperf.backends.seq2seq.export import export
from pytest_infperf.backends.seq2seq.fuse import can_be_fused, fuse
from pytest_infperf.backends.seq2seq.generation import Generation
from pytest_infperf.backends.seq2seq.quantize import quantize

__all__ = ["Generation", "can_be_fused", "compose", "export", "fuse", "quantize"]
