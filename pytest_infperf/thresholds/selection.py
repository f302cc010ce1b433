"""Which of a file's limits a variant of a suite must meet on this host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pytest_infperf.records.catalogue import Catalogue, Need
from pytest_infperf.thresholds.checking import SuiteFacts, check_suite
from pytest_infperf.thresholds.gate import Gate
from pytest_infperf.thresholds.problems import Findings, Location, line_of, nearest
from pytest_infperf.thresholds.resolving import resolve
from pytest_infperf.thresholds.sections import (
    Gates,
    Limits,
    Policy,
    PolicyOverrides,
    SuiteSection,
)
from pytest_infperf.thresholds.toml_lines import KeyPath


@dataclass(frozen=True)
class Thresholds:
    """A thresholds file that is right in itself; `check` says whether it fits the suites."""

    source: str
    defaults: PolicyOverrides = field(default_factory=PolicyOverrides)
    suites: Mapping[str, SuiteSection] = field(default_factory=dict)
    lines: Mapping[KeyPath, int] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def empty(cls) -> Thresholds:
        """Of a project without a file: no limits, and the policy's own defaults."""
        return cls("thresholds.toml")

    def check(self, suites: Mapping[str, SuiteFacts], known_suites: Collection[str]) -> None:
        """Raise ThresholdsError with everything that does not fit the collected suites.

        A suite that is known but not collected now can be checked when it is.
        """
        findings = Findings(self.source, self.lines)
        for name, section in self.suites.items():
            if name in suites:
                check_suite(name, section, suites[name], self.policy(name), findings)
            elif name not in known_suites:
                names = dict.fromkeys([*suites, *known_suites, "defaults"])
                findings.add(Location((name,)), "no such suite", nearest(name, names))
        findings.raise_if_any()

    def policy(self, suite: str) -> Policy:
        return self._section(suite).overrides.over(self.defaults.over(Policy()))

    def baseline(self, suite: str) -> str | None:
        return self._section(suite).baseline

    def gates_for(
        self,
        suite: str,
        variant: str,
        catalogue: Catalogue,
        host_names: Sequence[str],
        baseline: str | None,
        *,
        lacks: Callable[[Need], bool] = lambda need: False,
    ) -> list[Gate]:
        """One gate a limit, of a suite that `check` has accepted.

        A table for the host overrides the variant's, which overrides the suite's, measure by
        measure. The baseline has no gates against itself, and a gate sleeps when the run `lacks`
        what it needs, such as another revision.
        """
        chosen: dict[str, tuple[Location, Limits]] = {}
        for location, gates in self._tables_for(suite, variant, host_names):
            for measure, written in gates.items():
                chosen[measure] = location.of_measure(measure), written
        policy = self.policy(suite)
        findings = Findings(self.source, self.lines)
        found = []
        for measure, (location, written) in chosen.items():
            resolved = resolve(measure, written, catalogue, location, findings)
            if resolved is None:
                continue
            spec, limits = resolved
            source = f"{self.source}:{line_of(location.path, self.lines)}"
            found += [
                Gate(spec, limit, source, policy.confidence, policy.inconclusive)
                for limit in limits
                if (need := spec.need_of(limit.rule)) is None
                or not (variant == baseline if need == "baseline" else lacks(need))
            ]
        findings.raise_if_any()
        return found

    def _tables_for(
        self, suite: str, variant: str, host_names: Sequence[str]
    ) -> Iterator[tuple[Location, Gates]]:
        """From the most general table to the one that has the last word."""
        section = self._section(suite)
        yield Location((suite, "gates")), section.gates
        if own := section.variants.get(variant):
            location = Location((suite, "variants", variant))
            yield location, own.gates
            for glob, gates in own.on.items():
                if any(fnmatchcase(name.lower(), glob.lower()) for name in host_names):
                    yield location.within("on", glob), gates

    def _section(self, suite: str) -> SuiteSection:
        return self.suites.get(suite, SuiteSection())
