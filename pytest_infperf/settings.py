"""What was asked of a run: frozen, and read once from pytest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_infperf.errors import UserError

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Settings:
    """What was asked of a run."""

    root: Path
    thresholds: Path | None = None
    """None when there is no thresholds.toml and none was named."""
    json: Path | None = None
    html: Path | None = None
    budget_s: float | None = None
    full: bool = False
    variants: str = "*"
    """A glob over variant ids."""
    baseline: str | None = None
    threads: int | Literal["best"] | None = None
    cache: Path = Path(".infperf_cache")
    storage: Path = Path(".benchmarks")
    """Where pytest-benchmark saves runs."""
    seed: int = 0
    timeout_s: float = 300.0
    against: str | None = None
    """A git revision whose variants are measured beside those of the working tree."""
    against_python: Path | None = None
    """The interpreter of that revision's workers; None takes this one."""
    ray: str | None = None
    """The address of a Ray cluster whose nodes measure."""
    ray_quality: bool = False
    """Only the quality set is run there, shared out over its nodes; all else is measured here."""
    imds: bool = True
    """Whether EC2's metadata service may be asked what this host is."""
    prices: str | None = None
    """A price table's path, or "aws" to ask; None takes the shipped table."""

    @classmethod
    def from_pytest(cls, config: pytest.Config) -> Settings:
        def value(name: str) -> Any:
            given = config.getoption(f"infperf_{name}")
            return given if given is not None else config.getini(f"infperf_{name}") or None

        root = config.rootpath
        named = value("thresholds")
        thresholds = root / (named or "thresholds.toml")
        if named and not thresholds.is_file():
            raise UserError(f"--infperf-thresholds: there is no file {thresholds}")
        json, html = value("json"), value("html")
        budget = value("budget")
        threads = value("threads")
        ray, against = value("ray"), value("against")
        ray_quality = bool(
            config.getoption("infperf_ray_quality") or config.getini("infperf_ray_quality")
        )
        if ray_quality and not ray:
            raise UserError("--infperf-ray-quality needs a cluster: --infperf-ray ADDRESS")
        if ray and against:
            raise UserError(
                "--infperf-against cannot be used with --infperf-ray: nodes get the working tree "
                "without its history"
            )
        return cls(
            root=root,
            thresholds=thresholds if thresholds.is_file() else None,
            json=(config.invocation_params.dir / json) if json else None,
            html=(config.invocation_params.dir / html) if html else None,
            budget_s=None if budget is None else _positive("budget", budget),
            full=bool(config.getoption("infperf_full") or config.getini("infperf_full")),
            variants=value("variants") or "*",
            baseline=value("baseline"),
            threads=threads if threads in (None, "best") else _whole("threads", threads, least=1),
            cache=root / (value("cache") or ".infperf_cache"),
            storage=_storage(config),
            seed=_whole("seed", value("seed") or 0, least=0),
            timeout_s=_positive("timeout", value("timeout") or cls.timeout_s),
            against=against,
            against_python=_interpreter(value("against_python"), config.invocation_params.dir),
            ray=ray,
            ray_quality=ray_quality,
            imds=not (config.getoption("infperf_no_imds") or config.getini("infperf_no_imds")),
            prices=value("prices"),
        )


def _storage(config: pytest.Config) -> Path:
    uri = config.getoption("benchmark_storage", None) or "file://./.benchmarks"
    return config.invocation_params.dir / str(uri).removeprefix("file://")


def _interpreter(named: str | None, folder: Path) -> Path | None:
    if not named:
        return None
    path = folder / named
    if not os.access(path, os.X_OK) or path.is_dir():
        raise UserError(f"--infperf-against-python: {path} is no program that can be run")
    return path


def _positive(name: str, text: object) -> float:
    try:
        number = float(str(text))
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise UserError(f"--infperf-{name}: {text!r} is not a number of seconds over 0")
    return number


def _whole(name: str, text: object, *, least: int) -> int:
    try:
        number = int(str(text))
    except ValueError:
        number = least - 1
    if number < least:
        also = ' or "best"' if name == "threads" else ""
        raise UserError(
            f"--infperf-{name}: {text!r} is not a whole number of at least {least}{also}"
        )
    return number
