"""The parsed thresholds file: which limits a variant of a suite must meet on this host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pytest_infperf.records.catalogue import Catalogue, Need
from pytest_infperf.thresholds.checking import SuiteFacts, check_suite
from pytest_infperf.thresholds.gate import A_DEFAULT, Gate
from pytest_infperf.thresholds.location import Location
from pytest_infperf.thresholds.problems import ProblemCollector
from pytest_infperf.thresholds.resolving import resolve
from pytest_infperf.thresholds.sections import (
    Gates,
    Limits,
    Policy,
    PolicyOverrides,
    SuiteSection,
)
from pytest_infperf.thresholds.toml_lines import KeyPath
from pytest_infperf.thresholds.wording import suggest

_NO_GATES: Gates = {}


@dataclass(frozen=True)
class Thresholds:
    """A parsed thresholds file; `check` compares it with the suites."""

    source: str
    """Name of the file in messages."""
    defaults: PolicyOverrides = field(default_factory=PolicyOverrides)
    suites: Mapping[str, SuiteSection] = field(default_factory=dict)
    lines: Mapping[KeyPath, int] = field(default_factory=dict, compare=False, repr=False)
    """Line numbers of the keys, for messages and the sources of gates."""

    @classmethod
    def empty(cls) -> Thresholds:
        """Return thresholds without limits and with the default policy, for runs without a file."""
        return cls("thresholds.toml")

    @property
    def measured_suites(self) -> list[str]:
        """The names of the suites whose limits pytest applies."""
        return [name for name, section in self.suites.items() if not section.imported]

    def check(self, suites: Mapping[str, SuiteFacts], known_suites: Collection[str]) -> None:
        """Check the file against the collected `suites`.

        Sections of suites in `known_suites` that are not collected are not checked, nor are those
        of imported suites, which must have other names than the suites of the project.

        Raises ThresholdsError with everything that does not fit.
        """
        problems = ProblemCollector(self.source, self.lines)
        for name, section in self.suites.items():
            location, of_project = Location((name,)), name in suites or name in known_suites
            if section.imported:
                if of_project:
                    problems.add(
                        location.at_key("imported"),
                        "the project has a suite of this name, whose limits pytest applies",
                        "Remove imported = true, or rename the table.",
                    )
            elif name in suites:
                check_suite(name, section, suites[name], self.policy(name), problems)
            elif not of_project:
                remedy = suggest(name, dict.fromkeys([*suites, *known_suites, "defaults"]))
                if section.has_limits_at_points_only:
                    remedy += f" If it is for infperf judge, add imported = true to {location}."
                problems.add(location, "unknown suite", remedy)
        problems.raise_if_any()

    def policy(self, suite: str) -> Policy:
        """Return the policy of a suite; its settings override [defaults]."""
        return self._section(suite).overrides.applied_to(self.defaults.applied_to(Policy()))

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
        usual: Gates = _NO_GATES,
        concerns: Callable[[str], bool] = lambda measure: True,
    ) -> list[Gate]:
        """Return the gates of a variant on a host with these names, one for each limit.

        For each measure, the table for the host has precedence, then the variant's table, the
        suite's table, and the `usual` limits. Limits relative to the baseline are left out for the
        baseline itself and if there is no baseline. Limits whose need (such as another revision)
        the run `lacks` are left out as well, and so are those on measures that the caller is not
        concerned with (`concerns`), which need not be in the catalogue.

        Raises ThresholdsError if the gates do not fit the catalogue; a suite that passed `check`
        has no such gates.
        """
        limits_by_measure: dict[str, tuple[Location, Limits]] = {
            measure: (Location((suite, "gates")).at_measure(measure), limits)
            for measure, limits in usual.items()
        }
        for table_location, table in self._gate_tables(suite, variant, host_names):
            for measure, limits in table.items():
                if concerns(measure):
                    limits_by_measure[measure] = table_location.at_measure(measure), limits
        policy = self.policy(suite)
        problems = ProblemCollector(self.source, self.lines)
        gates = []
        for measure, (location, limits) in limits_by_measure.items():
            resolved = resolve(measure, limits, catalogue, location, problems)
            if resolved is None:
                continue
            spec, resolved_limits = resolved
            source = f"{self.source}:{location.line(self.lines)}"
            if limits is usual.get(measure):
                source = f"{self.source} {location}{A_DEFAULT}"
            gates += [
                Gate(spec, limit, source, policy.confidence, policy.inconclusive)
                for limit in resolved_limits
                if (need := spec.need_of(limit.rule)) is None
                or not (baseline in (variant, None) if need == "baseline" else lacks(need))
            ]
        problems.raise_if_any()
        return gates

    def _gate_tables(
        self, suite: str, variant: str, host_names: Sequence[str]
    ) -> Iterator[tuple[Location, Gates]]:
        """Yield the tables that apply, from the most general to the most specific."""
        section = self._section(suite)
        yield Location((suite, "gates")), section.gates
        if variant_section := section.variants.get(variant):
            location = Location((suite, "variants", variant))
            yield location, variant_section.gates
            for glob, gates in variant_section.on.items():
                if any(fnmatchcase(name.lower(), glob.lower()) for name in host_names):
                    yield location.in_table("on", glob), gates

    def _section(self, suite: str) -> SuiteSection:
        return self.suites.get(suite, SuiteSection())
