"""What runs on a node of the fleet: it has the node to itself and does one share after another."""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

from pytest_infperf.fleet.tree import unpacked
from pytest_infperf.fleet.work import Node, Work
from pytest_infperf.host.ec2 import INSTANCE_VARIABLE
from pytest_infperf.host.fingerprint import thread_environment

FOLDER_VARIABLE = "INFPERF_NODE_FOLDER"
_ALLOCATOR = str(Path("ray", "core", "libjemalloc.so"))
"""Below site-packages (ray._private.services.JEMALLOC_SO)."""


class Delegate:
    """Stays in one process of the node."""

    def __init__(
        self, node_type: str, node_id: str, digest: str, receive: Callable[[], Iterable[bytes]]
    ) -> None:
        """Unpack the tree where the node has it not yet; `receive` gives its parts."""
        os.environ[INSTANCE_VARIABLE] = node_type
        folder = node_folder(os.environ)
        tree = unpacked(digest, _lazily(receive), folder / "nodes" / node_id)
        self._node = Node(node_type, tree, folder / "artifacts")

    def ready(self) -> None:
        """Answers when the node is ours and the tree is unpacked."""

    def do(self, work: Work) -> Any:
        _undo_limits_of_threads()
        return work.do(self._node)


def node_folder(environment: Mapping[str, str]) -> Path:
    named = environment.get(FOLDER_VARIABLE)
    return Path(named) if named else Path(tempfile.gettempdir(), f"infperf-{getpass.getuser()}")


def _lazily(receive: Callable[[], Iterable[bytes]]) -> Iterable[bytes]:
    yield from receive()


def _undo_limits_of_threads() -> None:
    """Ray sets them for its own workers; those of Ray's parent process are what the user set."""
    parent = psutil.Process().parent()
    try:
        around = parent.environ() if parent else {}
    except psutil.Error:
        around = {}
    for name in thread_environment(os.environ):
        del os.environ[name]
    os.environ.update(set_by_user(around))


def set_by_user(environment: Mapping[str, str]) -> dict[str, str]:
    """What changes how runtimes use threads and memory, of the environment of Ray's own process.

    Into that Ray preloads an allocator, unless another is; runtimes crash with it.
    """
    found = thread_environment(environment)
    its_own = environment.get("RAY_JEMALLOC_LIB_PATH", _ALLOCATOR)
    if found.get("LD_PRELOAD", "").endswith(its_own):
        del found["LD_PRELOAD"]
        found.pop("MALLOC_CONF", None)
    return found
