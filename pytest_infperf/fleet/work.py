"""What is sent to a node of the fleet, and what it finds there."""

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
    """What a share finds on the node that does it."""

    node_type: str
    tree: Path
    """The top of the unpacked tree."""
    artifacts: Path
    """Built variants stay there from run to run, for all nodes of a host."""
    _kept: tuple[object, Closable] | None = None

    def keep(self, key: object, make: Callable[[], C]) -> C:
        """What an earlier share made under that key, else a new one in place of any other."""
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
    """Sent to a node, so it and its result are values that can be pickled."""

    def do(self, node: Node) -> Any: ...
