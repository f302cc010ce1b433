"""Control groups of both versions in an imitated file system, and on this host where possible."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_infperf.host import control_group
from pytest_infperf.host.control_group import ControlGroup, ControlGroupError, limited


@pytest.fixture
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait until folders are empty: those of an imitated file system never are."""
    monkeypatch.setattr(control_group, "_EMPTY_WITHIN_S", 0.0)


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def created(cores: float, memory_bytes: int, root: Path) -> ControlGroup:
    """Create a group without removing it: folders of an imitated file system cannot be removed."""
    return limited(cores, memory_bytes, root).__enter__()


@pytest.mark.usefixtures("_no_waiting")
def test_version_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/job\n3:cpu,cpuacct:/job\n",
            "sys/fs/cgroup/cpu,cpuacct/job/cgroup.procs": "",
            "sys/fs/cgroup/memory/job/cgroup.procs": "",
        },
    )
    group = created(0.5, 2**30, root)
    cpu, memory = map(Path, group.folders)
    assert cpu.parent == root / "sys/fs/cgroup/cpu,cpuacct/job"
    assert (cpu / "cpu.cfs_quota_us").read_text() == "50000"
    assert (cpu / "cpu.cfs_period_us").read_text() == "100000"
    assert (memory / "memory.limit_in_bytes").read_text() == str(2**30)
    (memory / "memory.oom_control").write_text("oom_kill_disable 0\noom_kill 3\n")
    assert group.kills() == 3


@pytest.mark.usefixtures("_no_waiting")
def test_version_2_turns_its_controllers_on(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/job\n",
            "sys/fs/cgroup/cgroup.controllers": "cpu memory",
            "sys/fs/cgroup/job/cgroup.procs": "",
        },
    )
    group = created(1.5, 10**9, root)
    [folder] = map(Path, group.folders)
    assert folder.parent == root / "sys/fs/cgroup/job"
    assert (folder / "cpu.max").read_text() == "150000 100000"
    assert (folder / "memory.max").read_text() == "1000000000"
    assert (folder.parent / "cgroup.subtree_control").read_text() == "+memory"
    (folder / "memory.events").write_text("oom 2\noom_kill 2\n")
    assert group.kills() == 2


def test_a_host_with_neither_version_is_reported(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/self/cgroup": "0::/\n"})
    with (
        pytest.raises(
            ControlGroupError, match="no cgroup controller is mounted as cpu or cpu,cpuacct"
        ),
        limited(1.0, root=root),
    ):
        pass


def test_no_limit_makes_no_group() -> None:
    with limited() as group:
        assert group.folders == []
        assert group.kills() == 0


def test_memory_that_runs_out_is_counted_here() -> None:
    hungry = "import os, sys\nopen(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
    hungry += "taken = bytearray(10**9)\nfor i in range(0, 10**9, 4096): taken[i] = 1\n"
    try:
        with limited(memory_bytes=100_000_000) as group:
            [folder] = group.folders
            ended = subprocess.run([sys.executable, "-c", hungry, folder], check=False)
            assert ended.returncode == -9
            assert group.kills() == 1
        assert not Path(folder).exists()
    except ControlGroupError as reason:
        pytest.skip(str(reason))
