from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_infperf.host import gpu

Machine = Callable[[Mapping[str, str]], Path]


def test_the_names_of_all_gpus(machine: Machine) -> None:
    root = machine(
        {
            "proc/driver/nvidia/gpus/0000:00:1e.0/information": "Model: \t\t NVIDIA A10G\nIRQ: 47",
            "proc/driver/nvidia/gpus/0000:00:1f.0/information": "Model: \t\t Tesla T4\nIRQ: 48",
        }
    )
    assert gpu.models(root) == ["NVIDIA A10G", "Tesla T4"]


def test_none_without_the_driver(tmp_path: Path) -> None:
    assert gpu.models(tmp_path) is None
