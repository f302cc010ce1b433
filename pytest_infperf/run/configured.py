"""A suite as configured for a run: with a baseline and the additions of plugins."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from pytest_infperf.measure.protocols import PROTOCOLS
from pytest_infperf.measure.score import is_of_baseline
from pytest_infperf.metrics import metric
from pytest_infperf.records.catalogue import Catalogue, Method, quality_spec
from pytest_infperf.suite.backend import Backend
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.suite import Suite
from pytest_infperf.thresholds.sections import Gates


@dataclass(frozen=True)
class ConfiguredSuite:
    """A suite with the variants and metrics that plugins add, and the baseline of the run."""

    suite: Suite
    address: SuiteAddress
    baseline_id: str | None
    more_metrics: tuple[AnyMetric, ...] = ()
    more_variants: tuple[Backend, ...] = ()
    """The variants of the suite that plugins added."""
    usual_limits: Gates = field(default_factory=dict)
    """Limits of measures that thresholds.toml does not limit."""
    improvement: str = ""
    """Remedy for a broken absolute limit; empty for the default advice on models."""

    @property
    def measuring_order(self) -> list[str]:
        """The ids of all variants, the baseline first."""
        return sorted(self.suite.variant_ids, key=lambda variant_id: variant_id != self.baseline_id)

    @cached_property
    def metrics(self) -> list[AnyMetric]:
        """The metrics of the task, then those that plugins add."""
        return [*map(metric, self.suite.task.metrics), *self.more_metrics]

    @property
    def requests_at(self) -> dict[str, int]:
        """The number of requests at each point where it is fixed: protocols and some loads."""
        return {
            **{name: protocol.runs * protocol.requests for name, protocol in PROTOCOLS.items()},
            **{load.name: load.total for load in self.suite.loads if load.total},
        }

    @cached_property
    def catalogue(self) -> Catalogue:
        """The measures of the suite."""
        specs = (
            quality_spec(m.name, m.unit, m.higher_is_better, of_baseline=is_of_baseline(m))
            for m in self.metrics
        )
        points: dict[str, Method] = dict.fromkeys(PROTOCOLS, "protocol")
        for sweep in self.suite.sweeps:
            points.update(dict.fromkeys(sweep.points, "sweep"))
        points.update({load.name: "load" for load in self.suite.loads})
        return Catalogue(
            tuple(specs),
            points,
            [sweep.parameter for sweep in self.suite.sweeps],
            generates=self.suite.task.generates,
            scores_text=self.suite.task.perplexity is not None,
        )
