"""The verdicts on a variant from all tests of a run, and how they are entered in its record.

Several tests may judge one limit, for example by calling `quality(batch=1)` and `quality(batch=8)`,
and a test may be run again after a failure. The record shows the worst verdict of the tests' last
tries, with the values that the verdict is based on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from pytest_infperf.gates.wording import not_judged
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import GateRecord, Record, Verdict
from pytest_infperf.thresholds.gate import Gate

LimitKey = tuple[str, str]
"""The name of a measure and the text of a limit on it."""

_SEVERITY = {Verdict.PASS: 0, Verdict.XFAILED: 1, Verdict.INCONCLUSIVE: 2, Verdict.FAIL: 3}


@dataclass
class Measuring:
    """The measures of one call of a method in a test, and the verdicts on them."""

    parts: Sequence[Measured]
    tries: int
    """The number of the test's try."""
    batch: int | None
    """The number of samples of a query, if the caller chooses it."""
    on_verdict: Callable[[], None]
    outcomes: dict[LimitKey, GateRecord] = field(default_factory=dict)

    def keep(self, outcome: GateRecord) -> None:
        """Keep the verdict on a limit."""
        self.outcomes[outcome.measure, outcome.limit] = replace(outcome, tries=self.tries)
        self.on_verdict()

    @property
    def measures(self) -> dict[str, Measure]:
        return {name: value for part in self.parts for name, value in part.measures.items()}

    @property
    def severity(self) -> tuple[int, int]:
        """The rank of the worst verdict; the lowest if nothing was judged."""
        return max(map(_severity, self.outcomes.values()), default=(-1, 0))


@dataclass
class Try:
    """One try of a test: its measures, verdicts and errors."""

    number: int
    on_change: Callable[[], None]
    measurings: list[Measuring] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    ended: bool = False
    reported: int = 0
    """The number of measurings before the last failure that pytest reported."""

    def measured(self, parts: Sequence[Measured], batch: int | None = None) -> Measuring:
        """Keep the result of a method, and return it so that it can be judged."""
        measuring = Measuring(parts, self.number, batch, self.on_change)
        self.measurings.append(measuring)
        self.on_change()
        return measuring

    def expect_failures(self) -> None:
        """Change the verdict to xfailed for limits that did not pass."""
        for measuring in self.measurings:
            for key, outcome in measuring.outcomes.items():
                if outcome.verdict is not Verdict.PASS:
                    measuring.outcomes[key] = replace(outcome, verdict=Verdict.XFAILED)

    def note_error(self, failure: BaseException) -> None:
        """Keep the reason why something could not be measured; equal reasons are kept once."""
        if (text := _plain(str(failure))) not in self.errors:
            self.errors.append(text)
            self.on_change()


