"""The steps of `infperf init`: files, measuring, limits, and measuring again to check them."""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from pytest_infperf.cli.init import suite_files
from pytest_infperf.cli.init.choices import TASKS, VARIANTS
from pytest_infperf.cli.init.draft import SuiteDraft, draft_from
from pytest_infperf.cli.init.limits import suite_section
from pytest_infperf.cli.init.measuring import measure, smallest_slowdown
from pytest_infperf.errors import UserError
from pytest_infperf.records.file import write_text
from pytest_infperf.records.record import Verdict
from pytest_infperf.thresholds import read
from pytest_infperf.thresholds.rendering import to_toml

_WORKFLOW = Path(".github/workflows/inference.yml")
_EMPTY_THRESHOLDS = "schema = 1\n"
_MAX_RUNS = 3


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="name of the suite, such as translation")
    parser.add_argument(
        "--task",
        choices=list(TASKS),
        help="default: that of the model's architecture in its config.json, or translation",
    )
    parser.add_argument("--model", help="a folder, or a hub id such as Helsinki-NLP/opus-mt-zh-en")
    files: dict[str, list[str]] = {}
    columns: dict[str, list[str]] = {}
    for task, template in TASKS.items():
        for keyword, description in template.data.items():
            files.setdefault(keyword, []).append(f"for {task}: {description}")
        for keyword in template.columns:
            columns.setdefault(keyword, []).append(task)
    for keyword, descriptions in files.items():
        parser.add_argument(f"--{keyword}", metavar="PATH", help="; ".join(descriptions))
    for keyword, tasks in columns.items():
        what = (
            f"for {' and '.join(tasks)}: column of the data, found by name and content if it can be"
        )
        parser.add_argument(f"--{keyword}", metavar="COLUMN", help=what)
    parser.add_argument(
        "--variants",
        metavar="ID,ID",
        help=f"variants to write, the baseline first; choose from {', '.join(VARIANTS)}",
    )
    parser.add_argument("--folder", type=Path, help="folder of the suite (default: suites/NAME)")
    parser.add_argument(
        "--budget",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="measuring time of one test of one variant (default: 10)",
    )
    parser.add_argument("--no-workflow", action="store_true", help="write no GitHub workflow")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def run(arguments: Namespace) -> int:
    root = Path.cwd()
    draft = draft_from(arguments, root)
    files = suite_files.render(draft)
    if not arguments.no_workflow:
        files[_WORKFLOW] = suite_files.template("inference.yml")
    if draft.columns:
        print("columns: " + ", ".join(f"{k} is {column!r}" for k, column in draft.columns.items()))
    _refuse_overwriting([root / path for path in files], force=arguments.force)
    thresholds = root / "thresholds.toml"
    if thresholds.is_file() and draft.name in read(thresholds, root).suites:
        raise UserError(
            f"{thresholds} already has a section [{draft.name}]: choose another name, or remove "
            "the section"
        )
    if not (root / "conftest.py").exists():
        files[Path("conftest.py")] = suite_files.CONFTEST
    for path, text in files.items():
        write_text(root / path, text)
        print(f"wrote {path}")
    return _set_limits(draft, root, thresholds, arguments.budget)


def _set_limits(draft: SuiteDraft, root: Path, thresholds: Path, budget_s: float) -> int:
    """Measure and set limits until a new run meets the limits that the earlier runs set."""
    other_sections = thresholds.read_text("utf-8") if thresholds.is_file() else _EMPTY_THRESHOLDS
    with tempfile.TemporaryDirectory() as folder:
        no_limits = Path(folder, "thresholds.toml")
        no_limits.write_text(_EMPTY_THRESHOLDS)
        runs = [measure(draft, root, no_limits, budget_s)]
    print("measuring the smallest slowdown that this host can show", flush=True)
    slowdown = smallest_slowdown(draft, root, budget_s)
    for _ in range(_MAX_RUNS - 1):
        section = to_toml({draft.name: suite_section(draft, runs, slowdown)})
        write_text(thresholds, f"{other_sections.rstrip()}\n\n{section}")
        print(f"wrote {thresholds.name}; measuring again to check the limits", flush=True)
        records = measure(draft, root, thresholds, budget_s)
        if {gate.verdict for record in records for gate in record.gates} == {Verdict.PASS}:
            print(
                f"every limit is met. Commit these files, and run: pytest --infperf {draft.folder}"
            )
            return 0
        runs.append(records)
    print(
        "some limits are not met: this host is too noisy for this budget. Run `infperf doctor`, "
        "and raise --budget",
        file=sys.stderr,
    )
    return 1


def _refuse_overwriting(paths: Sequence[Path], *, force: bool) -> None:
    existing = [str(path) for path in paths if path.exists()]
    if existing and not force:
        raise UserError(f"{', '.join(existing)}: already exists; overwrite with --force")
