"""A server in a process of its own, from its start until it answers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

from pytest_infperf.host import cpu
from pytest_infperf.serving.server.address import bound

_START_S = 60.0


@contextmanager
def started(
    command: Callable[[int], Sequence[str]],
    folder: Path,
    cores: Sequence[int] | None = None,
    environment: Mapping[str, str] | None = None,
    ready_path: str = "/healthz",
) -> Iterator[str]:
    """Start a server, and return its base URL once it answers; it ends with the block.

    Parameters
    ----------
    command : callable
        Returns the command of the server for a port.
    folder : Path
        The working folder. Modules in it and in the repository can be imported.
    cores : sequence of int, optional
        The cores of the server; None uses those of this process.
    environment : mapping, optional
        Additional environment variables.
    ready_path : str
        The path that the server answers when it is ready.

    Raises
    ------
    RuntimeError
        If the server ends or does not answer at `ready_path` within 60 s.
    """
    with bound("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    modules = os.pathsep.join([str(folder), str(Path(__file__).parents[1])])
    process = subprocess.Popen(
        command(port),
        cwd=folder,
        env={**os.environ, **(environment or {}), "PYTHONPATH": modules},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=(lambda: cpu.pin(cores)) if cores else None,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url + ready_path, process)
        yield url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline_s = monotonic() + _START_S
    while monotonic() < deadline_s:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")
        with suppress(URLError, OSError), urlopen(url, timeout=5):
            return
        sleep(0.1)
    raise RuntimeError(f"{process.args!r} did not answer within {_START_S:g} s")
