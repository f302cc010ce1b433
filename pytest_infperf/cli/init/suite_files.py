"""The files of a new suite: suite.py, its tests, a conftest.py and a CI workflow."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from string import Template

from pytest_infperf.cli.init.choices import TASKS, VARIANTS
from pytest_infperf.cli.init.draft import SuiteDraft

CONFTEST = '"""Makes this folder the root of import names, here and in workers."""\n'


def render(draft: SuiteDraft) -> dict[Path, str]:
    """Return the texts of the suite and its tests, by path relative to the project's root."""
    task = TASKS[draft.task]
    calls = [VARIANTS[variant].call for variant in draft.variants]
    backends = {call.partition("(")[0] for call in calls}
    keywords = {**draft.data, **draft.columns}
    data = ", ".join(f"{keyword}={json.dumps(text)}" for keyword, text in keywords.items())
    suite = Template(template("suite.py.txt")).substitute(
        imports=", ".join(sorted({*backends, "Suite", task.class_name})),
        name=json.dumps(draft.name),
        task=f"{task.class_name}({data})",
        model=json.dumps(draft.model),
        baseline=json.dumps(draft.baseline),
        variants="\n".join(f"        {call}," for call in calls),
    )
    tests = Template(template("test_suite.py.txt")).substitute(batch=task.batch)
    return {
        draft.folder / "suite.py": suite,
        draft.folder / f"test_{draft.folder.name}.py": tests,
    }


def template(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")
