"""The interface of a share of work, and the node that it runs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar


class Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


@dataclass
class Node:
    """The node that a share runs on."""

    node_type: str
    tree: Path
    """Top folder of the unpacked tree."""
    artifacts: Path
    """Folder of built variants, kept between runs and shared by all nodes of a host."""
    _kept: tuple[object, Closable] | None = None

    def keep(self, key: object, make: Callable[[], C]) -> C:
        """Return the object that an earlier share stored under `key`, or make a new one."""
        if self._kept and self._kept[0] == key:
            kept: Any = self._kept[1]
            return kept  # type: ignore[no-any-return]  # made under the same key
        self.close()
        made = make()
        self._kept = key, made
        return made

    def close(self) -> None:
        if self._kept:
            self._kept[1].close()
            self._kept = None


class Work(Protocol):
    """The work of a share. It is sent to a node, so it and its result must be picklable."""

    def do(self, node: Node) -> Any: ...
