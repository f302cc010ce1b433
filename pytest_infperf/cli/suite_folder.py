"""The suite that a command is about, by its folder."""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.errors import UserError
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.settings import Settings
from pytest_infperf.suite.discovery import SUITE_FILE, SuiteAddress, suite_beside
from pytest_infperf.thresholds import Policy


def address_of(folder: Path) -> SuiteAddress:
    """Relative folders start where the command does. Raises UserError when there is no suite."""
    root = Path.cwd()
    if not (root / folder / SUITE_FILE).is_file():
        raise UserError(f"{root / folder} has no {SUITE_FILE}; name the folder of a suite")
    return suite_beside(root / folder / SUITE_FILE, root)


def one_variant(folder: Path, variant_id: str | None, cache: Path) -> tuple[SuiteRun, str]:
    """A suite to be run with one of its variants, by default its baseline or its first."""
    address = address_of(folder)
    suite = address.load()
    chosen = variant_id or suite.baseline or suite.variant_ids[0]
    if chosen not in suite.variant_ids:
        known = ", ".join(suite.variant_ids)
        raise UserError(f"--variant: {suite.name} has no {chosen}; it has {known}")
    root = Path.cwd()
    run = SuiteRun(
        ConfiguredSuite(suite, address, None),
        Settings(root, cache=root / cache),
        Policy(),
        ArtifactCache(root / cache, print),
        selected=[chosen],
        report_progress=lambda variant, what: None,
    )
    return run, chosen
