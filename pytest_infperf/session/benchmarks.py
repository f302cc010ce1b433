"""Tests that take `infperf_benchmark`: each is a variant, and its file stands for the suite."""

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
"""The limits of a function that thresholds.toml does not limit."""


@dataclass
class BenchmarkTests:
    """The collected tests that take `infperf_benchmark`."""

    params: dict[str, VariantParam] = field(default_factory=dict)
    """The suite and variant that a test stands for, by node id."""
    whole_files: bool = True
    """Whether all tests of each file were collected, and not those of some node ids."""
    _files: dict[str, Path] = field(default_factory=dict)
    """The test files by the name of their suite."""

    def add(self, test_file: Path, nodeid: str) -> VariantParam:
        """Add a test, and return the suite and variant that it stands for.

        Raises
        ------
        UserError
            If another file stands for a suite of the same name.
        """
        name, variant_id = test_file.stem, nodeid.partition("::")[2]
        if (known := self._files.setdefault(name, test_file)) != test_file:
            raise UserError(
                f"two files with tests that take infperf_benchmark are called {test_file.name}: "
                f"{known} and {test_file}; thresholds and records need names of their own, so "
                "rename one of them"
            )
        variants = [Call("", id=variant_id)]
        suite = Suite(name, task=CallTask(), variants=variants, folder=test_file.parent)
        configured = ConfiguredSuite(
            suite,
            SuiteAddress("", ""),
            baseline_id=None,
            usual_limits=USUAL_LIMITS,
            improvement="find with a profiler where the function spends its time",
        )
        self.params[nodeid] = VariantParam(configured, variant_id)
        return self.params[nodeid]

    def __contains__(self, suite: str) -> bool:
        return suite in self._files

    def file(self, suite: str) -> Path:
        """Return the test file that stands for a suite."""
        return self._files[suite]

    def of_row(self, name: str) -> VariantParam | None:
        """Return what the test of a row of pytest-benchmark stands for; None for other tests."""
        return self.params.get(name) or self.params.get(re.sub(r"#\d+$", "", name))

    def facts(self, settings: Settings, thresholds: Thresholds) -> dict[str, SuiteFacts]:
        """Return what the checks of thresholds.toml need to know of each suite.

        Raises
        ------
        UserError
            If thresholds.toml names a baseline of such a suite.
        """
        facts = {}
        for name in self._files:
            section = thresholds.suites.get(name)
            if section and section.baseline:
                raise UserError(
                    f"{settings.thresholds}: [{name}] has a baseline, and functions of "
                    "infperf_benchmark are compared with another revision only: leave it out"
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
    """Call a function, then measure such calls in a worker and check the limits on them.

    Parameters
    ----------
    run : Run
        The run that measures.
    param : VariantParam
        What the test stands for.
    table : TimesTable
        Where latencies are shown.
    test : str
        The node id of the test.
    function, args, kwargs : callable, sequence, mapping
        The function and its arguments.

    Returns
    -------
    object
        What the call in this process returned.

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
