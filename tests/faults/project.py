"""A project whose run waits at a stage for a fault, and can be looked at afterwards."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.faults.stages import Stage
from tests.other_plugins import LEFT_OUT

MARK = "INFPERF_FAULTS_RUN"
"""Variable in the environment of a run, which all of its processes inherit."""
LONGEST_S = 90
"""Time after which a run hangs, in seconds."""
GONE_S = 5
"""Time in which the processes of a run that has ended must be gone, in seconds."""
DISK = "4m"
"""Size of the small disk; a page with its plots takes about 200 kB."""

SUITE = """
    import os
    import time
    from dataclasses import dataclass
    from pathlib import Path

    from pytest_infperf import ClosedLoop, Echo, Fake, Serving, Suite, Sweep

    FOLDER = Path(os.environ["FAULTS_FOLDER"])
    POINT = os.environ["FAULTS_POINT"]
    AFTER = int(os.environ["FAULTS_AFTER"])


    def hold(point):
        if point != POINT or not (FOLDER / "hold").exists():
            return
        (FOLDER / f"held-{os.getpid()}").touch()
        end = time.monotonic() + 300  # also if the harness was killed
        while (FOLDER / "hold").exists() and time.monotonic() < end:
            time.sleep(0.01)
        if (FOLDER / "allocate").exists():
            bytearray(8 << 30)


    @dataclass(frozen=True)
    class Staged(Fake):
        def build(self, material, folder):
            evidence = super().build(material, folder)
            hold("build")
            return evidence

        def load(self, artifact, task, threads):
            hold("load")
            runner = super().load(artifact, task, threads)
            infer, queries = runner.infer, 0

            def infer_or_hold(features):
                nonlocal queries
                queries += 1
                if queries > AFTER:
                    hold("infer")
                return infer(features)

            runner.infer = infer_or_hold
            return runner


    suite = Suite(
        "echo",
        task=Echo(count=40),
        model="../../model",
        baseline="base",
        variants=[Fake(id="base", query_ms=1), Staged(id="target", query_ms=0.4{more})],
        sweeps=[Sweep("batch", (1, 2))],
        serving=Serving(timeout_s=2),
        loads=[ClosedLoop(2, seconds=2)],
    )
"""

CONFTEST = """
    import os
    import re
    import time
    from pathlib import Path

    from pytest_infperf.report.progress import Progress

    FOLDER = Path(os.environ["FAULTS_FOLDER"])
    PHASE = os.environ["FAULTS_PHASE"]
    POINT = os.environ["FAULTS_POINT"]
    now, phase = time.time, Progress.phase


    def time_that_can_be_set_back():
        return now() - (86400 if (FOLDER / "set-back").exists() else 0)


    def phase_that_holds(self, suite, variant, what):
        if PHASE and re.search(PHASE, f"[{variant}] {what}") and not (FOLDER / "armed").exists():
            (FOLDER / "armed").touch()
            (FOLDER / "hold").touch()
        phase(self, suite, variant, what)


    time.time = time_that_can_be_set_back
    Progress.phase = phase_that_holds

    if POINT == "report":
        from pytest_infperf.report import html

        page = html.page

        def page_that_holds(*arguments):
            (FOLDER / "hold").touch()
            (FOLDER / f"held-{os.getpid()}").touch()
            end = time.monotonic() + 300
            while (FOLDER / "hold").exists() and time.monotonic() < end:
                time.sleep(0.01)
            return page(*arguments)

        html.page = page_that_holds
