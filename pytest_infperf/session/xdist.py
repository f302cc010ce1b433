"""Measuring under pytest-xdist, which is possible on one worker only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infperf.errors import UserError
from pytest_infperf.suite.discovery import has_suite_beside, takes_benchmark

if TYPE_CHECKING:
    import pytest


def is_worker(config: pytest.Config) -> bool:
    """Return whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def refuse_what_disturbs(config: pytest.Config) -> None:
    """Refuse distributions that would measure two variants at once.

    `xdist_schedule` handles the others.

    Raises
    ------
    UserError
        If measuring cannot be combined with the distribution.
    """
    if is_worker(config) or not getattr(config.option, "tx", None):
        return
    if config.getoption("infperf_ray") or config.getini("infperf_ray"):
        raise UserError(
            "--infperf-ray cannot be used with -n: a fleet's tests run on its nodes, one process "
            "per node. Omit one of the two"
        )
    if config.option.dist not in ("load", "loadgroup", "no"):
        raise UserError(
            f"--infperf cannot measure with --dist {config.option.dist}: tests that measure must "
            "run one at a time on one worker. Use --dist loadgroup, or omit -n"
        )


def is_measured_alone(test_file: Path) -> bool:
    """Return whether the tests of a file run on the measuring worker, see `xdist_schedule`."""
    return has_suite_beside(test_file) or takes_benchmark(test_file)


def pass_on(notices: Sequence[str], time_s: Mapping[str, float], config: pytest.Config) -> None:
    """Send notices and time from a worker to the controller when the worker ends."""
    if is_worker(config):
        output: dict[str, Any] = vars(config)["workeroutput"]
        output["infperf_notices"] = list(notices)
        output["infperf_time_s"] = dict(time_s)


def passed_on(node: object) -> tuple[list[str], dict[str, float]]:
    """Return the notices and the time from a worker; empty if it crashed."""
    output = getattr(node, "workeroutput", {})
    return list(output.get("infperf_notices", ())), dict(output.get("infperf_time_s", {}))
