"""Settings for all quantisation with ONNX Runtime."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_infperf.host.cpu import has_int8_dot_products, instruction_sets

_X86 = {"avx2", "avx512f"}


def needs_reduced_range() -> bool:
    """Return whether weights must be limited to 7 bits on this host.

    x86 CPUs without int8 dot products add pairs of products in 16 bits, and the sums of products of
    8-bit weights overflow.
    """
    known = set(instruction_sets())
    return bool(known & _X86) and not has_int8_dot_products(known)


@contextmanager
def without_preprocessing_advice() -> Iterator[None]:
    """Hide onnxruntime's advice to run its optimiser; loading a graph runs it in any case."""

    def is_other_message(record: logging.LogRecord) -> bool:
        return "pre-processing before quantization" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(is_other_message)
    try:
        yield
    finally:
        root.removeFilter(is_other_message)