class VariantVerdicts:
    """Keeps the verdicts on one variant by test, and enters the worst in its record.

    Parameters
    ----------
    record : Record
        The record of the variant.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.gates: Sequence[Gate] = ()
        """The limits that apply to the variant in this run."""
        self._tries: dict[str, list[Try]] = {}
        """Last try of each test, preceded by the one before it until the last try ends."""
        self._not_judged: list[GateRecord] = []

    def begin(self, test: str) -> Try:
        """Return a new try of a test; an earlier one is kept until the new one ends."""
        tries = self._tries.setdefault(test, [])
        tries.append(Try(tries[-1].number + 1 if tries else 1, self._show))
        return tries[-1]

    def end(
        self,
        test: str,
        failure: BaseException | None = None,
        *,
        torn_down: bool = False,
        xfailed: bool = False,
        failed: bool = False,
    ) -> None:
        """End the try of a test and discard the results of its earlier tries.

        Parameters
        ----------
        test : str
            The test.
        failure : BaseException, optional
            The error that ended it, other than a broken limit.
        torn_down : bool, default False
            Whether the test's teardown has ended, instead of the test itself.
        xfailed : bool, default False
            Whether the test failed as expected by its marker xfail.
        failed : bool, default False
            Whether pytest reports a failure.
        """
        tries = self._tries.get(test)
        if not tries or (tries[-1].ended and not torn_down):  # ended before `variant` was set up
            self.begin(test)
        last = self._tries[test][-1]
        self._tries[test] = [last]
        last.ended = True
        if failed:
            last.reported = len(last.measurings)
        if failure:
            last.note_error(failure)
        if xfailed:
            last.expect_failures()
        self._show()

    def found_by(self, test: str) -> tuple[dict[str, Measure], list[GateRecord]]:
        """Return the measures and the verdicts of the last try of a test."""
        measurings = self._tries[test][-1].measurings if test in self._tries else []
        measures = {
            name: measure
            for measuring in measurings
            for name, measure in measuring.measures.items()
        }
        worst = _worst(measurings)
        for outcome, measuring in worst:
            if measure := measuring.measures.get(outcome.measure):
                measures[outcome.measure] = measure
        return measures, [outcome for outcome, _ in worst]

    def caught_by(self, test: str) -> list[GateRecord]:
        """Return the verdicts that failed a check of a test, but no report of pytest yet."""
        if test not in self._tries:
            return []
        last = self._tries[test][-1]
        tolerated = {
            (gate.measure, gate.limit.text) for gate in self.gates if gate.inconclusive == "warn"
        }
        return [
            outcome
            for outcome, _ in _worst(last.measurings[last.reported :])
            if outcome.verdict is Verdict.FAIL
            or (
                outcome.verdict is Verdict.INCONCLUSIVE
                and (outcome.measure, outcome.limit) not in tolerated
            )
        ]

    def name_unjudged(self, may_be_judged: Callable[[Gate], bool]) -> None:
        """Enter the limits that no test has judged and that no test may still judge.

        Their verdict is inconclusive. Advisory limits are left out.
        """
        judged = {key for measuring in self._measurings() for key in measuring.outcomes}
        self._not_judged = [
            not_judged(gate)
            for gate in self.gates
            if not gate.spec.advisory
            and (gate.measure, gate.limit.text) not in judged
            and not may_be_judged(gate)
        ]
        self._show()

    def _measurings(self) -> Iterator[Measuring]:
        for tries in self._tries.values():
            # An earlier try counts only for limits that the last try has not judged yet.
            *before, last = tries
            again = {key for measuring in last.measurings for key in measuring.outcomes}
            for measuring in (measuring for earlier in before for measuring in earlier.measurings):
                outcomes = {
                    key: outcome for key, outcome in measuring.outcomes.items() if key not in again
                }
                if outcomes:
                    yield replace(measuring, outcomes=outcomes)
            yield from last.measurings

    def _show(self) -> None:
        record, measurings = self.record, list(self._measurings())
        worst = _worst(measurings)
        judged = {(outcome.measure, outcome.limit) for outcome, _ in worst}
        # A fixture may judge a limit in its teardown, after the test has ended without doing so.
        unjudged = [each for each in self._not_judged if (each.measure, each.limit) not in judged]
        record.gates = [*(outcome for outcome, _ in worst), *unjudged]
        attempts = [attempt for tries in self._tries.values() for attempt in tries]
        record.errors = list(dict.fromkeys(text for each in attempts for text in each.errors))
        for measuring in sorted(measurings, key=lambda each: each.severity):
            for name in measuring.measures:
                _show_measure(record, name, measuring)
        for outcome, measuring in sorted(worst, key=lambda each: _severity(each[0])):
            _show_measure(record, outcome.measure, measuring)


def _severity(outcome: GateRecord) -> tuple[int, int]:
    return _SEVERITY[outcome.verdict], outcome.tries


def _worst(measurings: Sequence[Measuring]) -> list[tuple[GateRecord, Measuring]]:
    """Return the worst verdict on each limit with its measuring; the last of several equal ones."""
    worst: dict[LimitKey, tuple[GateRecord, Measuring]] = {}
    for measuring in sorted(measurings, key=lambda each: each.severity):
        for key, outcome in measuring.outcomes.items():
            if key not in worst or _severity(outcome) >= _severity(worst[key][0]):
                worst[key] = outcome, measuring
    return list(worst.values())


def _show_measure(record: Record, name: str, measuring: Measuring) -> None:
    """Enter a measure in the record, with its differences and its batch size."""
    evidence = record.evidence
    for part in measuring.parts:
        if name in part.measures:
            record.measures[name] = part.measures[name]
        if name in part.differences:
            evidence.differences = {**(evidence.differences or {}), name: part.differences[name]}
        if name in part.changes and evidence.against:
            changes = evidence.against.changes or {}
            evidence.against.changes = {**changes, name: part.changes[name]}
    if name == "throughput":
        record.settings.batch = measuring.batch
    if name == evidence.quality_metric:
        evidence.quality_batch = measuring.batch


def _plain(text: str) -> str:
    """Return a text without the colours and control characters that a worker may print."""
    from rich.text import Text

    plain = Text.from_ansi(text).plain
    return "".join(
        character for character in plain if character.isprintable() or character in "\n\t"
    )
