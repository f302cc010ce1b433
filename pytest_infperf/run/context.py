"""The context of every measurement of a variant: worker, record, gates and budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_infperf.gates.judge import judge
from pytest_infperf.gates.result import Result
from pytest_infperf.gates.verdicts import Try
from pytest_infperf.measure.budget import Remaining
from pytest_infperf.records.catalogue import Method
from pytest_infperf.records.evidence import AgainstEvidence
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import point_of
from pytest_infperf.records.record import Record, Verdict
from pytest_infperf.run.host_noise import HostNoise
from pytest_infperf.run.other_revision import RevisionPair
from pytest_infperf.run.purse import Purse
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.thresholds.gate import Gate
from pytest_infperf.worker.variant_worker import VariantWorker


@dataclass(frozen=True, repr=False)
class VariantContext:
    """A variant of a suite on this host, with everything that its measurements need."""

    suite_run: SuiteRun
    variant_id: str
    revision_pair: RevisionPair | None
    """The variant at both revisions; None without another revision."""
    record: Record
    attempt: Try
    """The current try of the test."""
    gates: Sequence[Gate]
    budget_s: float
    """Measuring time of one test, in seconds."""
    purse: Purse
    """The unused measuring time of this run's tests."""
    noise: HostNoise
    """The observed difference between processes of the same code on this host."""
    usd_per_hour: float | None
    """The price of this host, in US dollars per hour; None if it is not known."""
    past: Callable[[str], Sequence[float]]
    """Returns the values of a measure in earlier runs on hosts like this one, oldest first."""

    @property
    def worker(self) -> VariantWorker:
        """The worker of the variant, restarted if it has ended."""
        return self.suite_run.worker(self.variant_id)

    @property
    def baseline_id(self) -> str | None:
        return self.suite_run.baseline_id

    @property
    def is_baseline(self) -> bool:
        return self.variant_id == self.baseline_id

    @property
    def confidence(self) -> float:
        """The confidence of every verdict."""
        return self.suite_run.policy.confidence

    @property
    def seed(self) -> int:
        return self.suite_run.seed

    @property
    def against(self) -> AgainstEvidence:
        """The evidence of the comparison with the other revision."""
        against = self.record.evidence.against
        assert against, "there is no other revision"
        return against

    def gates_of(self, method: Method, *points: str) -> list[Gate]:
        """Return the gates on the measures of a method, optionally only at some points."""
        return [
            gate
            for gate in self.gates
            if gate.spec.method == method and (not points or point_of(gate.measure) in points)
        ]

    def report_progress(self, text: str) -> None:
        """Report the current activity."""
        self.suite_run.report_progress(self.variant_id, text)

    def result(
        self, parts: Sequence[Measured], gates: Sequence[Gate], batch: int | None = None
    ) -> Result:
        """Enter the measures in the record, and return them as a result.

        Parameters
        ----------
        parts : sequence of Measured
            The measures.
        gates : sequence of Gate
            The limits on them.
        batch : int, optional
            The number of samples of a query.
        """
        measuring = self.attempt.measured(parts, batch)
        return Result(parts, gates, self.record, measuring.keep)

    def note_unable(self, failure: Exception) -> str:
        """Enter in the record why the other revision cannot be measured, and return the reason."""
        self.against.unable = str(failure)
        return str(failure)


def seconds_to_decide(gates: Sequence[Gate]) -> Remaining:
    """Return a function that returns the seconds that would decide every gate."""

    def remaining(measured: Measured) -> float:
        outcomes = [judge(gate, measured) for gate in gates]
        return max(
            (
                math.inf if outcome.more_s is None else outcome.more_s
                for outcome in outcomes
                if outcome.verdict is Verdict.INCONCLUSIVE
            ),
            default=0.0,
        )

    return remaining


def is_relative(gate: Gate) -> bool:
    """Return whether the limit is on a ratio to the baseline's value."""
    return gate.limit.rule in ("min_ratio", "max_ratio")