"""


@dataclass
class FaultRun:
    """A run of pytest, in a separate process session and with a mark in its environment."""

    project: FaultProject
    process: subprocess.Popen[bytes]
    mark: str
    output: Path
    json_path: Path

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def words(self) -> str:
        """The output without line breaks, because messages are wrapped."""
        return " ".join(self.text.split())

    def held(self) -> list[int]:
        """Return the processes that wait at the stage."""
        return [int(path.name[5:]) for path in self.project.gate.glob("held-*")]

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + LONGEST_S
        while not condition():
            if self.process.poll() is not None:
                raise NotReached(f"the run ended before {what}:\n{self.text}")
            if time.monotonic() > deadline:
                raise NotReached(f"the run did not reach {what}:\n{self.text}")
            time.sleep(0.02)

    def release(self) -> None:
        """Let the processes that wait go on."""
        (self.project.gate / "hold").unlink(missing_ok=True)

    def finish(self) -> int | None:
        """Return the exit status; None if the run hangs."""
        try:
            return self.process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            return None

    def survivors(self) -> list[int]:
        """Return the processes of the run that still exist some time after its end."""
        deadline = time.monotonic() + GONE_S
        while (left := marked(self.mark)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def end(self) -> None:
        for pid in marked(self.mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def document(self) -> dict[str, Any]:
        """Return the file of --infperf-json. Raises ValueError or OSError if it is incomplete."""
        document: dict[str, Any] = json.loads(self.json_path.read_text())
        return document


class NotReached(Exception):
    """Error if the run did not reach the stage, because of this harness or of the run."""


@dataclass
class FaultProject:
    """A project with a baseline that never waits, and a variant that waits at the stage."""

    folder: Path
    stage: Stage
    spoiled: bool = False
    """Whether half of the outputs of `target` are wrong, which a gate must find."""
    options: Sequence[str] = ()
    _runs: list[FaultRun] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        for path in (self.gate, self.cache, self.out):
            path.mkdir(parents=True)
        more = self.stage.variant + (", wrong=0.5" if self.spoiled else "")
        calls = ["footprint()", *filter(None, [self.stage.call]), "quality(batch=4)"]
        tests = [
            f"def test_{number}(variant): variant.{call}.check()"
            for number, call in enumerate(calls)
        ]
        gates = ['size = { max = "2 kB" }', "accuracy = { min = 90 }", *self.stage.gates]
        self.write("model/weights.txt", "a model\n")
        self.write("pytest.ini", "[pytest]\n")
        self.write(".gitignore", "/out\n/cache\n/gate\n__pycache__\n")
        self.write("conftest.py", CONFTEST)
        self.write("suites/echo/suite.py", SUITE.replace("{more}", more))
        self.write("suites/echo/test_echo.py", "\n".join(tests) + "\n")
        self.write("thresholds.toml", "\n".join(["schema = 1", "[echo.gates]", *gates]) + "\n")
        if self.stage.has_worktree:
            for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
                identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
                subprocess.run(["git", *identity, *words], cwd=self.folder, check=True)

    @property
    def gate(self) -> Path:
        """Folder of the files with which this process and those of the run communicate."""
        return self.folder / "gate"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def out(self) -> Path:
        """Folder of all files that a run writes, except the cache."""
        return self.folder / "out"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"))
        return path

    def start(self, *, waits: bool = True, timeout_s: float = 60) -> FaultRun:
        """Start a run, which waits at the stage or does not stop anywhere."""
        number, mark = len(self._runs), secrets.token_hex(8)
        output, json_path = self.folder / f"output-{number}.txt", self.out / f"{number}.json"
        stage = self.stage
        if stage.waits_from_the_start and waits:
            (self.gate / "hold").touch()
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "COV_")) and name not in ("CI", "COLUMNS", MARK)
        }
        environment = {
            **inherited,
            "COLUMNS": "100",
            MARK: mark,
            "FAULTS_FOLDER": str(self.gate),
            "FAULTS_POINT": stage.point if waits else "",
            "FAULTS_PHASE": stage.phase if waits else "",
            "FAULTS_AFTER": str(stage.after),
        }
        options = [
            "--infperf",
            "--infperf-no-imds",
            "--infperf-budget=0.5",
            f"--infperf-timeout={timeout_s}",
            f"--infperf-cache={self.cache}",
            f"--infperf-json={json_path}",
            "--benchmark-autosave",
            f"--benchmark-storage={self.out / 'benchmarks'}",
            *stage.options,
            *self.options,
        ]
        page = self.out / f"{number}.html"
        options = [
            f"{option}={page}" if option == "--infperf-html" else option for option in options
        ]
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *LEFT_OUT, *options, "suites"],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        run = FaultRun(self, process, mark, output, json_path)
        self._runs.append(run)
        return run

    def end(self) -> None:
        """End every process of every run."""
        for run in self._runs:
            run.end()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a small disk on an empty folder."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(folder)]
    subprocess.run(command, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@cache
def can_mount_disks() -> bool:
    """Return whether this process may mount small disks: as root, and not in every container."""
    with tempfile.TemporaryDirectory(prefix="infperf-faults-") as folder:
        try:
            with small_disk(Path(folder)):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def marked(mark: str) -> list[int]:
    """Return the processes of the whole host that have a mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if re.search(rb"(^|\0)%s=%s(\0|$)" % (MARK.encode(), mark.encode()), path.read_bytes()):
                found.append(int(path.parent.name))
    return found
