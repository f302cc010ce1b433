"""The steps of `infperf init`: files, measuring, limits, and measuring again to check them."""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

from pytest_infperf.cli.init import suite_files
from pytest_infperf.cli.init.choices import COLUMNS, TASKS, VARIANTS
from pytest_infperf.cli.init.draft import THRESHOLDS, SuiteDraft, draft_from
from pytest_infperf.cli.init.limits import suite_section
from pytest_infperf.cli.init.measuring import Slowdown, findable_slowdown, measure
from pytest_infperf.options import seconds
from pytest_infperf.records.file import write_text
from pytest_infperf.records.record import Verdict
from pytest_infperf.thresholds.rendering import to_toml

_WORKFLOW = Path(".github/workflows/inference.yml")
_EMPTY_THRESHOLDS = "schema = 1\n"
_MAX_RUNS = 3
_SMALL_PERCENT = 4
"""A limit with which code that is 5 % slower is detected."""
_DESCRIPTION = """\
The suite is measured two or three times, and the limits in thresholds.toml are
those that the measured runs meet. Options that are not given are read from the
model and the data, or asked on a terminal."""
_EPILOG = """\
examples:
  infperf init reviews --model models/bert --data reviews.csv
  infperf init ours --model export/model.onnx --data reviews.csv --text review
  infperf init photos --model models/vit --data photos/
  infperf init shop --function shop.inference:load --data shop.samples:read
  infperf init"""


def configure(parser: ArgumentParser) -> None:
    parser.description = f"{parser.description}\n\n{_DESCRIPTION}"
    parser.epilog = _EPILOG
    parser.add_argument("name", nargs="?", help="name of the suite (default: that of the model)")
    what = parser.add_argument_group("model")
    what.add_argument(
        "--model",
        metavar="MODEL",
        help="a folder of transformers, a hub id such as Helsinki-NLP/opus-mt-zh-en, or an ONNX "
        "file with the model's config.json and tokenizer beside it (default: asked)",
    )
    what.add_argument(
        "--function",
        metavar="MODULE:NAME",
        help="your own function, load(folder, threads), that returns a callable from a list of "
        "inputs to a list of outputs (default: the model of --model)",
    )
    what.add_argument(
        "--task",
        choices=list(TASKS),
        metavar="TASK",
        help=f"task of the model (default: according to its files): one of {', '.join(TASKS)}",
    )
    what.add_argument(
        "--variants",
        metavar="ID,ID",
        help=f"variants to write, the baseline first (default: those that can be built here); "
        f"choose from {', '.join(VARIANTS)}",
    )
    files: dict[str, dict[str, list[str]]] = {}
    columns: dict[str, list[str]] = {}
    for task, template in TASKS.items():
        for keyword, description in {**template.data, **template.other_data}.items():
            files.setdefault(keyword, {}).setdefault(description, []).append(task)
        for keyword in (*template.columns, *template.more_columns):
            columns.setdefault(keyword, []).append(task)
    data = parser.add_argument_group(
        "test data", "A table is a CSV, TSV, JSON, JSON Lines or Parquet file."
    )
    for keyword, tasks in files.items():
        found = "; ".join(f"for {' and '.join(names)}: {text}" for text, names in tasks.items())
        data.add_argument(f"--{keyword}", metavar="PATH", help=f"{found} (default: asked)")
    optional = {keyword for template in TASKS.values() for keyword in template.more_columns}
    for keyword, names in columns.items():
        usual = "none" if keyword in optional else "the one whose name or content fits"
        data.add_argument(
            f"--{keyword}",
            metavar="COLUMN",
            help=f"column with {COLUMNS[keyword]}, for {', '.join(names)} (default: {usual})",
        )
    data.add_argument(
        "--metrics", metavar="NAME,NAME", help="quality scores (default: those of the task)"
    )
    parser.add_argument("--folder", type=Path, help="folder of the suite (default: suites/NAME)")
    parser.add_argument(
        "--budget",
        type=seconds,
        default=10.0,
        metavar="SECONDS",
        help="measuring time of one test of one variant (default: 10)",
    )
    parser.add_argument("--no-workflow", action="store_true", help="do not write a GitHub workflow")
    parser.add_argument("--force", action="store_true", help="overwrite the suite and its gates")


