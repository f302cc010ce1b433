"""Accuracy, F1 and BLEU, and their drops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.scenarios.scenario import (
    CONFIDENCE,
    Run,
    Scenario,
    gate,
    holds,
    judged,
)
from bench.simulated_times import Random
from pytest_infperf.gates.judge import judge
from pytest_infperf.measure.quality import Scoring
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.metrics.accuracy import Accuracy
from pytest_infperf.metrics.bleu import Bleu
from pytest_infperf.metrics.f1 import F1
from pytest_infperf.records.measured import Measured


def _scored(scoring: Scoring, outputs: Sequence[Any], baseline: Sequence[Any] | None) -> Measured:
    ours, theirs = (
        answers and SetRun(range(len(answers)), answers, [1], [1.0])
        for answers in (outputs, baseline)
    )
    assert ours
    return scoring.quality(ours, theirs or None)


def _scoring(metric: Any, references: Sequence[Any]) -> Scoring:
    return Scoring([metric], references, CONFIDENCE, 1, whole_set=False)


def _accuracy(rng: Random, *, n: int, share: float) -> Run:
    answers = np.where(rng.random(n) < share, "right", "wrong").tolist()
    measured = _scored(_scoring(Accuracy(), ["right"] * n), answers, None)
    return judged(measured, "accuracy", 100 * share, "min")


def _accuracy_drop(rng: Random, *, n: int, lost: float, won: float) -> Run:
    """Judge a variant that loses and wins these shares of samples against the baseline."""
    draws = rng.random(n)
    is_lost, is_won = draws < lost, draws > 1 - won
    both_wrong = (draws >= lost) & (draws < lost + 0.05)
    ours = np.where(is_lost | both_wrong, "wrong", "right")
    theirs = np.where(is_won | both_wrong, "wrong", "right")
    measured = _scored(_scoring(Accuracy(), ["right"] * n), ours.tolist(), theirs.tolist())
    return _drop(measured, "accuracy", 100 * (lost - won))


def _drop(measured: Measured, metric: str, drop: float) -> Run:
    verdict = judge(gate(metric, "max_drop", drop), measured).verdict
    return Run(verdict, covers=holds(measured.differences[metric], -drop))


LABELS = ("common", "usual", "rare")
LABEL_SHARES = (0.6, 0.3, 0.1)


def _labelled(rng: Random, n: int, share: float) -> tuple[list[str], list[str]]:
    """Return answers, a share of which is correct, and references."""
    truth = rng.choice(len(LABELS), n, p=LABEL_SHARES)
    other = (truth + rng.integers(1, len(LABELS), n)) % len(LABELS)
    answers = np.where(rng.random(n) < share, truth, other)
    return [LABELS[i] for i in answers], [LABELS[i] for i in truth]


def _true_f1(share: float) -> float:
    """Return the macro F1 of the population that `_labelled` draws from, in points."""
    scores = []
    for label in LABEL_SHARES:
        right, missed = label * share, label * (1 - share)
        taken = (1 - label) * (1 - share) / (len(LABELS) - 1)
        scores.append(2 * right / (2 * right + missed + taken))
    return 100 * sum(scores) / len(scores)


def _f1(rng: Random, *, n: int, share: float) -> Run:
    answers, references = _labelled(rng, n, share)
    measured = _scored(_scoring(F1(), references), answers, None)
    return judged(measured, "f1", _true_f1(share), "min")


class DrawnBleu(Bleu):
    """BLEU of sentences that are drawn from a set with known statistics."""

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        bank = _sentences()
        return np.array(
            [
                bank[output][reference] if output in bank else bank["none"][reference]
                for output, reference in zip(outputs, references, strict=True)
            ]
        )


@cache
def _sentences() -> dict[Any, NDArray[np.float64]]:
    """Return the statistics of 500 sentences by the system that translated them."""
    rng = np.random.default_rng(14)
    references = [rng.integers(300, size=rng.integers(6, 25)) for _ in range(500)]

    def translated(wrong: float) -> list[str]:
        kept = (
            np.where(rng.random(len(r)) < wrong, rng.integers(300, size=len(r)), r)
            for r in references
        )
        return [" ".join(f"w{word}" for word in words) for words in kept]

    truth = [" ".join(f"w{word}" for word in words) for words in references]
    metric = Bleu()
    base = translated(0.35)
    changed = [a if rng.random() < 0.8 else b for a, b in zip(base, translated(0.5), strict=True)]
    systems = {"base": base, "variant": changed, "none": ["\uffff"] * 500}
    return {name: metric.statistics(texts, truth) for name, texts in systems.items()}


def _bleu(rng: Random, *, n: int) -> Run:
    metric, numbers = DrawnBleu(), rng.integers(500, size=n).tolist()
    measured = _scored(_scoring(metric, numbers), ["variant"] * n, ["base"] * n)
    ours, theirs = (metric.score(_sentences()[name].sum(axis=0)) for name in ("variant", "base"))
    return _drop(measured, "bleu", theirs - ours)


def scenarios() -> Iterator[Scenario]:
    for n in (30, 100, 300):
        for share in (0.9, 0.99):
            simulate = partial(_accuracy, n=n, share=share)
            yield Scenario("accuracy", f"{100 * share:g} % of {n}", simulate, 2000)
    for n, lost, won, case in (
        (30, 0.05, 0.0, "5 lost"),
        (100, 0.01, 0.0, "1 lost: mostly equal outputs"),
        (300, 0.03, 0.01, "3 lost, 1 won"),
    ):
        drop = partial(_accuracy_drop, n=n, lost=lost, won=won)
        yield Scenario("accuracy, drop", f"{case} of 100, n = {n}", drop, 2000)
    for n, share in ((30, 0.9), (100, 0.98), (300, 0.9), (300, 0.98)):
        yield Scenario("f1", f"{100 * share:g} % of {n}", partial(_f1, n=n, share=share), 400)
    for n in (100, 300):
        yield Scenario("bleu, drop", f"n = {n}", partial(_bleu, n=n), 200)
