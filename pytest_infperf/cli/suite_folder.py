"""Load the suite whose folder is an argument of a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.errors import UserError
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.settings import Settings
from pytest_infperf.suite.discovery import SUITE_FILE, SuiteAddress, suite_beside
from pytest_infperf.suite.suite import Suite
from pytest_infperf.suite.task import Task
from pytest_infperf.thresholds import Policy


def address_of(folder: Path) -> SuiteAddress:
    """Return the address of the suite in a folder, which may be relative to the current folder.

    Raises UserError if the folder has no suite.
    """
    root = Path.cwd()
    if not (root / folder / SUITE_FILE).is_file():
        raise UserError(f"{root / folder} has no {SUITE_FILE}; specify the folder of a suite")
    return suite_beside(root / folder / SUITE_FILE, root)


def choose_variant(suite: Suite, requested: str | None, baseline: str | None) -> str:
    """Return the requested variant's id, by default that of the baseline or the first variant.

    Raises UserError if the suite has no such variant.
    """
    variant_id = requested or baseline or suite.variant_ids[0]
    if variant_id not in suite.variant_ids:
        known = ", ".join(suite.variant_ids)
        raise UserError(f"--variant: {suite.name} has no {variant_id}; it has {known}")
    return variant_id


def choose_served(suite: Suite, requested: str | None, baseline: str | None) -> str:
    """Return the variant's id, as `choose_variant` does, if it can be served.

    Raises UserError if it cannot, or if the suite has no such variant.
    """
    variant_id = choose_variant(suite, requested, baseline)
    if suite.variant(variant_id).is_remote:
        raise UserError(
            f"{variant_id} is the address of a server that already runs: choose a variant that can "
            "be served"
        )
    if type(suite.task).payload is Task.payload:
        raise UserError(
            f"{type(suite.task).__name__} cannot be served: it defines no payload; a class of your "
            "own can (docs/own_task.md)"
        )
    return variant_id


def one_variant(folder: Path, variant_id: str | None, cache: Path) -> tuple[SuiteRun, str]:
    """Return a run of the suite in a folder with one variant to serve, and the variant's id.

    Raises UserError if the folder has no suite, or the variant does not exist or cannot be served.
    """
    address = address_of(folder)
    suite = address.load()
    chosen = choose_served(suite, variant_id, suite.baseline)
    return suite_run(suite, address, [chosen], cache), chosen


def suite_run(
    suite: Suite, address: SuiteAddress, variant_ids: Sequence[str], cache: Path
) -> SuiteRun:
    """Return a run of a suite with some of its variants, without limits and a baseline."""
    root = Path.cwd()
    return SuiteRun(
        ConfiguredSuite(suite, address, None),
        Settings(root, cache=root / cache),
        Policy(),
        ArtifactCache(root / cache, print),
        selected=variant_ids,
        report_progress=lambda variant, what: None,
    )
