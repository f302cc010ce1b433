"""The suite that `infperf init` is to write, from options and from questions on the terminal."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest_infperf
from pytest_infperf.artifacts import models
from pytest_infperf.cli.init.choices import TASKS, VARIANTS
from pytest_infperf.cli.init.columns import choose
from pytest_infperf.errors import UserError
from pytest_infperf.suite.task import Samples, Task

_DEFAULT_TASK = "translation"


@dataclass(frozen=True)
class SuiteDraft:
    """What a new suite consists of."""

    name: str
    task: str
    """Key in TASKS."""
    model: str
    """Hub id, or folder as the suite writes it."""
    data: Mapping[str, str]
    """Paths as the suite writes them, by the task's keywords."""
    variants: Sequence[str]
    """Keys in VARIANTS, the baseline first."""
    folder: Path
    """Folder of the suite, relative to the project's root."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Columns of the data that the suite names, by the task's keywords."""
    chance: float | None = None
    """The accuracy in points of the answer that is right most often; None without labels."""

    @property
    def baseline(self) -> str:
        return self.variants[0]


def draft_from(arguments: Namespace, root: Path) -> SuiteDraft:
    """Return the suite that the options describe; ask for missing ones if there is a terminal.

    Raises UserError for a missing option without a terminal, and for wrong values or data
    that cannot be read.
    """
    name = arguments.name or _ask("name of the suite", "NAME")
    if not name.isidentifier():
        raise UserError(f"{name!r} cannot name a suite: use letters, digits and underscores")
    model = arguments.model or _ask("model: a folder or a hub id", "--model")
    task = arguments.task or _task_of(root / model)
    template = TASKS[task]
    data = {
        keyword: getattr(arguments, keyword) or _ask(description, f"--{keyword}")
        for keyword, description in template.data.items()
    }
    folder = arguments.folder or Path("suites", name)
    if folder.is_absolute() or ".." in folder.parts:
        raise UserError(f"--folder {folder}: name a folder below the current one")
    for keyword, path in data.items():
        if not (root / path).exists():
            raise UserError(f"--{keyword}: {root / path} does not exist")
    given = {keyword: getattr(arguments, keyword) for keyword in template.columns}
    columns = choose(data["data"], root, template.columns, given) if template.columns else {}
    samples = _read_samples(task, {**data, **columns}, root)
    is_folder = (root / model).is_dir()
    if not is_folder and not models.is_hub_id(model):
        raise UserError(
            f"--model: {model} is neither a folder here nor a hub id (OWNER/NAME, "
            "OWNER/NAME@REVISION)"
        )
    return SuiteDraft(
        name,
        task,
        _path_in_suite(folder, model, root) if is_folder else model,
        {keyword: _path_in_suite(folder, path, root) for keyword, path in data.items()},
        _variants(arguments.variants, task),
        folder,
        columns,
        _chance(samples.references) if "label" in template.columns else None,
    )


def _task_of(model: Path) -> str:
    """Return the task of a model's folder; translation if it does not tell."""
    for task, template in TASKS.items():
        if template.marker and (model / template.marker).is_file():
            return task
    try:
        config = json.loads((model / "config.json").read_text("utf-8"))
        architectures = [str(name) for name in config["architectures"]]
    except (OSError, ValueError, KeyError, TypeError):
        return _DEFAULT_TASK
    for task, template in TASKS.items():
        if template.architectures and any(
            a.endswith(template.architectures) for a in architectures
        ):
            return task
    return _DEFAULT_TASK


def _read_samples(task: str, keywords: Mapping[str, str], root: Path) -> Samples:
    """Read the test data before any file is written; raise UserError if it cannot be used."""
    made: Task = getattr(pytest_infperf, TASKS[task].class_name)(**keywords)
    return made.samples(root)


def _chance(labels: Sequence[object]) -> float:
    ((_, count),) = Counter(map(str, labels)).most_common(1)
    return 100 * count / len(labels)


def _variants(text: str | None, task: str) -> Sequence[str]:
    if text is None:
        available = TASKS[task].available
        if len(available) < 2:
            raise UserError(
                "fewer than two variants can be built here; install the runtimes: "
                "pip install 'pytest-infperf[suites]'"
            )
        return available
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in VARIANTS]:
        raise UserError(
            f"--variants: unknown {', '.join(unknown)}; choose from {', '.join(VARIANTS)}"
        )
    return names


def _path_in_suite(folder: Path, path: str, root: Path) -> str:
    """Return the path relative to the suite's folder, or absolute if it is outside the project."""
    full = (root / path).resolve()
    return os.path.relpath(full, root / folder) if full.is_relative_to(root) else str(full)


def _ask(question: str, option: str) -> str:
    if not sys.stdin.isatty():
        raise UserError(f"{option} is missing ({question})")
    answer = ""
    while not answer:
        answer = input(f"{question}: ").strip()
    return answer
