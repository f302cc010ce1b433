"""A backend that makes a chosen error; tests copy this file into their project."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from pytest_infperf import BuildError, Fake


@dataclass(frozen=True)
class Troublesome(Fake):
    """A backend that makes an error at build, at load or at a query.

    `way` is the name of a function below.
    """

    _: KW_ONLY
    way: str
    at: str
    queries_before: int = 0

    def build(self, material: Any, folder: Path) -> dict[str, Any]:
        evidence = super().build(material, folder)
        self.go_wrong("build")
        return evidence

    def load(self, artifact: Path, task: Any, threads: int | None) -> Any:
        self.go_wrong("load")
        runner = super().load(artifact, task, threads)
        infer, queries = runner.infer, 0

        def infer_or_not(features: Any) -> Any:
            nonlocal queries
            queries += 1
            if queries > self.queries_before:
                self.go_wrong("infer")
            return infer(features)

        runner.infer = infer_or_not
        return runner

    def go_wrong(self, phase: str) -> None:
        if phase == self.at:
            globals()[self.way]()


def say_last_words() -> None:
    print("this was its last output", file=sys.stderr, flush=True)


def be_killed() -> None:
    say_last_words()
    os.kill(os.getpid(), signal.SIGKILL)


def crash() -> None:
    say_last_words()
    os.kill(os.getpid(), signal.SIGSEGV)


def leave() -> None:
    say_last_words()
    os._exit(7)


def leave_politely() -> None:
    say_last_words()
    raise SystemExit(5)


def fail() -> None:
    say_last_words()
    raise ValueError("the weights are upside down")


def import_what_is_missing() -> None:
    import a_runtime_that_nobody_has  # type: ignore[import-not-found]  # noqa: F401


def hang() -> None:
    say_last_words()
    time.sleep(600)


def refuse() -> None:
    raise BuildError("this graph has nothing to fuse")


def say_nonsense(words: bytes = b"who is there?\n") -> None:
    """Write to every pipe of this process: the run expects a reply on one of them."""
    for descriptor in range(3, 20):
        try:
            is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        except OSError:
            continue
        if is_pipe:
            try:
                os.write(descriptor, words)
            except OSError:
                continue


def answer_another_question() -> None:
    say_nonsense(b'{"is": "Memory", "number": 0, "peak_bytes": 3}\n')
