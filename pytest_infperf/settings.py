"""The settings of a run: frozen, and read once from pytest's options."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_infperf.errors import UserError

if TYPE_CHECKING:
    import pytest


THRESHOLDS_FILE = "thresholds.toml"
"""The file of limits in pytest's root directory that applies unless another is named."""


@dataclass(frozen=True)
class Settings:
    """The settings of a run. Paths are absolute, or relative to the working directory."""

    root: Path
    """pytest's root directory."""
    thresholds: Path | None = None
    """The file of limits; None if there is no such file."""
    json: Path | None = None
    """The file that the record of the run is written to."""
    html: Path | None = None
    """The file that the report is written to as a page."""
    budget_s: float | None = None
    """Measuring time of one test of one variant, in seconds; None takes that of the limits."""
    time_s: float | None = None
    """Measuring time of all tests of the run, in seconds; None leaves each test its budget."""
    full: bool = False
    """Whether the whole test sets are scored, not a sample."""
    variants: str = "*"
    """A glob over variant ids."""
    baseline: str | None = None
    """The id of the variant that others are compared with; None takes that of the suite."""
    threads: int | Literal["best"] | None = None
    """The number of threads of every variant; None takes that of the suite."""
    cache: Path = Path(".infperf_cache")
    """The folder in which built variants are kept."""
    storage: Path = Path(".benchmarks")
    """The folder in which pytest-benchmark saves runs."""
    seed: int = 0
    """The seed of the drawn samples and of the order of measuring."""
    timeout_s: float = 300.0
    """Time without a response after which a worker is ended, in seconds."""
    against: str | None = None
    """The git revision whose variants are compared with those of the working tree."""
    against_python: Path | None = None
    """The interpreter of that revision's workers; None takes the running one."""
    ray: str | None = None
    """The address of a Ray cluster whose nodes measure."""
    ray_quality: bool = False
    """Whether the cluster runs only the quality set, and all else is measured on this host."""
    imds: bool = True
    """Whether EC2's metadata service may be queried for the instance type."""
    prices: str | None = None
    """The path of a price table, or "aws" to ask AWS; None takes the shipped table."""
    strict: bool = False
    """Whether a run fails that measures a suite without a limit."""

    @classmethod
    def from_pytest(cls, config: pytest.Config) -> Settings:
        """Read the settings from the command line and the ini file.

        Raises
        ------
        UserError
            If a named file does not exist, or options cannot be combined.
        pytest.UsageError
            If a value in the ini file cannot be read.
        """
        from pytest_infperf.options import OPTIONS

        _refuse_moved_root(config, {o.flag for o in OPTIONS.values() if not o.is_switch})
        values = {name: option.value(config) for name, option in OPTIONS.items()}
        _refuse_combinations(values)
        root, started_in = config.rootpath, config.invocation_params.dir
        return cls(
            root=root,
            thresholds=_thresholds(root, values["thresholds"]),
            json=started_in / values["json"] if values["json"] else None,
            html=started_in / values["html"] if values["html"] else None,
            budget_s=values["budget"],
            time_s=values["time"],
            full=values["full"],
            variants=values["variants"] or cls.variants,
            baseline=values["baseline"],
            threads=values["threads"],
            cache=root / (values["cache"] or cls.cache),
            storage=_storage(config),
            seed=values["seed"] or cls.seed,
            timeout_s=values["timeout"] or cls.timeout_s,
            against=values["against"],
            against_python=_interpreter(values["against-python"], started_in),
            ray=values["ray"],
            ray_quality=values["ray-quality"],
            imds=not values["no-imds"],
            prices=values["prices"],
            strict=values["strict"],
        )


def _refuse_moved_root(config: pytest.Config, flags: Collection[str]) -> None:
    """Raise UserError if pytest has taken the value of an option for the path of a test.

    pytest looks for its ini file before it knows the options of plugins, near each existing path
    on the command line.
    """
    if config.getoption("inifilename") or config.getoption("rootdir"):
        return
    started_in, ini = config.invocation_params.dir, config.inipath
    for flag, value in pairwise(config.invocation_params.args):
        path = started_in / value
        if flag not in flags or path.is_relative_to(started_in) or not path.exists():
            continue
        if ini is None or (
            path.is_relative_to(ini.parent) and not started_in.is_relative_to(ini.parent)
        ):
            raise UserError(
                f"pytest takes {value} for the path of a test and looks for the files of the "
                f"project in {config.rootpath}: write {flag}={value}"
            )


def _refuse_combinations(values: dict[str, Any]) -> None:
    if values["ray-quality"] and not values["ray"]:
        raise UserError("--infperf-ray-quality needs a cluster: --infperf-ray ADDRESS")
    if values["time"] and values["budget"]:
        raise UserError(
            "--infperf-time and --infperf-budget both set the measuring time: leave one out"
        )
    if values["time"] and values["ray"]:
        raise UserError(
            "--infperf-time cannot be used with --infperf-ray, where each node has tests of its "
            "own: use --infperf-budget"
        )
    if values["ray"] and values["against"]:
        raise UserError(
            "--infperf-against cannot be used with --infperf-ray: nodes get the working tree "
            "without its history"
        )


def _thresholds(root: Path, named: str | None) -> Path | None:
    path = root / (named or THRESHOLDS_FILE)
    if path.is_file():
        return path
    if named:
        raise UserError(f"--infperf-thresholds: there is no file {path}")
    return None


def _storage(config: pytest.Config) -> Path:
    uri = config.getoption("benchmark_storage", None) or "file://./.benchmarks"
    return config.invocation_params.dir / str(uri).removeprefix("file://")


def _interpreter(named: str | None, folder: Path) -> Path | None:
    if not named:
        return None
    path = folder / named
    if path.is_dir() or not os.access(path, os.X_OK):
        raise UserError(f"--infperf-against-python: {path} is not an executable file")
    return path
