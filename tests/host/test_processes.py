"""Our processes end with their parent, at any time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from time import monotonic, sleep

import pytest

from pytest_infperf.host.processes import PARENT_VARIABLE, OutputTail, family, has_ended, kill_group

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl and /proc are of Linux")

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
DYING = [
    sys.executable,
    "-c",
    "from pytest_infperf.host.processes import die_with_parent; die_with_parent(); print('lives')",
]


def test_a_process_ends_if_its_parent_ended_before_the_request() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    environment = {**os.environ, PARENT_VARIABLE: str(ended.pid)}
    done = subprocess.run(DYING, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")


def test_a_process_of_a_script_lives_while_its_parent_lives() -> None:
    environment = {**os.environ, PARENT_VARIABLE: str(os.getpid())}
    command = ["sh", "-c", '"$@"; true', "sh", *DYING]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "lives\n")


def test_a_group_is_killed_and_waited_for() -> None:
    """The group contains the leader, a shell, and two processes that the shell has started."""
    command = ["sh", "-c", '"$@" & "$@" & wait', "sh", *SLEEPER]
    leader = subprocess.Popen(command, start_new_session=True)
    try:
        deadline = monotonic() + 10
        while len(family(leader.pid)) < 3 and monotonic() < deadline:
            sleep(0.01)
        members = family(leader.pid)
        assert len(members) == 3
        assert not any(map(has_ended, members))
    finally:
        kill_group(leader.pid)
    assert all(map(has_ended, members))
    leader.wait()
    kill_group(leader.pid)  # of a group that is gone: does nothing


def test_output_is_forgotten_while_a_process_waits() -> None:
    tail = OutputTail()
    code = "import sys; print('first', flush=True); input(); print('second', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=tail.file,
        text=True,
    ) as process:
        assert process.stdin
        for word in ("first", "second"):
            until = monotonic() + 20
            while word not in str(tail):
                assert monotonic() < until, "it writes nothing"
                sleep(0.01)
            assert str(tail) == f"\nIts last output:\n{word}"
            tail.clear()
            process.stdin.write("\n")
            process.stdin.flush()
    tail.close()
