"""The cores that the threads of a worker may run on, in a process with two threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.worker.parent import WorkerProcess

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
WITH_A_POOL = """
import os, threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
with open("starting", "w") as file:
    file.write(str(os.getpid()))
os.rename("starting", "has a pool")
time.sleep(60)
"""

pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="needs two cores, and Linux")


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WorkerProcess]:
    package = tmp_path / "pytest_infperf" / "worker"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "child.py").write_text(WITH_A_POOL)
    checkout = Checkout(tmp_path, (str(tmp_path),), Path(sys.executable))
    worker = WorkerProcess("pool", checkout, timeout_s=10)
    yield worker
    worker.close()


def cores_of_threads(folder: Path) -> tuple[set[int], set[int]]:
    """Return the cores of the main thread and of the other one."""
    written, deadline = folder / "has a pool", monotonic() + 10
    while not written.exists() and monotonic() < deadline:
        sleep(0.01)
    process = psutil.Process(int(written.read_text()))
    (other,) = {thread.id for thread in process.threads()} - {process.pid}
    return os.sched_getaffinity(process.pid), os.sched_getaffinity(other)


def test_the_main_thread_starts_on_the_first_core(worker: WorkerProcess, tmp_path: Path) -> None:
    cores_of_threads(tmp_path)
    second_first = [CORES[1], CORES[0]]
    worker.place(second_first, first_leads=True)
    assert cores_of_threads(tmp_path) == ({CORES[1]}, set(second_first))


def test_the_main_thread_moves_to_another_core(worker: WorkerProcess, tmp_path: Path) -> None:
    cores_of_threads(tmp_path)
    worker.place(CORES[:2], first_leads=True)
    worker.place(CORES[1::-1], first_leads=True)
    assert cores_of_threads(tmp_path) == ({CORES[1]}, set(CORES[:2]))


def test_without_a_turn_all_threads_may_use_all_cores(
    worker: WorkerProcess, tmp_path: Path
) -> None:
    cores_of_threads(tmp_path)
    worker.place(CORES[:2], first_leads=True)
    worker.place(CORES[:2], first_leads=False)
    assert cores_of_threads(tmp_path) == (set(CORES[:2]), set(CORES[:2]))
