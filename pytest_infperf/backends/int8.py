"""Why int8 may be no faster than float32 on this host."""

from __future__ import annotations

from pytest_infperf.host.cpu import instruction_sets

_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "asimddp"}


def doubts() -> list[str]:
    if _DOT_PRODUCTS & set(instruction_sets()):
        return []
    return ["this CPU has no int8 dot products (VNNI, AMX, i8mm): int8 may be slower than float32"]