def run(arguments: Namespace) -> int:
    root = Path.cwd()
    draft = draft_from(arguments, root)
    files = suite_files.render(draft)
    if found := {**draft.columns, **draft.settings}:
        print("found: " + ", ".join(f"{keyword} is {value!r}" for keyword, value in found.items()))
    thresholds = root / THRESHOLDS
    if not (root / "conftest.py").exists():
        files[Path("conftest.py")] = suite_files.CONFTEST
    if not arguments.no_workflow:
        if (root / _WORKFLOW).exists():
            print(f"kept {_WORKFLOW}, which runs every suite")
        else:
            present = {name: (root / name).is_file() for name in ("requirements.txt",)}
            files[_WORKFLOW] = suite_files.workflow(present)
    for path, text in files.items():
        write_text(root / path, text)
        print(f"wrote {path}")
    return _set_limits(draft, root, thresholds, arguments.budget)


def _set_limits(draft: SuiteDraft, root: Path, thresholds: Path, budget_s: float) -> int:
    """Measure and set limits until a new run meets the limits from the earlier runs."""
    import tomlkit

    present = thresholds.read_text("utf-8") if thresholds.is_file() else _EMPTY_THRESHOLDS
    others = tomlkit.parse(present)
    others.pop(draft.name, None)
    other_sections = tomlkit.dumps(others)

    def write_limits() -> None:
        section = to_toml({draft.name: suite_section(draft, runs, findable)})
        write_text(thresholds, f"{other_sections.rstrip()}\n\n{section}")

    with tempfile.TemporaryDirectory() as folder:
        no_limits = Path(folder, "thresholds.toml")
        no_limits.write_text(_EMPTY_THRESHOLDS)
        runs = [measure(draft, root, no_limits, budget_s)]
    suite_section(draft, runs, Slowdown(100, 0))  # refuses scores at chance level early
    print("measuring the smallest slowdown that this host can detect", flush=True)
    findable = findable_slowdown(draft, root, budget_s)
    print(_described(findable))
    for _ in range(_MAX_RUNS - 1):
        write_limits()
        print(f"wrote {thresholds.name}; measuring again to check the limits", flush=True)
        records = measure(draft, root, thresholds, budget_s)
        runs.append(records)
        if {gate.verdict for record in records for gate in record.gates} == {Verdict.PASS}:
            print(
                f"every limit is met. {_before_commit(draft)}, and run: pytest --infperf "
                f"{draft.folder}\nWith a later commit, compare it with the one before: pytest "
                f"--infperf --infperf-against HEAD~1 {draft.folder}"
            )
            return 0
    write_limits()
    print(
        "the last run broke some limits: this host is too noisy for this budget. The limits in "
        f"{thresholds.name} now include this run, and were not checked again. Run `infperf "
        "doctor`, and measure with more time (--infperf-budget) on a quieter host",
        file=sys.stderr,
    )
    return 1


def _before_commit(draft: SuiteDraft) -> str:
    """Return what to do with the files: a path outside the project exists on this host only."""
    if not draft.outside:
        return "Commit these files"
    return (
        f"suite.py has paths that other hosts may not have: {', '.join(draft.outside)}. Copy them "
        "into this project and use the copies in suite.py, or use a model of the hub; then commit "
        "these files"
    )


def _described(findable: Slowdown) -> str:
    if findable.percent <= _SMALL_PERCENT:
        return f"this host can detect a slowdown of {findable.percent} %: the limit on regression"
    return (
        f"the limit on regression is {findable.percent} %: this host is too noisy to detect less. "
        "Run `infperf doctor`"
    )
