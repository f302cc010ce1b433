"""`infperf init`: a suite for a model, limits from a measured run, and a CI workflow."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib.resources import files as resources
from importlib.util import find_spec
from pathlib import Path

from pytest_infperf.cli.init import scaffold
from pytest_infperf.cli.init.scaffold import BACKENDS, TASKS, SuiteDraft
from pytest_infperf.errors import UserError
from pytest_infperf.records.file import read, write_text
from pytest_infperf.records.record import Record, Verdict
from pytest_infperf.run.calibration import NoiseFloor, calibrate, configured_suite
from pytest_infperf.settings import Settings
from pytest_infperf.suite.discovery import SUITE_FILE, suite_beside
from pytest_infperf.thresholds import Policy
from pytest_infperf.thresholds.rendering import to_toml

_CONFTEST = '"""Makes this folder the start of import names, here and in workers."""\n'
_MOST_RUNS = 3
_NOISE_RUNS = 3
_HEAD = "schema = 1\n\n"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="of the suite, such as translation")
    parser.add_argument("--task", choices=list(TASKS), default="translation")
    parser.add_argument("--model", help="a folder, or a hub id such as Helsinki-NLP/opus-mt-zh-en")
    for task, kind in TASKS.items():
        for keyword, what in kind.data.items():
            parser.add_argument(f"--{keyword}", metavar="PATH", help=f"of {task}: {what}")
    parser.add_argument(
        "--variants",
        metavar="ID,ID",
        help=f"the first is the baseline; of {', '.join(BACKENDS)}",
    )
    parser.add_argument("--folder", type=Path, help="of the suite (default: suites/NAME)")
    parser.add_argument("--budget", type=float, default=10.0, help="seconds a test (default: 10)")
    parser.add_argument("--no-workflow", action="store_true", help="write no GitHub workflow")
    parser.add_argument("--force", action="store_true", help="overwrite files that are there")


def run(arguments: Namespace) -> int:
    root = Path.cwd()
    draft = _plan(arguments, root)
    written = scaffold.files(draft)
    if not arguments.no_workflow:
        workflow = resources(__package__).joinpath("inference.yml")
        written[Path(".github/workflows/inference.yml")] = workflow.read_text("utf-8")
    limits = root / "thresholds.toml"
    before = limits.read_text("utf-8") if limits.is_file() else _HEAD
    _refuse_overwriting([root / path for path in written], force=arguments.force)
    if f"[{draft.name}" in before:
        raise UserError(
            f"{limits} has a section [{draft.name}] already: take another name, or remove it"
        )
    if not (root / "conftest.py").exists():
        written[Path("conftest.py")] = _CONFTEST
    for path, text in written.items():
        write_text(root / path, text)
        print(f"wrote {path}")
    return _set_limits(draft, root, limits, before, arguments.budget)


def _set_limits(draft: SuiteDraft, root: Path, limits: Path, before: str, budget_s: float) -> int:
    """Measure, set limits, and measure again until a run keeps to what the earlier ones saw."""
    with tempfile.TemporaryDirectory() as folder:
        nothing = Path(folder, "thresholds.toml")
        nothing.write_text(_HEAD)
        runs = [_measured(draft, root, nothing, budget_s)]
        print("and see how small a slowdown this host can show", flush=True)
        slowdown = _noise(draft, root, budget_s).smallest_slowdown
        for _ in range(_MOST_RUNS - 1):
            section = scaffold.limits(draft, runs, slowdown)
            write_text(limits, f"{before.rstrip()}\n\n{to_toml({draft.name: section})}")
            print(f"wrote {limits.name}, and see whether a new run keeps to it", flush=True)
            records = _measured(draft, root, limits, budget_s)
            verdicts = {gate.verdict for record in records for gate in record.gates}
            if verdicts == {Verdict.PASS}:
                print(
                    f"every limit is kept. Commit these files, and run: pytest --infperf "
                    f"{draft.folder}"
                )
                return 0
            runs.append(records)
    print(
        "the limits are not kept yet: this host is too noisy for this budget. See `infperf "
        "doctor`, and raise --budget",
        file=sys.stderr,
    )
    return 1


def _noise(draft: SuiteDraft, root: Path, budget_s: float) -> NoiseFloor:
    """Of the last variant against itself."""
    configured = configured_suite(
        suite_beside(root / draft.folder / SUITE_FILE, root), draft.baseline
    )
    settings = Settings(root, cache=root / ".infperf_cache")
    return calibrate(
        configured, draft.variants[-1], settings, Policy(budget_s=budget_s), _NOISE_RUNS
    )


def _measured(draft: SuiteDraft, root: Path, limits: Path, budget_s: float) -> list[Record]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.json")
        options = [f"--infperf-thresholds={limits}", f"--infperf-json={path}"]
        command = [sys.executable, "-m", "pytest", "--infperf", str(draft.folder), *options]
        subprocess.run([*command, f"--infperf-budget={budget_s}"], cwd=root, check=False)
        if not path.is_file():
            raise UserError("nothing was measured: see what pytest said above")
        records = read(path).records
    if errors := [error for record in records for error in record.errors]:
        raise UserError(
            f"a variant could not be measured: {errors[0]}\nMend it, or leave it out of "
            "--variants; then call init again with --force"
        )
    return records


def _plan(arguments: Namespace, root: Path) -> SuiteDraft:
    name = arguments.name or _asked("name of the suite", "NAME")
    if not name.isidentifier():
        raise UserError(f"{name!r} cannot name a suite: use letters, digits and underscores")
    model = arguments.model or _asked("model: a folder or a hub id", "--model")
    data = {
        keyword: getattr(arguments, keyword) or _asked(what, f"--{keyword}")
        for keyword, what in TASKS[arguments.task].data.items()
    }
    folder = arguments.folder or Path("suites", name)
    if folder.is_absolute() or ".." in folder.parts:
        raise UserError(f"--folder {folder}: name a folder below this one")
    for keyword, path in data.items():
        if not (root / path).exists():
            raise UserError(f"--{keyword}: there is no {root / path}")
    is_folder = (root / model).is_dir()
    if not is_folder and (model.count("/") != 1 or model.startswith((".", "/"))):
        raise UserError(f"--model: {model} is neither a folder here nor a hub id (OWNER/NAME)")
    return SuiteDraft(
        name,
        arguments.task,
        _from(folder, model, root) if is_folder else model,
        {keyword: _from(folder, path, root) for keyword, path in data.items()},
        _variants(arguments.variants, arguments.task),
        folder,
    )


def _variants(text: str | None, task: str) -> Sequence[str]:
    if text is None:
        able = [v for v in TASKS[task].variants if find_spec(BACKENDS[v][1])]
        if len(able) < 2:
            raise UserError("no runtime is installed: pip install 'pytest-infperf[suites]'")
        return able
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in BACKENDS]:
        raise UserError(f"--variants: no {', '.join(unknown)}; there are {', '.join(BACKENDS)}")
    return names


def _from(folder: Path, path: str, root: Path) -> str:
    """As the suite writes it: from its own folder, unless it lies elsewhere altogether."""
    full = (root / path).resolve()
    return os.path.relpath(full, root / folder) if full.is_relative_to(root) else str(full)


def _refuse_overwriting(paths: Sequence[Path], *, force: bool) -> None:
    there = [str(path) for path in paths if path.exists()]
    if there and not force:
        raise UserError(f"{', '.join(there)}: already there; overwrite with --force")


def _asked(what: str, option: str) -> str:
    if not sys.stdin.isatty():
        raise UserError(f"{option} is missing ({what})")
    answer = input(f"{what}: ").strip()
    return answer or _asked(what, option)
