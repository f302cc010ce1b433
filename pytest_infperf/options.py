"""The options of a run: declared once for the command line and the ini file, read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest


@dataclass(frozen=True)
class Settings:
    """What was asked of a run."""

    root: Path
    thresholds: Path | None
    """None when there is no thresholds.toml and none was named."""
    json: Path | None
    budget_s: float | None
    full: bool
    variants: str
    """A glob over variant ids."""
    baseline: str | None
    threads: int | Literal["best"] | None
    cache: Path
    seed: int
    timeout_s: float

    @classmethod
    def from_pytest(cls, config: pytest.Config) -> Settings:
        def value(name: str) -> Any:
            given = config.getoption(f"infperf_{name}")
            return given if given is not None else config.getini(f"infperf_{name}") or None

        root = config.rootpath
        named = value("thresholds")
        thresholds = root / (named or "thresholds.toml")
        if named and not thresholds.is_file():
            raise pytest.UsageError(f"--infperf-thresholds: there is no file {thresholds}")
        json = value("json")
        budget = value("budget")
        threads = value("threads")
        return cls(
            root=root,
            thresholds=thresholds if thresholds.is_file() else None,
            json=(config.invocation_params.dir / json) if json else None,
            budget_s=None if budget is None else _positive("budget", budget),
            full=bool(config.getoption("infperf_full") or config.getini("infperf_full")),
            variants=value("variants") or "*",
            baseline=value("baseline"),
            threads=threads if threads in (None, "best") else _whole("threads", threads, least=1),
            cache=root / (value("cache") or ".infperf_cache"),
            seed=_whole("seed", value("seed") or 0, least=0),
            timeout_s=_positive("timeout", value("timeout") or 300),
        )


_VALUES = {
    "thresholds": ("PATH", "the limits to enforce (default: thresholds.toml beside the ini file)"),
    "json": ("PATH", "write every measure, gate and verdict to PATH"),
    "budget": ("SECONDS", "measuring time of one test of one variant, instead of the file's"),
    "variants": ("GLOB", "only the variants whose id matches GLOB, and the baseline"),
    "baseline": ("ID", "the variant that others are compared with"),
    "threads": ("N|best", "threads of every variant; best: a short search for each"),
    "cache": ("DIR", "where built variants are kept (default: .infperf_cache)"),
    "seed": ("N", "of the samples drawn and the order of measuring (default: 0)"),
    "timeout": ("SECONDS", "a worker that is silent for longer has hung (default: 300)"),
}


def add(parser: pytest.Parser) -> None:
    group = parser.getgroup("infperf", "inference performance and quality")
    group.addoption(
        "--infperf", action="store_true", help="measure the suites; without it they are skipped"
    )
    group.addoption(
        "--infperf-full", action="store_true", help="score the whole test sets, not a sample"
    )
    parser.addini("infperf", "like --infperf", type="bool", default=False)
    parser.addini("infperf_full", "like --infperf-full", type="bool", default=False)
    for name, (metavar, text) in _VALUES.items():
        group.addoption(f"--infperf-{name}", metavar=metavar, default=None, help=text)
        parser.addini(f"infperf_{name}", f"like --infperf-{name}: {text}")


def enabled(config: pytest.Config) -> bool:
    return bool(config.getoption("infperf") or config.getini("infperf"))


def _positive(name: str, text: object) -> float:
    try:
        number = float(str(text))
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise pytest.UsageError(f"--infperf-{name}: {text!r} is not a number of seconds over 0")
    return number


def _whole(name: str, text: object, *, least: int) -> int:
    try:
        number = int(str(text))
    except ValueError:
        number = least - 1
    if number < least:
        also = ' or "best"' if name == "threads" else ""
        raise pytest.UsageError(
            f"--infperf-{name}: {text!r} is not a whole number of at least {least}{also}"
        )
    return number
