"""What all of ONNX Runtime's ways to int8 share: the host's range, and advice nobody asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_infperf.host.cpu import instruction_sets

_X86 = {"avx2", "avx512f"}
_X86_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8"}


def needs_reduced_range() -> bool:
    """Without dot products, x86 adds pairs of products in 16 bits, which 8-bit weights overflow."""
    known = set(instruction_sets())
    return bool(known & _X86) and not known & _X86_DOT_PRODUCTS


@contextmanager
def without_preprocessing_advice() -> Iterator[None]:
    """Keep onnxruntime from advising its optimiser, which runs when a graph is loaded."""

    def is_other(record: logging.LogRecord) -> bool:
        return "pre-processing before quantization" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(is_other)
    try:
        yield
    finally:
        root.removeFilter(is_other)
