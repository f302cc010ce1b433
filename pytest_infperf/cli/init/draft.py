"""The suite that `infperf init` writes, from options and from questions on the terminal."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from os.path import abspath, isabs, realpath, relpath
from pathlib import Path
from statistics import fmean, median, pstdev
from typing import Any

import pytest_infperf
from pytest_infperf.artifacts.models import is_hub_id
from pytest_infperf.cli.init.choices import TASKS, VARIANTS, TaskTemplate
from pytest_infperf.cli.init.columns import Rows, choose, find, other_texts, rows_of, table_in
from pytest_infperf.cli.init.questions import Questions
from pytest_infperf.cli.init.source import Source, hub_task, read_json, source_of, with_remedy
from pytest_infperf.errors import UserError
from pytest_infperf.suite import functions
from pytest_infperf.suite.samples import Samples
from pytest_infperf.thresholds import read

THRESHOLDS = "thresholds.toml"
_WHAT = "what to measure: a folder, a hub id, an ONNX file, or a function (package.module:load)"
_DATA_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class SuiteDraft:
    """The contents of a new suite."""

    name: str
    task: str
    """Key in TASKS."""
    model: str | None
    """Hub id, or folder as written in suite.py; None if a function needs none."""
    data: Mapping[str, str]
    """Paths as written in suite.py, by the task's keywords."""
    variants: Sequence[str]
    """Keys in VARIANTS, the baseline first."""
    folder: Path
    """Folder of the suite, relative to the project's root."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Columns of the data in suite.py, by the task's keywords."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Other arguments of the task."""
    chance: Mapping[str, float] = field(default_factory=dict)
    """Scores of the best single answer to all samples, by metric."""
    file: str = ""
    """ONNX graph that variants run, relative to the model's folder."""
    function: str = ""
    """Function that a variant runs."""

    @property
    def baseline(self) -> str:
        return self.variants[0]

    @property
    def outside(self) -> list[str]:
        """The paths of the model and the data that are outside the project."""
        return [path for path in (self.model, *self.data.values()) if path and isabs(path)]

    @property
    def compares(self) -> bool:
        """Whether there are variants besides the baseline."""
        return len(self.variants) > 1


def draft_from(arguments: Namespace, root: Path) -> SuiteDraft:
    """Return the suite that the options describe; ask for missing ones if there is a terminal.

    Raises UserError for a missing option without a terminal, and for wrong values, models or data
    that cannot be used.
    """
    if arguments.name and not arguments.name.isidentifier():
        raise UserError(
            f"{arguments.name!r} cannot name a suite: use letters, digits and underscores"
        )
    sys.path.insert(0, str(root))  # functions of the project
    has_data = any(getattr(arguments, keyword) for t in TASKS.values() for keyword in _keywords(t))
    is_complete = arguments.name and (arguments.model or arguments.function) and has_data
    questions = Questions(asks=sys.stdin.isatty() and not is_complete)
    model = arguments.model
    if not arguments.function:
        model = questions.answer(model, _WHAT, "--model")
    source = source_of(model, arguments.function, root)
    if found := source.described():
        print(f"found: {found}")
    name = questions.answer(arguments.name, "name of the suite", "NAME", source.default_name)
    if not name.isidentifier():
        raise UserError(f"{name!r} cannot name a suite: use letters, digits and underscores")
    folder = arguments.folder or Path("suites", name)
    if folder.is_absolute() or ".." in folder.parts:
        raise UserError(f"--folder {folder}: specify a folder below the current one")
    _refuse_existing(root, folder, name, force=arguments.force)
    task = _task(arguments, source, root, questions)
    template = TASKS[task]
    data = _data(arguments, template, root, questions)
    columns = _columns(arguments, template, data, root, source, questions)
    given = {**template.settings, **_settings_of(template, source)}
    if arguments.metrics:
        given["metrics"] = [name.strip() for name in arguments.metrics.split(",")]
    settings, samples = _fitting(template, {**data, **columns}, given, source, root)
    return SuiteDraft(
        name,
        task,
        source.model and _path_in_suite(folder, source.model, root),
        {keyword: _path_in_suite(folder, path, root) for keyword, path in data.items()},
        _variants(arguments.variants, template, source, questions),
        folder,
        columns,
        settings,
        _chance(samples.references),
        source.file or "",
        source.function or "",
    )


