"""What a method of a variant measured, and the check against its gates."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_infperf import errors
from pytest_infperf.errors import (
    AdvisoryGate,
    GateBroken,
    InconclusiveGate,
)
from pytest_infperf.gates.judge import judge
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import GateRecord, Measure, Record, Verdict
from pytest_infperf.thresholds.gate import Gate

__tracebackhide__ = errors.meant_for_the_user


@dataclass(frozen=True)
class Result:
    """What a method measured; `check` holds it against the gates."""

    parts: Sequence[Measured]
    gates: Sequence[Gate]
    record: Record

    def __getitem__(self, measure: str) -> Measure:
        return self._part(measure).measures[measure]

    def _part(self, measure: str) -> Measured:
        """The part with the measure, or that knows why it is missing; an empty one otherwise."""
        return next(
            (part for part in self.parts if measure in part.measures or measure in part.missing),
            Measured(),
        )

    @property
    def is_decided(self) -> bool:
        """Whether more measuring would change no verdict."""
        return all(
            judge(gate, self._part(gate.measure)).verdict is not Verdict.INCONCLUSIVE
            for gate in self.gates
        )

    def check(self) -> Result:
        """Raise GateBroken for the limits of this suite and variant that are not kept."""
        broken: list[str] = []
        doubtful: list[str] = []
        for gate in self.gates:
            outcome = judge(gate, self._part(gate.measure))
            if gate.spec.advisory:
                if outcome.verdict is Verdict.FAIL:
                    self.record.evidence["advice"] = f"{outcome.why} ({outcome.source})"
                    warnings.warn(AdvisoryGate(self._message("ADVICE", outcome)), stacklevel=2)
                continue
            self.record.keep(outcome)
            if outcome.verdict is Verdict.FAIL:
                broken.append(self._message("FAIL", outcome))
            elif outcome.verdict is Verdict.INCONCLUSIVE:
                message = self._message("INCONCLUSIVE", outcome)
                (broken if gate.inconclusive == "fail" else doubtful).append(message)
        if broken:
            raise GateBroken("\n".join([*broken, *doubtful]))
        if doubtful:
            warnings.warn(InconclusiveGate("\n".join(doubtful)), stacklevel=2)
        return self

    def _message(self, word: str, outcome: GateRecord) -> str:
        lines = [
            f"{word} {self.record.suite}[{self.record.variant}] {outcome.why}",
            f"limit: {outcome.limit} ({outcome.source})",
            *([outcome.remedy] if outcome.remedy else []),
        ]
        return "\n  ".join(lines)
