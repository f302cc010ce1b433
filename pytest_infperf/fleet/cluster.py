"""A Ray cluster: the types of its nodes, and an actor on each node in use."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from pytest_infperf.errors import UserError
from pytest_infperf.fleet import tree
from pytest_infperf.fleet.connection import connect, import_ray
from pytest_infperf.fleet.dispatch import Finished, Gone, News, Ready, Share, ShareFailed
from pytest_infperf.fleet.node import Delegate
from pytest_infperf.fleet.node_types import START, NodeType, count_live_nodes, node_types
from pytest_infperf.fleet.tree import Tree

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ERROR = re.compile(r"[\w.]+(Error|Exception)\b")


class RayCluster:
    """The delegates of a run on a Ray cluster. Implements `dispatch.Delegates`."""

    def __init__(self, address: str) -> None:
        """Raises UserError if Ray cannot connect, or if no node declares its instance type."""
        self._ray = connect(address)
        self.node_types: dict[str, NodeType] = node_types(self._ray.nodes())
        if not self.node_types:
            self.close()
            raise UserError(
                "--infperf-ray: no node of this cluster declares its instance type; start nodes "
                f"with a resource for it: {START}"
            )
        self._shipment: tuple[str, list[Any]] | None = None
        """Digest of the packed tree, and Ray's references to its parts."""
        self._actors: dict[str, Any] = {}
        self._pending: dict[Any, tuple[str, str | None]] = {}
        """Delegate and share id by Ray's reference to the result; the id is None for a start."""

    def ship(self, working_tree: Tree) -> str:
        """Put the tree into Ray's object store, before any delegate is hired. Return its digest."""
        with tempfile.TemporaryDirectory(prefix="infperf-ship-") as folder:
            packed = Path(folder, "tree.tar")
            digest = tree.pack(working_tree, packed)
            self._shipment = digest, [self._ray.put(part) for part in tree.read_parts(packed)]
        return digest

    def nodes(self) -> Mapping[str, int]:
        return count_live_nodes(self._ray.nodes(), self.node_types)

    def hire(self, node_type: str) -> str:
        assert self._shipment, "the tree is shipped first"
        digest, parts = self._shipment
        known = self.node_types[node_type]
        name = f"{node_type}-{uuid4().hex[:8]}"
        actor = self._ray.remote(RayDelegate).options(
            num_cpus=0, resources={known.resource: known.amount}, max_restarts=0
        )
        self._actors[name] = actor.remote(node_type, digest, parts)
        self._pending[self._actors[name].ready.remote()] = name, None
        return name

    def give(self, delegate: str, share: Share) -> None:
        self._pending[self._actors[delegate].do.remote(share.work)] = delegate, share.id

    def news(self, timeout_s: float) -> Sequence[News]:
        finished, _ = self._ray.wait(list(self._pending), num_returns=1, timeout=timeout_s)
        return [self._read(reference) for reference in finished]

    def release(self, delegate: str) -> None:
        self._pending = {
            reference: (name, share_id)
            for reference, (name, share_id) in self._pending.items()
            if name != delegate
        }
        if actor := self._actors.pop(delegate, None):
            self._ray.kill(actor)

    def close(self) -> None:
        """Disconnect from the cluster, which ends all remaining work of this run there."""
        self._ray.shutdown()

    def _read(self, reference: Any) -> News:
        delegate, share_id = self._pending.pop(reference)
        errors = self._ray.exceptions
        try:
            result = self._ray.get(reference)
        except errors.RayTaskError as error:
            if share_id is not None:
                return ShareFailed(delegate, share_id, _reason(error))
            return Gone(delegate, _reason(error))
        except errors.RayError as error:
            return Gone(delegate, _reason(error))
        return Ready(delegate) if share_id is None else Finished(delegate, share_id, result)


class RayDelegate(Delegate):
    """The Ray actor. It fetches the parts of the tree if its node does not have the tree."""

    def __init__(self, node_type: str, digest: str, parts: Sequence[Any]) -> None:
        node_id = import_ray().get_runtime_context().get_node_id()
        super().__init__(node_type, node_id, digest, partial(_fetch, parts))


def _fetch(parts: Sequence[Any]) -> Iterator[bytes]:
    for part in parts:
        yield import_ray().get(part)


def _reason(error: Exception) -> str:
    """Return the line of Ray's long message that contains the exception or the cause of death."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, Exception):
        return f"{type(cause).__name__}: {cause}"
    lines = [line.strip() for line in _COLOUR.sub("", str(error)).splitlines() if line.strip()]
    if lines and _ERROR.match(lines[-1]):
        return lines[-1]
    return next((line for line in lines if "died" in line), type(error).__name__)
