"""The process that is alone on a node of the fleet and runs one share at a time."""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

from pytest_infperf.fleet.tree import unpack
from pytest_infperf.fleet.work import Node, Work
from pytest_infperf.host.ec2 import INSTANCE_VARIABLE
from pytest_infperf.host.fingerprint import thread_environment

FOLDER_VARIABLE = "INFPERF_NODE_FOLDER"
_ALLOCATOR = str(Path("ray", "core", "libjemalloc.so"))
"""Path below site-packages (`ray._private.services.JEMALLOC_SO`)."""


class Delegate:
    """Runs shares of work on a node, in one process."""

    def __init__(
        self, node_type: str, node_id: str, digest: str, receive: Callable[[], Iterable[bytes]]
    ) -> None:
        """Unpack the tree, if the node does not have it, from the parts that `receive` returns."""
        os.environ[INSTANCE_VARIABLE] = node_type
        folder = node_folder(os.environ)
        tree = unpack(digest, _lazily(receive), folder / "nodes" / node_id)
        self._node = Node(node_type, tree, folder / "artifacts")

    def ready(self) -> None:
        """Return when the delegate runs and the tree is unpacked."""

    def do(self, work: Work) -> Any:
        _restore_thread_settings()
        return work.do(self._node)


def node_folder(environment: Mapping[str, str]) -> Path:
    named = environment.get(FOLDER_VARIABLE)
    return Path(named) if named else Path(tempfile.gettempdir(), f"infperf-{getpass.getuser()}")


def _lazily(receive: Callable[[], Iterable[bytes]]) -> Iterable[bytes]:
    yield from receive()


def _restore_thread_settings() -> None:
    """Replace the thread limits that Ray sets in its workers by those of Ray's parent process.

    The parent's environment is that of the user who started Ray.
    """
    try:
        environment = psutil.Process(os.getppid()).environ()
    except psutil.Error:
        environment = {}
    for name in thread_environment(os.environ):
        del os.environ[name]
    os.environ.update(user_thread_settings(environment))


def user_thread_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the user's settings of threads and memory from the environment of Ray's own process.

    Ray preloads an allocator there unless the user preloads another one. Runtimes crash with it.
    """
    settings = thread_environment(environment)
    ray_allocator = environment.get("RAY_JEMALLOC_LIB_PATH", _ALLOCATOR)
    if settings.get("LD_PRELOAD", "").endswith(ray_allocator):
        del settings["LD_PRELOAD"]
        settings.pop("MALLOC_CONF", None)
    return settings
