"""The GPUs of this host, by what NVIDIA's driver says of them."""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.host.cpu import ROOT, read_text

_GPUS = "proc/driver/nvidia/gpus"


def models(root: Path = ROOT) -> list[str] | None:
    """One name a GPU, such as `NVIDIA A10G`; None where there is no such driver."""
    folder = root / _GPUS
    if not folder.is_dir():
        return None
    described = (read_text(path) or "" for path in sorted(folder.glob("*/information")))
    lines = (line.partition(":") for text in described for line in text.splitlines())
    return [value.strip() for name, _, value in lines if name.strip() == "Model"]
