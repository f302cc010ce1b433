"""What was asked of a run: frozen, and read once from pytest."""

from __future__ import annotations

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
            raise UserError(f"--infperf-thresholds: there is no file {thresholds}")
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