def _refuse_existing(root: Path, folder: Path, name: str, *, force: bool) -> None:
    written = (root / folder / "suite.py", root / folder / f"test_{folder.name}.py")
    existing = [str(path) for path in written if path.exists()]
    if force:
        return
    if existing:
        raise UserError(f"{', '.join(existing)}: already exists; overwrite with --force")
    thresholds = root / THRESHOLDS
    if thresholds.is_file() and name in read(thresholds, root).suites:
        raise UserError(
            f"{thresholds} already has a section [{name}]: choose another name, or replace "
            "it with --force"
        )


def _keywords(template: TaskTemplate) -> list[str]:
    return [*template.data, *template.other_data]


def _task(arguments: Namespace, source: Source, root: Path, questions: Questions) -> str:
    """Return the task, from an option, the model or the data."""
    found = source.task or _task_of_options(arguments, source, root)
    if not found and not arguments.task and source.model and not source.folder:
        config, found = hub_task(source.model)
        if architectures := config.get("architectures"):
            print(f"found: {', '.join(map(str, architectures))}")
    listed = ", ".join(TASKS)
    if not (arguments.task or found or questions.asks):
        what = source.function or source.model
        raise UserError(
            f"the task of {what} is not known from its files or data: specify it with --task, one "
            f"of {listed}; for other tasks, use --function and --task custom"
        )
    task = questions.answer(arguments.task, f"task ({listed})", "--task", found)
    if task not in TASKS:
        raise UserError(f"{task!r} is not a task: choose from {listed}")
    if task == "custom" and not source.function:
        raise UserError("--task custom is for functions: specify one with --function")
    return task


def _task_of_options(arguments: Namespace, source: Source, root: Path) -> str | None:
    """Return the task that the options of the data identify; None if they do not."""
    for task, template in TASKS.items():
        others = template.other_data if "data" in template.data else template.data
        if any(getattr(arguments, keyword) for keyword in others):
            return task
    if not (data := arguments.data) or not source.function:
        return None
    if functions.is_name(data) and not (root / data).exists():
        return "custom"
    if (table := table_in(data, root)) is None:
        return "vision"
    rows = rows_of(table, root)
    names = list(dict.fromkeys(name for row in rows for name in row))
    for task in ("speech", "vision", "classification"):
        keywords = TASKS[task].columns
        if all(getattr(arguments, keyword) or find(keyword, names, rows) for keyword in keywords):
            return task
    return None


def _data(
    arguments: Namespace, template: TaskTemplate, root: Path, questions: Questions
) -> dict[str, str]:
    """Return the paths of the test data, or the function that returns it, by keyword."""
    others = any(getattr(arguments, keyword) for keyword in template.other_data)
    wanted = template.other_data if others else template.data
    data = {
        keyword: questions.answer(
            getattr(arguments, keyword),
            description,
            f"--{keyword}",
            _only_table(root) if questions.asks and keyword == "data" else None,
        )
        for keyword, description in wanted.items()
    }
    for keyword, path in data.items():
        if not (root / path).exists() and not functions.is_name(path):
            raise UserError(f"--{keyword}: {root / path} does not exist")
    return data


def _only_table(root: Path) -> str | None:
    """Return the only table in the project's root or in `data`; None if there are several."""
    tables = [p for top in (root, root / "data") for p in top.glob("*.*")]
    found = [path for path in tables if path.suffix in _DATA_SUFFIXES]
    return found[0].relative_to(root).as_posix() if len(found) == 1 else None


def _columns(
    arguments: Namespace,
    template: TaskTemplate,
    data: Mapping[str, str],
    root: Path,
    source: Source,
    questions: Questions,
) -> dict[str, str]:
    """Return the columns of the table, by keyword, that differ from the task's defaults."""
    table = table_in(data["data"], root) if "data" in data else None
    if not template.columns or table is None:
        return {}
    more = [keyword for keyword in template.more_columns if getattr(arguments, keyword)]
    keywords = [*template.columns, *more]
    rows: Rows = rows_of(table, root)

    def confirm(keyword: str, found: str | None) -> str | None:
        if not questions.asks:
            return found
        listed = ", ".join(dict.fromkeys(name for row in rows for name in row))
        return questions.answer(None, f"column of the {keyword} ({listed})", f"--{keyword}", found)

    given = {keyword: getattr(arguments, keyword) for keyword in keywords}
    chosen = choose(table, rows, keywords, given, source.labels, confirm)
    if "text" in chosen and not given["text"] and (others := other_texts(rows, chosen)):
        both = ", or both with --text and --pair" if "pair" in template.more_columns else ""
        print(
            f"{table} has several columns of text: the suite reads {chosen['text']!r}, not "
            f"{', '.join(map(repr, others))}. Select another one with --text{both}"
        )
    defaults = _defaults(template)
    return {keyword: column for keyword, column in chosen.items() if column != defaults[keyword]}


