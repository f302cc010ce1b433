"""The GPUs of this host, from the files of NVIDIA's driver."""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.host.cpu import ROOT, read_text

_GPUS = "proc/driver/nvidia/gpus"


def models(root: Path = ROOT) -> list[str] | None:
    """Return the model of each GPU, such as "NVIDIA A10G"; None without NVIDIA's driver."""
    folder = root / _GPUS
    if not folder.is_dir():
        return None
    texts = (read_text(path) or "" for path in sorted(folder.glob("*/information")))
    lines = (line.partition(":") for text in texts for line in text.splitlines())
    return [value.strip() for name, _, value in lines if name.strip() == "Model"]
