"""Measuring under pytest-xdist: all of it on one worker, or a refusal that says why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_infperf.errors import UserError

if TYPE_CHECKING:
    import pytest


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def refuse_what_disturbs(config: pytest.Config) -> None:
    """Raise UserError for a distribution that measures two variants at once.

    The others are scheduled by `xdist_schedule`.
    """
    if is_worker(config) or not getattr(config.option, "tx", None):
        return
    if config.getoption("infperf_ray") or config.getini("infperf_ray"):
        raise UserError(
            "--infperf-ray cannot be used with -n: a fleet's tests run on its nodes, one process "
            "a node. Leave one of the two out"
        )
    if config.option.dist not in ("load", "loadgroup", "no"):
        raise UserError(
            f"--infperf cannot measure with --dist {config.option.dist}: tests that measure must "
            "run one at a time on one worker. Use --dist loadgroup, or leave -n out"
        )


def pass_on(notices: Sequence[str], config: pytest.Config) -> None:
    """From a worker to the controller, at the worker's end."""
    if is_worker(config):
        output: dict[str, Any] = vars(config)["workeroutput"]
        output["infperf_notices"] = list(notices)


def passed_on(node: object) -> list[str]:
    """What a worker passed on, seen from the controller; nothing when it crashed."""
    return list(getattr(node, "workeroutput", {}).get("infperf_notices", ()))
