"""Measuring under pytest-xdist: all of it on one worker, or a refusal that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_infperf.errors import UserError

if TYPE_CHECKING:
    import pytest


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def one_at_a_time(config: pytest.Config) -> None:
    """Make xdist keep the group of measuring tests together.

    Raises UserError for a distribution that cannot: two variants measured at once disturb
    each other.
    """
    if is_worker(config) or not getattr(config.option, "numprocesses", None):
        return
    if config.option.dist == "load":
        config.option.dist = "loadgroup"
    if config.option.dist not in ("loadgroup", "no"):
        raise UserError(
            f"--infperf cannot measure with --dist {config.option.dist}: tests that measure must "
            "run one at a time on one worker. Use --dist loadgroup, or leave -n out"
        )
