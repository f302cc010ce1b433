"""Remedies for limits that did not pass, as sentences for the user.

A broken limit needs a better variant or another limit. An inconclusive limit needs more measuring,
and the sentence says how much.
"""

from __future__ import annotations

import math

from pytest_infperf.records.catalogue import MeasureSpec
from pytest_infperf.records.points import GROWTH, base_of
from pytest_infperf.records.quantity import format_value
from pytest_infperf.thresholds.gate import A_DEFAULT, Gate

_MORE_BUDGET = "raise --infperf-budget, --infperf-time or budget_s in thresholds.toml accordingly"
_MORE_SAMPLES = "run over the whole test set with --infperf-full; a larger budget has no effect"
_LONGER_LOAD = "run the load for longer: raise its `seconds` in the suite, or use --infperf-full"
_SLOW_SERVER = (
    "serve a faster variant, use more workers if cores are free, or batch requests "
    "(Serving(batch=..., batch_window_ms=...)) if the runtime gains from it"
)
_UNDER_LOAD = {
    "error_rate": (
        "see the errors in the record's evidence: 429 means a full queue (Serving(queue=...)), 504 "
        "an exceeded time limit (Serving(timeout_s=...)), and no response that a worker died"
    ),
    "memory_growth": "find the requests that leak memory: run a soak with one kind at a time",
    "peak_memory": "start fewer workers, or serve a smaller or quantised model",
    "cpu_usage": "serve a faster variant, or use fewer threads",
}


def another_generator() -> str:
    """Return the remedy for a load generator that was too slow."""
    return (
        "give the generator its own cores: ClosedLoop(..., generators=2); the measured latency "
        "may include the generator's delay"
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
        return (
            "compare the outputs with those of the baseline or an earlier revision "
            "(--infperf-against), and quantise fewer layers if quantisation is the cause"
        )
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


def more_time(spec: MeasureSpec, more_s: float, seconds: float, *, has_bounds: bool = True) -> str:
    """Return the remedy for a limit that is inconclusive for lack of observations.

    Parameters
    ----------
    spec : MeasureSpec
        The measure.
    more_s : float
        Additional seconds of measuring that would decide the limit; may be infinite.
    seconds : float
        Measuring time so far, in seconds.
    has_bounds : bool, default True
        Whether the measure has an interval with two bounds, from which `more_s` is estimated.
    """
    if spec.name == "kl_divergence":
        return "compare more tokens: raise kl_positions and sample_size of Perplexity(...)"
    if spec.method == "quality":
        return "run with --infperf-full: the score of the whole test set is exact"
    ways = {"throughput": _MORE_SAMPLES, "load": _LONGER_LOAD}
    way = ways.get(spec.method, _MORE_BUDGET)
    if not math.isfinite(more_s):
        return (
            "the value is so close to the limit that no reasonable --infperf-budget or budget_s "
            'would decide: move the limit, or set inconclusive = "warn"'
        )
    if not seconds:
        return f"measure for longer: {way}"
    about = "about" if has_bounds else "at least"
    factor = math.ceil(10 * (seconds + more_s) / seconds) / 10
    more = format_value(math.ceil(more_s), "s")
    return f"{about} {more} more would decide, {factor:g} times as long as now: {way}"
