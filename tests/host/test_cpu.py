from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.host import cpu

Machine = Callable[[Mapping[str, str]], Path]

SAPPHIRE_RAPIDS = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R)  Platinum 8488C
flags\t\t: fpu sse2 avx avx2 avx512f avx512_vnni amx_bf16 amx_tile amx_int8 avx_vnni

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: another one
flags\t\t: fpu"""

GRAVITON3 = """\
processor\t: 0
Features\t: fp asimd evtstrm aes sha1 asimddp sve i8mm bf16
CPU implementer\t: 0x41
CPU part\t: 0xd40"""


def test_an_intel_server(machine: Machine) -> None:
    root = machine({"proc/cpuinfo": SAPPHIRE_RAPIDS})
    assert cpu.model(root) == "Intel(R) Xeon(R) Platinum 8488C"
    assert cpu.vendor(root) == "GenuineIntel"
    assert cpu.instruction_sets(root) == (
        "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16",
    )  # fmt: skip


def test_an_arm_server_has_no_model_name_but_a_known_core(machine: Machine) -> None:
    root = machine({"proc/cpuinfo": GRAVITON3})
    assert cpu.model(root) == "ARM Neoverse-V1"
    assert cpu.instruction_sets(root) == ("asimd", "asimddp", "i8mm", "sve", "bf16")


def test_an_unknown_arm_core(machine: Machine) -> None:
    root = machine({"proc/cpuinfo": GRAVITON3.replace("0xd40", "0xfff")})
    assert cpu.model(root) == "ARM part 0xfff"


@pytest.mark.parametrize("name", ["avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"])
def test_int8_dot_products(name: str) -> None:
    assert name in cpu.FOR_INFERENCE
    assert cpu.has_int8_dot_products(["avx2", name])
    assert not cpu.has_int8_dot_products(["avx2", "avx512f", "amx_bf16", "asimd"])


def test_on_other_systems_py_cpuinfo_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def answer() -> dict[str, Any]:
        asked.append(1)
        return {
            "brand_raw": "Apple M3",
            "vendor_id_raw": "Apple",
            "flags": ["AVX512VNNI", "avx2", "sse"],
        }

    monkeypatch.setitem(sys.modules, "cpuinfo", SimpleNamespace(get_cpu_info=answer))
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    cpu.py_cpuinfo.cache_clear()
    try:
        assert cpu.model(tmp_path) == "Apple M3"
        assert cpu.vendor(tmp_path) == "Apple"
        assert cpu.instruction_sets(tmp_path) == ("avx2", "avx512_vnni", "asimd")
        assert len(asked) == 1
    finally:
        cpu.py_cpuinfo.cache_clear()


def test_a_py_cpuinfo_that_fails_leaves_facts_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cpuinfo", SimpleNamespace())
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    cpu.py_cpuinfo.cache_clear()
    try:
        assert cpu.model(tmp_path) is None
        assert cpu.instruction_sets(tmp_path) == ()
    finally:
        cpu.py_cpuinfo.cache_clear()


def test_siblings_share_a_core(machine: Machine) -> None:
    siblings = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    pairs = {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}
    root = machine({siblings.format(number): pair for number, pair in pairs.items()})
    assert cpu.physical_cores(root) == 2


def test_clock_and_governor(machine: Machine) -> None:
    folder = "sys/devices/system/cpu"
    root = machine(
        {
            f"{folder}/cpu0/cpufreq/scaling_governor": "performance",
            f"{folder}/cpu1/cpufreq/scaling_governor": "powersave",
            f"{folder}/cpu0/cpufreq/cpuinfo_min_freq": "800000",
            f"{folder}/cpu0/cpufreq/cpuinfo_max_freq": "3500000",
            f"{folder}/cpu1/cpufreq/cpuinfo_min_freq": "400000",
            f"{folder}/cpu1/cpufreq/cpuinfo_max_freq": "2200000",
        }
    )
    assert cpu.governor(root) == "performance,powersave"
    assert cpu.frequency_hz("min", root) == 400_000_000
    assert cpu.frequency_hz("max", root) == 3_500_000_000


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("intel_pstate/no_turbo", "0", True),
        ("intel_pstate/no_turbo", "1", False),
        ("cpufreq/boost", "1", True),
        ("cpufreq/boost", "0", False),
    ],
)
def test_turbo(machine: Machine, name: str, text: str, expected: bool) -> None:
    assert cpu.turbo(machine({f"sys/devices/system/cpu/{name}": text})) is expected


def test_the_clock_is_unknown_in_a_virtual_machine(tmp_path: Path) -> None:
    assert cpu.governor(tmp_path) is None
    assert cpu.turbo(tmp_path) is None
    assert cpu.frequency_hz("max", tmp_path) is None


def test_cores_outside_the_affinity_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[object] = []
    monkeypatch.setattr(cpu, "usable_cores", lambda: [1, 3])
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cores: pinned.append(cores))
    with pytest.raises(
        UserError, match=r"cpus=\(0, 1, 7\).* may not use cores 0, 7, only cores 1, 3"
    ):
        cpu.pin((0, 1, 7))
    cpu.pin((3,))
    assert pinned == [(3,)]


def test_a_system_that_cannot_pin_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    with pytest.raises(UserError, match="cannot pin processes to cores"):
        cpu.pin((0,))
