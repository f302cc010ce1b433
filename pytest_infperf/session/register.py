"""Which tests a run could have run for each variant, and which of them passed.

A limit that no test has judged is a fault only if no other test could have judged it: one that was
not selected, was skipped, failed, or has not run yet.
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
    """The tests of each variant with what they call, and whether they passed."""

    __test__ = False

    collected_files: set[Path] = field(default_factory=set)
    """The files that tests were collected from, without symbolic links."""
    _tests: dict[VariantKey, dict[str, frozenset[Call]]] = field(default_factory=dict)
    """By variant: what each test of a collected file calls, selected or not, by node id."""
    _passed: set[str] = field(default_factory=set)

    def generated(self, variant: VariantKey, test: str, called: frozenset[Call]) -> None:
        """Add a test of a collected file, before tests are selected."""
        self._tests.setdefault(variant, {})[test] = called

    def ended(self, test: str, *, passed: bool) -> None:
        """Note how a try of a test ended."""
        (self._passed.add if passed else self._passed.discard)(test)

    def has_budget(self, variant: VariantKey, test: str) -> bool:
        """Return whether a test measures until its gates are decided or its budget is spent.

        A test whose source does not show what it calls may do so.
        """
        called = self._tests.get(variant, {}).get(test)
        return not called or any(call.method in _WITH_BUDGET for call in called)

    def may_measure(self, variant: VariantKey, folder: Path, spec: MeasureSpec) -> bool:
        """Return whether a test that did not pass in this run may take a measure of a variant.

        Parameters
        ----------
        variant : tuple of str
            The names of the suite and the variant.
        folder : Path
            The folder of the suite, whose other files may have tests of it.
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
        # The calls of a test may all stand in a helper, where its source does not show them.
        return any(
            not called or any(call.measures(spec) for call in called)
            for called in (*others, *open_tests)
        )
