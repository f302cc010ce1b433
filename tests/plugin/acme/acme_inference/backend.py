"""Acme's runtime: a table that maps characters to characters, in 32 or 8 bits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_infperf import Backend, BuildError, Material, Runner, Task


@dataclass(frozen=True)
class Acme(Backend):
    _: KW_ONLY
    int8: bool = False

    requires: ClassVar[tuple[str, ...]] = ("acme-inference",)

    @property
    def default_id(self) -> str:
        return "acme-int8" if self.int8 else "acme"

    def built_from(self) -> Backend | None:
        return Acme() if self.int8 else None

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        if material.source:
            entries = json.loads((material.source / "table.json").read_text())
            (folder / "table.bin").write_bytes(bytes(entries))
            return {"quantised_entries": len(entries)}
        letters = material.model / "letters.txt"
        if not letters.is_file():
            raise BuildError(f"{material.model} is no model for Acme: it has no letters.txt")
        entries = [ord(letter) for letter in letters.read_text().strip()]
        (folder / "table.json").write_text(json.dumps(entries))
        return {"entries": len(entries)}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        if self.int8:
            table = list((artifact / "table.bin").read_bytes())
        else:
            table = json.loads((artifact / "table.json").read_text())
        return AcmeRunner(task.decoding, threads or 2, table)

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        return ["a table of 8 bits is read as slowly as one of 32"] if self.int8 else []


class AcmeRunner:
    def __init__(self, decoding: Mapping[str, Any], threads: int, table: Sequence[int]) -> None:
        self.decoding = decoding
        self.threads = threads
        self._known = set(map(chr, table))

    def infer(self, features: Sequence[str]) -> list[str]:
        return ["".join(c if c in self._known else "?" for c in text) for text in features]
