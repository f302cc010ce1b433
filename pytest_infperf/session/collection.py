"""Collection: the suites beside tests, the order of tests, and checks against thresholds.toml."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.session import calls
from pytest_infperf.session.benchmarks import BenchmarkTests
from pytest_infperf.session.calls import Call
from pytest_infperf.session.param import VariantParam
from pytest_infperf.session.register import TestRegister
from pytest_infperf.settings import Settings
from pytest_infperf.suite.backend import Backend
from pytest_infperf.suite.discovery import SUITE_FILE, suite_beside, suite_names_below
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.suite import Suite
from pytest_infperf.thresholds import SuiteFacts, Thresholds


@dataclass(frozen=True)
class Additions:
    """The hooks by which plugins add to a suite."""

    variants: Callable[[Suite], Sequence[Backend]]
    metrics: Callable[[Suite], Sequence[AnyMetric]]


@dataclass
class Collection:
    """The suites beside the collected tests."""

    settings: Settings
    thresholds: Thresholds
    additions: Additions
    suites: dict[Path, ConfiguredSuite] = field(default_factory=dict)
    """The suites by their folder."""
    called: dict[str, set[Call]] = field(default_factory=dict)
    """The calls of the tests of each suite."""
    tests: TestRegister = field(default_factory=TestRegister)
    """The tests of each variant."""
    benchmarks: BenchmarkTests = field(default_factory=BenchmarkTests)
    """The tests with the fixture `infperf_benchmark`."""
    _all_loaded: bool = True

    def params(self, test_file: Path, marker: Mapping[str, Any]) -> list[VariantParam]:
        """Return a parameter for each selected variant of the suite beside a test file.

        The baseline comes first.

        Parameters
        ----------
        test_file : Path
            The file of the test.
        marker : mapping
            The arguments of the test's marker `infperf`.

        Raises
        ------
        UserError
            If there is no suite, or it cannot be loaded.
        """
        try:
            configured = self._suite_beside(test_file)
        except Exception:
            self._all_loaded = False
            raise
        suite = configured.suite
        self.tests.collected_files.add(test_file.resolve())
        called = self.called.setdefault(suite.name, calls.called_in_folder(test_file.parent))
        called |= calls.declared(marker, test_file)
        return [
            VariantParam(configured, variant_id)
            for variant_id in configured.measuring_order
            if fnmatchcase(variant_id, self.settings.variants)
        ]

    def _suite_beside(self, test_file: Path) -> ConfiguredSuite:
        if known := self.suites.get(test_file.parent):
            return known
        address = suite_beside(test_file, self.settings.root)
        suite = address.load()
        added = tuple(self.additions.variants(suite))
        try:
            suite = suite.with_variants(added)
        except UserError as error:
            file = suite.folder / SUITE_FILE
            raise UserError(f"{file} with the variants of plugins: {error}") from error
        for other in self.suites.values():
            if other.suite.name == suite.name:
                raise UserError(
                    f"two suites are called {suite.name!r}: {other.suite.folder} and "
                    f"{suite.folder}; thresholds and records need unique names: rename one"
                )
        configured = ConfiguredSuite(
            suite,
            address,
            self._chosen_baseline(suite) or self._usual_baseline(suite),
            more_metrics=tuple(self.additions.metrics(suite)),
            more_variants=added,
        )
        self.suites[test_file.parent] = configured
        return configured

    def _chosen_baseline(self, suite: Suite) -> str | None:
        """Return the baseline of --infperf-baseline if it is a variant of the suite, else None."""
        return self.settings.baseline if self.settings.baseline in suite.variant_ids else None

    def _usual_baseline(self, suite: Suite) -> str | None:
        configured = self.thresholds.baseline(suite.name) or suite.baseline
        return configured if configured in suite.variant_ids else None

    def limits_left_out(self, host_names: Sequence[str]) -> Iterator[str]:
        """Yield a sentence for each suite with limits that --infperf-baseline makes void."""
        for configured in self.suites.values():
            suite, catalogue = configured.suite, configured.catalogue
            if (chosen := self._chosen_baseline(suite)) is None:
                continue
            gates = partial(self.thresholds.gates_for, suite.name, chosen, catalogue, host_names)
            judged = gates(chosen)
            left_out = [g for g in gates(self._usual_baseline(suite)) if g not in judged]
            if places := dict.fromkeys(gate.source for gate in left_out):
                yield (
                    f"limits of {suite.name}[{chosen}] that are not judged, because it is the "
                    f"baseline by --infperf-baseline: {', '.join(places)}"
                )

    def check(self, budget_scale: float = 1.0) -> None:
        """Check that options and thresholds match the collected suites.

        Parameters
        ----------
        budget_scale : float, default 1
            Factor on the budgets of tests, which divides the time of --infperf-time.

        Raises
        ------
        UserError
            If an option or a limit contains a name that no suite has.
        """
        if not self._all_loaded:  # pytest reports the suites that failed to load
            return
        self._check_options()
        facts = self._facts() | self.benchmarks.facts(self.settings, self.thresholds)
        if self.settings.time_s:
            facts = {
                name: replace(
                    each,
                    budget_s=budget_scale * self.thresholds.policy(name).budget_s,
                    time_s=self.settings.time_s,
                )
                for name, each in facts.items()
            }
        if both := [c.suite for c in self.suites.values() if c.suite.name in self.benchmarks]:
            raise UserError(
                f"{self.benchmarks.file(both[0].name)} uses infperf_benchmark, and there is also a "
                f"suite {both[0].name!r} in {both[0].folder}: thresholds and records need unique "
                "names: rename one of the two"
            )
        if facts:
            known = suite_names_below(self.settings.root, self.thresholds.suites.keys())
            self.thresholds.check(facts, known)

    def _check_options(self) -> None:
        ids = [i for configured in self.suites.values() for i in configured.suite.variant_ids]
        if not ids:
            return
        baseline = self.settings.baseline
        if baseline is not None and baseline not in ids:
            near = get_close_matches(baseline, ids, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(ids)}"
            raise UserError(f"--infperf-baseline: no suite has a variant {baseline!r}; {hint}")
        if not any(fnmatchcase(i, self.settings.variants) for i in ids):
            raise UserError(
                f"--infperf-variants: {self.settings.variants!r} matches none of {', '.join(ids)}"
            )
        for suite in (configured.suite for configured in self.suites.values()):
            for sweep in suite.sweeps:
                if not any(fnmatchcase(i, sweep.variants) for i in suite.variant_ids):
                    raise UserError(
                        f"{suite.folder / SUITE_FILE}: Sweep({sweep.parameter!r}, "
                        f"variants={sweep.variants!r}) matches none of "
                        f"{', '.join(suite.variant_ids)}"
                    )

    def _facts(self) -> dict[str, SuiteFacts]:
        return {
            configured.suite.name: SuiteFacts(
                variants=configured.suite.variant_ids,
                catalogue=configured.catalogue,
                measured_by={call.method for call in self.called[configured.suite.name]},
                points=calls.points_named(
                    self.called[configured.suite.name],
                    {sweep.parameter: sweep.points for sweep in configured.suite.sweeps},
                ),
                swept_variants={
                    sweep.parameter: sweep.variants for sweep in configured.suite.sweeps
                },
                baseline=configured.baseline_id,
                baseline_from_option=self._chosen_baseline(configured.suite) is not None,
                against_revision=self.settings.against is not None,
                budget_s=self.settings.budget_s,
                requests_at=configured.requests_at,
            )
            for configured in self.suites.values()
        }


def grouped(params: Sequence[VariantParam | None]) -> list[int]:
    """Return the order of tests: suite by suite, the baseline first, then variant by variant.

    Tests that measure nothing (None) keep their positions.
    """
    slots = [i for i, param in enumerate(params) if param]
    suites: dict[str, int] = {}

    def rank(i: int) -> tuple[int, int, int]:
        param = params[i]
        assert param
        ids = param.configured.measuring_order
        suite = suites.setdefault(param.configured.suite.name, len(suites))
        return suite, ids.index(param.variant_id), i

    order = list(range(len(params)))
    for slot, i in zip(slots, sorted(slots, key=rank), strict=True):
        order[slot] = i
    return order
