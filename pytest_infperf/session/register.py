"""The tests of each variant that a run could run, and whether they passed.

A limit that no test has judged is an error only if no other test could have judged it, such as a
test that was not selected, was skipped, failed, or has not run yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pytest_infperf.records.catalogue import MeasureSpec
from pytest_infperf.session.calls import Call, called_in_file

_WITH_BUDGET = ("latency", "sweep")
VariantKey = tuple[str, str]
"""The names of a suite and a variant."""


@dataclass
class TestRegister:
    """The tests of each variant with their calls, and whether they passed."""

    __test__ = False

    collected_files: set[Path] = field(default_factory=set)
    """The resolved paths of the files from which tests were collected."""
    _tests: dict[VariantKey, dict[str, frozenset[Call]]] = field(default_factory=dict)
    """The calls of each test of the collected files, selected or not, by variant and node id."""
    _passed: set[str] = field(default_factory=set)

    def generated(self, variant: VariantKey, test: str, called: frozenset[Call]) -> None:
        """Add a test of a collected file, before tests are selected."""
        self._tests.setdefault(variant, {})[test] = called

    def ended(self, test: str, *, passed: bool) -> None:
        """Store whether a test passed at its last try."""
        (self._passed.add if passed else self._passed.discard)(test)

    def has_budget(self, variant: VariantKey, test: str) -> bool:
        """Return whether a test measures until its gates are decided or its budget is spent.

        This is assumed of a test whose source does not show its calls.
        """
        called = self._tests.get(variant, {}).get(test)
        return not called or any(call.method in _WITH_BUDGET for call in called)

    def may_measure(self, variant: VariantKey, folder: Path, spec: MeasureSpec) -> bool:
        """Return whether a test that has not passed in this run may give a measure of a variant.

        Parameters
        ----------
        variant : tuple of str
            The names of the suite and the variant.
        folder : Path
            The folder of the suite, in which other files may contain tests of it.
        spec : MeasureSpec
            The measure.
        """
        others = (
            called
            for path in folder.glob("*.py")
            if path.resolve() not in self.collected_files
            for name, called in called_in_file(path).items()
            if name.rpartition(".")[2].startswith("test") and called
        )
        open_tests = (
            called
            for test, called in self._tests.get(variant, {}).items()
            if test not in self._passed
        )
        # All calls of a test may be in a helper, so that its source does not show them.
        return any(
            not called or any(call.measures(spec) for call in called)
            for called in (*others, *open_tests)
        )
