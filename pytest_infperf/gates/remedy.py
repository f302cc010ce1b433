"""Remedies for limits that did not pass, as sentences for the user.

A broken limit needs a better variant or another limit. An inconclusive one needs more measuring,
and the sentence says how much: the width of an interval shrinks with the square root of the time.
"""

from __future__ import annotations

import math

from pytest_infperf.records.catalogue import MeasureSpec
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.points import GROWTH, base_of
from pytest_infperf.records.quantity import format_value
from pytest_infperf.thresholds.gate import A_DEFAULT, Gate

_RESERVE = 1.1
"""Factor on the estimated time to decide, because the estimate is rough."""
_LONGEST_S = 3600.0
_MORE_BUDGET = "raise --infperf-budget, or budget_s in thresholds.toml, accordingly"
_MORE_SAMPLES = "run over the whole test set with --infperf-full; a larger budget has no effect"
_LONGER_LOAD = "let the load last longer: its `seconds` in the suite, or --infperf-full"
_SLOW_SERVER = (
    "serve a faster variant, with more workers where cores are free, or batch requests together "
    "(Serving(batch=..., batch_window_ms=...)) where the runtime gains from it"
)
_UNDER_LOAD = {
    "error_rate": (
        "see the errors in the record's evidence: 429 means a full queue (Serving(queue=...)), 504 "
        "the time limit (Serving(timeout_s=...)), and no answer means that a worker died"
    ),
    "memory_growth": "find the requests that leak memory: run a soak with one kind at a time",
    "peak_memory": "start fewer workers, or serve a smaller or quantised model",
    "cpu_usage": "serve a faster variant, or with fewer threads",
}


def another_generator() -> str:
    """Return the remedy for a load generator that was too slow."""
    return (
        "give the generator one or more cores of its own: ClosedLoop(..., generators=2); the "
        "measured latency may be its own delay"
    )


def after_fail(gate: Gate) -> str:
    """Return the remedy for a broken limit."""
    written = gate.source.removesuffix(A_DEFAULT)
    way = "move the limit at" if written == gate.source else "write another limit in"
    return f"{_improvement(gate)}; if this is intended, {way} {written}"


def _improvement(gate: Gate) -> str:
    spec, limit = gate.spec, gate.limit.rule
    if spec.need_of(limit) == "another revision":
        return "find the change since that revision with git diff, or git bisect with this test"
    if spec.need_of(limit) == "a history":
        return "find the first slow run with `infperf history`, and measure with --infperf-against"
    if spec.need_of(limit) == "a price":
        return "serve a faster variant, larger batches, or a cheaper instance type"
    if gate.improvement:
        return gate.improvement
    if spec.method == "load":
        return _UNDER_LOAD.get(base_of(spec.name), _SLOW_SERVER)
    if base_of(spec.name) == GROWTH:
        return "find the values at which the time rises, and the part of the model that causes it"
    if spec.method == "quality":
        return "compare the outputs with the baseline's, or optimise less (quantise fewer layers)"
    if spec.name == "size":
        return "quantise or distil the model, or remove files that the artifact does not need"
    if spec.method == "footprint":
        return "load a smaller or quantised model, or use fewer threads and smaller batches"
    if spec.name == "load_time":
        return "load a smaller artifact, or one that is optimised before it is saved"
    return (
        "search the number of threads (--infperf-threads best), fuse the graph, and quantise to "
        "int8 only where the CPU has instructions for it (VNNI, AMX, i8mm)"
    )


def more_time(
    spec: MeasureSpec,
    quantity: Measure,
    bounds: tuple[float, float],
    limit: float,
    seconds: float,
) -> str:
    """Return the remedy for an interval that contains the limit."""
    from pytest_infperf.stats.sequential import pairs_to_decide

    if spec.method == "quality":
        return "run with --infperf-full: the score of the whole test set is exact"
    ways = {"throughput": _MORE_SAMPLES, "load": _LONGER_LOAD}
    way = ways.get(spec.method, _MORE_BUDGET)
    if not all(map(math.isfinite, bounds)):
        return _longer(2 * seconds, seconds, "at least", way)
    needed = pairs_to_decide(quantity.value, *bounds, limit, quantity.n)
    return _on_the_limit() if needed is None else _scaled(needed, quantity.n, seconds, way)


def more_queries(
    spec: MeasureSpec,
    over: int,
    n: int,
    p: float,
    confidence: float,
    seconds: float,
    share: float,
) -> str:
    """Return the remedy for a percentile that too few queries decide.

    Each counts as a share of an independent one.
    """
    from pytest_infperf.stats.quantile import queries_to_decide

    way = _LONGER_LOAD if spec.method == "load" else _MORE_BUDGET
    counted = max(1, round(share * n))
    needed = queries_to_decide(min(counted, round(share * over)), counted, p, confidence)
    return _on_the_limit() if needed is None else _scaled(needed, counted, seconds, way)


def calmer_host() -> str:
    """Return the remedy for times that drift while they are measured."""
    return (
        "measure again while nothing else runs on this host, or for much longer "
        "(--infperf-budget, or a load's `seconds`); `infperf doctor` names what disturbs"
    )


def _scaled(needed: int, n: int, seconds: float, way: str) -> str:
    total = seconds * needed / n * _RESERVE
    return _on_the_limit() if total > _LONGEST_S else _longer(total, seconds, "about", way)


def _longer(total: float, seconds: float, about: str, way: str) -> str:
    if not seconds:
        return f"measure for longer: {way}"
    more = format_value(math.ceil(total - seconds), "s")
    factor = math.ceil(10 * total / seconds) / 10
    return f"{about} {more} more would decide, {factor:g} times as long as now: {way}"


def _on_the_limit() -> str:
    return (
        "the value is so close to the limit that no reasonable --infperf-budget or budget_s would "
        'decide: move the limit, or set inconclusive = "warn"'
    )