def _defaults(template: TaskTemplate) -> dict[str, Any]:
    """Return the defaults of the task's parameters."""
    task: Any = getattr(pytest_infperf, template.class_name)
    return {f.name: f.default for f in fields(task)}


def _settings_of(template: TaskTemplate, source: Source) -> dict[str, object]:
    """Return the settings of the task in the model's files that differ from the default."""
    defaults = _defaults(template)
    settings: dict[str, object] = {}
    positions, longest = source.config.get("max_position_embeddings"), defaults.get("max_tokens")
    if isinstance(longest, int) and isinstance(positions, int) and 0 < positions < longest:
        settings["max_tokens"] = positions
    if "rate" in defaults and source.folder and not source.function:
        rate = _sampling_rate(source.folder)
        if rate and rate != defaults["rate"]:
            settings["rate"] = rate
    return settings


def _sampling_rate(folder: Path) -> int | None:
    """Return the sampling rate of a model's input, in hertz; None if it is not known."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        config = read_json(folder / name)
        rate = {**config, **(config.get("feature_extractor") or {})}.get("sampling_rate")
        if isinstance(rate, int):
            return rate
    return None


def _fitting(
    template: TaskTemplate,
    keywords: Mapping[str, str],
    settings: Mapping[str, object],
    source: Source,
    root: Path,
) -> tuple[Mapping[str, object], Samples]:
    """Return settings that make data and model fit together, and the samples.

    Everything is read before a file is written. Raises UserError if they do not fit.
    """
    task: Any = getattr(pytest_infperf, template.class_name)(**keywords, **settings)
    samples: Samples = task.samples(root)
    if source.folder is None or source.function:
        return settings, samples
    try:
        task.check(samples, task.codec(source.folder))
    except ImportError:  # the first run reports what must be installed
        return settings, samples
    except UserError as error:
        if getattr(task, "normalization", None) != "none":
            raise with_remedy(error, source) from error
        task = replace(task, normalization="basic")
        try:
            samples = task.samples(root)
            task.check(samples, task.codec(source.folder))
        except UserError:
            raise with_remedy(error, source) from error
        print("found: words and outputs are compared in lower case, without punctuation")
        return {**settings, "normalization": "basic"}, samples
    return settings, samples


def _chance(references: Sequence[object]) -> dict[str, float]:
    """Return the score of the best single answer to all samples."""
    numbers = [value for value in references if isinstance(value, float)]
    if len(numbers) == len(references):
        middle = median(numbers)
        return {"rmse": pstdev(numbers), "mae": fmean(abs(n - middle) for n in numbers)}
    ((_, count),) = Counter(map(str, references)).most_common(1)
    return {"accuracy": 100 * count / len(references)}


def _variants(
    text: str | None, template: TaskTemplate, source: Source, questions: Questions
) -> Sequence[str]:
    own = [name for name in source.variants if VARIANTS[name].is_available]
    found = own if source.variants else template.available
    if text is None and len(found) < (1 if source.variants else 2):
        raise UserError(
            "fewer than two variants can be built here; install the runtimes: "
            "pip install 'pytest-infperf[suites]'"
        )
    if not source.function:
        text = questions.answer(text, "variants, the baseline first", "--variants", ",".join(found))
    names = [name.strip() for name in text.split(",")] if text else found
    if unknown := [name for name in names if name not in VARIANTS]:
        raise UserError(
            f"--variants: unknown {', '.join(unknown)}; choose from {', '.join(VARIANTS)}"
        )
    for name in names:
        if "$file" in VARIANTS[name].call and not source.file:
            raise UserError(f"--variants: {name} needs an ONNX file, --model MODEL.onnx")
        if "$function" in VARIANTS[name].call and not source.function:
            raise UserError(f"--variants: {name} needs --function")
    return names


def _path_in_suite(folder: Path, path: str, root: Path) -> str:
    """Return the path relative to the suite's folder, or absolute if it is outside the project.

    A link in the project counts as a path of the project. Names of functions and hub ids are not
    changed.
    """
    if not (root / path).exists() and (functions.is_name(path) or is_hub_id(path)):
        return path
    for absolute in (abspath, realpath):
        full, top = absolute(root / path), absolute(root)
        if Path(full).is_relative_to(top):
            return relpath(full, Path(top, folder))
    return abspath(root / path)
