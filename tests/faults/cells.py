"""Every stage with every fault: the expected outcome, and impossible combinations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tests.faults.faults import FAULTS, Fault
from tests.faults.project import FaultProject, FaultRun, NotReached, can_mount_disks, small_disk
from tests.faults.stages import STAGES, Stage

Kind = Literal[
    "not reached",
    "hang",
    "exit status",
    "message",
    "wrong verdict",
    "lost record",
    "orphan",
    "next run",
]


@dataclass(frozen=True)
class Problem:
    """A difference from the expected outcome."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class Cell:
    """One stage and one fault."""

    stage: Stage
    fault: Fault

    @property
    def id(self) -> str:
        return f"{self.stage.name}-{self.fault.name}".replace(" ", "_")

    @property
    def senseless(self) -> str:
        """Reason why the fault cannot happen in this stage; empty if it can."""
        stage, fault = self.stage, self.fault
        if fault.kills and stage.point == "report":
            return "no worker runs any more"
        if fault.name == "truncated run in the history" and stage.point == "report":
            return "the history was read before"
        if fault.small_disk and not can_mount_disks():
            return "this host lets no disk be mounted"
        if fault.name == "cache read-only" and (stage.point == "build" or stage.has_worktree):
            return "Linux mounts no disk read-only while a lock on it is open"
        if fault.name == "truncated manifest in the cache" and stage.point == "build":
            return "the manifest is written last"
        return ""

    def expected(self) -> Fault:
        """Return the fault with the expected outcome in this stage."""
        stage, fault = self.stage, self.fault
        if stage.point == "build":
            if fault.name == "full disk of the cache":
                return replace(fault, codes=(1,), message="No space left on device")
            if fault.name.startswith("truncated weights"):  # the digest is taken afterwards
                return replace(fault, next_message="")
        if stage.point == "report" and fault.name == "SIGINT":
            return replace(fault, message="interrupted")
        if stage.point == "report" and fault.ends_run:  # all is measured: the files are written
            return replace(fault, codes=(0,), message="")
        if stage.name == "latency" and fault.name == "two runs at once":
            # The query that waits for the other run takes more than the whole budget.
            return replace(fault, codes=(1,), message="too few queries to tell")
        if stage.in_server and fault.name == "out of memory":  # the server answers with an error
            return replace(fault, message="error_rate@users=2 .* is above the limit")
        if stage.in_server and fault.name == "SIGSTOP of the process":
            return replace(fault, message="the server answered none of .* TimeoutError")
        return fault


CELLS = tuple(Cell(stage, fault) for stage in STAGES for fault in FAULTS)


def drive(cell: Cell, folder: Path, *, spoiled: bool = False) -> list[Problem]:
    """Run a project until it waits at the stage, cause the fault, and return the problems.

    Parameters
    ----------
    cell : Cell
        The stage and the fault.
    folder : Path
        A new folder for the project.
    spoiled : bool
        Whether `target` breaks the limit of its quality, which every run that gets there must say.
    """
    fault = cell.expected()
    project = FaultProject(folder, cell.stage, spoiled, fault.options)
    with ExitStack() as cleanup:
        if fault.small_disk:
            cleanup.enter_context(small_disk(folder / fault.small_disk))
        cleanup.callback(project.end)
        run = project.start(timeout_s=fault.timeout_s)
        try:
            run.wait_until(run.held, cell.stage.name)
            fault.bring(run)
        except NotReached as error:
            return [Problem("not reached", str(error))]
        run.release()
        problems = [*_ended(run, fault, spoiled=spoiled), *_left(cell, run, spoiled=spoiled)]
        fault.mend(run)
        for name in ("allocate", "set-back"):
            (project.gate / name).unlink(missing_ok=True)
        return problems + list(_next_run(project, fault, spoiled=spoiled))


def _ended(run: FaultRun, fault: Fault, *, spoiled: bool) -> Iterator[Problem]:
    """Yield the problems at the end of the run: its status, its output, its processes."""
    status = run.finish()
    codes = tuple(code or 1 for code in fault.codes) if spoiled else fault.codes
    if status is None:
        yield Problem("hang", run.text[-3000:])
        return
    if status == 0 and 0 not in codes:
        yield Problem("wrong verdict", f"the run passed:\n{run.text[-3000:]}")
    elif status not in codes:
        yield Problem("exit status", f"{status} instead of {codes}:\n{run.text[-4000:]}")
    if fault.message and not re.search(fault.message, run.words):
        yield Problem("message", f"nothing says {fault.message!r}:\n{run.text[-4000:]}")
    for noise in ("INTERNALERROR", "Exception ignored", "Unraisable"):
        if noise in run.text:
            yield Problem("message", f"{noise}:\n{run.text[-4000:]}")
    if left := run.survivors():
        yield Problem("orphan", f"{left} are left")


def _left(cell: Cell, run: FaultRun, *, spoiled: bool) -> Iterator[Problem]:
    """Yield the problems of the file of the run."""
    fault = cell.fault
    if fault.name == "full disk of the results":
        if run.json_path.exists():
            yield from _whole(run)
        return
    measured = cell.stage.point != "build" or not (
        fault.ends_run or fault.name == "full disk of the cache"
    )
    if not measured and not run.json_path.exists():
        return
    try:
        records = {record["variant"]: record for record in run.document()["records"]}
    except (OSError, ValueError, KeyError) as error:
        yield Problem("lost record", f"{run.json_path.name}: {error!r}")
        return
    expected = [("base", "size"), ("base", "accuracy")] if measured else []
    if not cell.stage.is_first_of_target:
        expected.append(("target", "size"))
    for variant, measure in expected:
        if measure not in records.get(variant, {}).get("measures", {}):
            yield Problem("lost record", f"{measure} of {variant}")
    for variant, record in records.items():
        for gate in record["gates"]:
            broken = spoiled and variant == "target" and gate["measure"] == "accuracy"
            wrong = "pass" if broken else "fail"
            may_break = cell.stage.in_server and gate["measure"].startswith("error_rate")
            if gate["verdict"] == wrong and not may_break:
                yield Problem("wrong verdict", f"{variant}: {gate}")


def _whole(run: FaultRun) -> Iterator[Problem]:
    try:
        run.document()
    except ValueError as error:
        yield Problem("lost record", f"{run.json_path.name} is not whole: {error}")


def _next_run(project: FaultProject, fault: Fault, *, spoiled: bool) -> Iterator[Problem]:
    run = project.start(waits=False)
    right = replace(fault, codes=(0,), message=fault.next_message)
    for problem in _ended(run, right, spoiled=spoiled):
        yield Problem("next run", str(problem))
