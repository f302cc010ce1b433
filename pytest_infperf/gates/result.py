"""The result of a method of `variant`: its measures, and the check against their limits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_infperf import errors
from pytest_infperf.errors import AdvisoryGate, GateBroken, InconclusiveGate, UserError
from pytest_infperf.gates.judge import judge
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import GateRecord, Record, Verdict
from pytest_infperf.thresholds.gate import Gate

__tracebackhide__ = errors.meant_for_the_user


@dataclass(frozen=True)
class Result:
    """The measures of a method of `variant`, with the check against their limits.

    Indexing with the name of a measure returns its `Measure`: `variant.latency()["latency_p50"]`.

    Parameters
    ----------
    parts : sequence of Measured
        The measures, in one or more parts.
    gates : sequence of Gate
        The limits on these measures for this suite, variant and host.
    record : Record
        The record of the variant, which shows the verdicts.
    keep : callable
        Stores a verdict, see `gates.verdicts`.
    """

    parts: Sequence[Measured]
    gates: Sequence[Gate]
    record: Record
    keep: Callable[[GateRecord], None]

    def __getitem__(self, measure: str) -> Measure:
        return _part_with(measure, self.parts).measures[measure]

    def check(self) -> Result:
        """Judge the limits on these measures.

        The record shows the worst verdict on each limit over all tests. Advisory limits give a
        warning, and so do inconclusive limits if thresholds.toml has `inconclusive = "warn"`.

        Returns
        -------
        Result
            This result.

        Raises
        ------
        GateBroken
            If a limit is broken or cannot be judged. The message contains the measure, value,
            interval, limit, number of observations and a remedy for each of them.
        UserError
            If outputs are not finite, or a metric is not defined for them, and no limit fails for
            this reason.
        """
        broken: list[str] = []
        undecided: list[str] = []
        tolerated: list[str] = []
        for gate in self.gates:
            outcome = judge(gate, _part_with(gate.measure, self.parts))
            if gate.spec.advisory:
                self._advise(outcome)
                continue
            self.keep(outcome)
            if outcome.verdict is Verdict.FAIL:
                broken.append(self._message("FAIL", outcome))
            elif outcome.verdict is Verdict.INCONCLUSIVE:
                message = self._message("INCONCLUSIVE", outcome)
                (undecided if gate.inconclusive == "fail" else tolerated).append(message)
        if broken or undecided:
            raise GateBroken("\n".join([*broken, *undecided, *tolerated]))
        self._check_scores()
        if tolerated:
            warnings.warn(InconclusiveGate("\n".join(tolerated)), stacklevel=2)
        return self

    def _check_scores(self) -> None:
        judged = {gate.measure for gate in self.gates}
        for part in self.parts:
            if part.not_finite and not self.gates:
                raise UserError(f"{part.not_finite}: correct the model, or its conversion")
            for name in part.undefined.keys() - judged:
                raise UserError(part.undefined[name])

    def _advise(self, outcome: GateRecord) -> None:
        if outcome.verdict is Verdict.FAIL:
            self.record.evidence.advice = f"{outcome.why} ({outcome.source})"
            warnings.warn(AdvisoryGate(self._message("ADVICE", outcome)), stacklevel=3)

    def _message(self, word: str, outcome: GateRecord) -> str:
        lines = [
            f"{word} {self.record.suite}[{self.record.variant}] {outcome.why}",
            f"limit: {outcome.limit} ({outcome.source})",
            *([outcome.remedy] if outcome.remedy else []),
        ]
        return "\n  ".join(lines)


def is_decided(parts: Sequence[Measured], gates: Sequence[Gate]) -> bool:
    """Return whether every gate passes or fails, so that no more measuring is needed."""
    return all(
        judge(gate, _part_with(gate.measure, parts)).verdict is not Verdict.INCONCLUSIVE
        for gate in gates
    )


def is_undecided(gates: Sequence[Gate], measured: Measured) -> bool:
    """Return whether a limit is inconclusive and none is broken."""
    verdicts = {judge(gate, measured).verdict for gate in gates}
    return Verdict.INCONCLUSIVE in verdicts and Verdict.FAIL not in verdicts


def _part_with(measure: str, parts: Sequence[Measured]) -> Measured:
    """Return the part that has the measure or the reason why it is missing; else an empty part."""
    return next(
        (part for part in parts if measure in part.measures or measure in part.missing),
        Measured(),
    )
