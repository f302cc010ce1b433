"""Tests with the fixture `infperf_benchmark`: each is a variant, and its file is the suite."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pytest_infperf import errors
from pytest_infperf.errors import UserError
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.measurements.latency import TimesTable
from pytest_infperf.run.run import Run
from pytest_infperf.session.param import VariantParam
from pytest_infperf.settings import Settings
from pytest_infperf.suite.call import Call, CallTask, pickled_call
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.suite import Suite
from pytest_infperf.thresholds import SuiteFacts, Thresholds
from pytest_infperf.thresholds.sections import Gates

__tracebackhide__ = errors.meant_for_the_user

USUAL_LIMITS: Gates = {"regression": {"max": "5 %"}}
"""The default limits of functions without limits in thresholds.toml."""


@dataclass
class BenchmarkTests:
    """The collected tests with the fixture `infperf_benchmark`."""

    params: dict[str, VariantParam] = field(default_factory=dict)
    """The suite and variant of each test, by node id."""
    whole_files: bool = True
    """Whether all tests of each file were collected, instead of some node ids."""
    _files: dict[str, Path] = field(default_factory=dict)
    """The test files by the name of their suite."""

    def add(self, test_file: Path, nodeid: str) -> VariantParam:
        """Add a test, and return its suite and variant.

        Raises
        ------
        UserError
            If another file is a suite of the same name.
        """
        name, variant_id = test_file.stem, nodeid.partition("::")[2]
        if (known := self._files.setdefault(name, test_file)) != test_file:
            raise UserError(
                f"two files with tests that use infperf_benchmark are called {test_file.name}: "
                f"{known} and {test_file}; thresholds and records need unique names: rename one "
                "of them"
            )
        variants = [Call("", id=variant_id)]
        suite = Suite(name, task=CallTask(), variants=variants, folder=test_file.parent)
        configured = ConfiguredSuite(
            suite,
            SuiteAddress("", ""),
            baseline_id=None,
            usual_limits=USUAL_LIMITS,
            improvement="profile the function to find where it spends its time",
        )
        self.params[nodeid] = VariantParam(configured, variant_id)
        return self.params[nodeid]

    def __contains__(self, suite: str) -> bool:
        return suite in self._files

    def file(self, suite: str) -> Path:
        """Return the test file of a suite."""
        return self._files[suite]

    def of_row(self, name: str) -> VariantParam | None:
        """Return the variant of a row of pytest-benchmark; None for rows of other tests."""
        return self.params.get(name) or self.params.get(re.sub(r"#\d+$", "", name))

    def facts(self, settings: Settings, thresholds: Thresholds) -> dict[str, SuiteFacts]:
        """Return the facts about each suite for checking thresholds.toml.

        Raises
        ------
        UserError
            If thresholds.toml sets a baseline for such a suite.
        """
        facts = {}
        for name in self._files:
            section = thresholds.suites.get(name)
            if section and section.baseline:
                raise UserError(
                    f"{settings.thresholds}: [{name}] has a baseline, but functions measured with "
                    "infperf_benchmark are compared only with another revision: remove it"
                )
            params = [param for param in self.params.values() if param.key[0] == name]
            variants = [param.variant_id for param in params]
            if section and not self.whole_files:
                variants = [*dict.fromkeys([*variants, *section.variants])]
            facts[name] = SuiteFacts(
                variants=variants,
                catalogue=params[0].configured.catalogue,
                measured_by={"latency"},
                baseline=None,
                against_revision=settings.against is not None,
                budget_s=settings.budget_s,
            )
        return facts


def measure_call(
    run: Run,
    param: VariantParam,
    table: TimesTable,
    test: str,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """Call a function, then measure equal calls in a worker and check their limits.

    Parameters
    ----------
    run : Run
        The measuring run.
    param : VariantParam
        The suite and variant of the test.
    table : TimesTable
        The table in which latencies are shown.
    test : str
        The node id of the test.
    function, args, kwargs : callable, sequence, mapping
        The function and its arguments.

    Returns
    -------
    object
        The result of the call in this process.

    Raises
    ------
    UserError, WorkerError
        If a worker cannot import the function or read its arguments, or the call fails there.
    GateBroken
        If a limit is broken or cannot be judged.
    """
    suite, variant_id = param.key
    with TemporaryDirectory(prefix="infperf-") as folder:
        # Before the call, which may change its arguments.
        address = pickled_call(
            function, args, kwargs, folder=Path(folder), suite=suite, variant_id=variant_id
        )
        result = function(*args, **kwargs)
        configured = replace(param.configured, suite=address.made(), address=address)
        run.variant(configured, variant_id, table, test).latency().check()
    return result
