"""The files of a new suite: suite.py, its tests, a conftest.py and a CI workflow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from pytest_infperf.cli.init.choices import TASKS, VARIANTS
from pytest_infperf.cli.init.draft import SuiteDraft

CONFTEST = '"""Makes this folder the root of import names, here and in workers."""\n'
_PACKAGE = '"pytest-infperf[suites,html,comment]"'
"""Argument of pip in the workflow."""
_WIDTH = 88
"""Default line length of formatters."""


def render(draft: SuiteDraft) -> dict[Path, str]:
    """Return the texts of the suite and its tests, by path relative to the project's root."""
    task = TASKS[draft.task]
    names = {"file": _literal(draft.file), "function": _literal(draft.function)}
    variants = [Template(VARIANTS[name].call).substitute(names) for name in draft.variants]
    imported = {call.partition("(")[0] for call in variants} | {"Suite", task.class_name}
    arguments = {**draft.data, **draft.columns, **draft.settings}
    written = [f"{keyword}={_literal(value)}" for keyword, value in arguments.items()]
    lines = [f"{_literal(draft.name)},", *_bracketed(f"task={task.class_name}(", written, "),")]
    if draft.model is not None:
        lines.append(f"model={_literal(draft.model)},")
    if draft.compares:
        lines.append(f"baseline={_literal(draft.baseline)},")
    if not draft.function:
        lines.append('threads="best",')
    lines += _bracketed("variants=[", variants, "],", one_by_one=True)
    suite = [*_import(sorted(imported)), "", "suite = Suite("]
    suite += [*(f"    {line}" for line in lines), ")", ""]
    tests = Template(template("test_suite.py.txt")).substitute(batch=task.batch)
    return {
        draft.folder / "suite.py": "\n".join(suite),
        draft.folder / f"test_{draft.folder.name}.py": tests,
    }


def _import(names: Sequence[str]) -> list[str]:
    line = f"from pytest_infperf import {', '.join(names)}"
    if len(line) <= _WIDTH:
        return [line]
    return ["from pytest_infperf import (", *(f"    {name}," for name in names), ")"]


def _bracketed(
    start: str, parts: Sequence[str], end: str, *, one_by_one: bool = False
) -> list[str]:
    """Return the lines of a call or, with `one_by_one`, of a list, formatted as by formatters."""
    joined = ", ".join(parts)
    width = _WIDTH - 4
    if len(start + joined + end) <= width:
        return [start + joined + end]
    if len(joined) + 4 <= width and not one_by_one:
        return [start, f"    {joined}", end]
    return [start, *(f"    {part}," for part in parts), end]


def _literal(value: object) -> str:
    """Return a value as Python source, with texts in double quotes where possible."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        return repr(value) if '"' in value else json.dumps(value, ensure_ascii=False)
    return repr(value)


def workflow(present: Mapping[str, bool]) -> str:
    """Return the workflow; `present` contains the requirements files of the project."""
    requirements = [f"-r {name}" for name, there in present.items() if there]
    return template("inference.yml").replace(_PACKAGE, " ".join([_PACKAGE, *requirements]))


def template(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")
