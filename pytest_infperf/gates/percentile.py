"""The verdict on a percentile of latency, by the number of queries over the limit.

The rule is MLPerf LoadGen's early stopping, applied to both sides: the percentile is under the
limit if few enough queries are over it, and over the limit if enough queries are. Queries that
depend on their neighbours, such as those in one queue or during a burst of other work, count as
fewer queries.

References
----------
https://github.com/mlcommons/inference, loadgen/early_stopping.cc.
"""

from __future__ import annotations

from pytest_infperf.gates import outlook
from pytest_infperf.gates.remedy import after_fail, more_time
from pytest_infperf.gates.wording import gate_record, not_measured, quantity_texts
from pytest_infperf.records.catalogue import times_of
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import base_of
from pytest_infperf.records.record import GateRecord, Verdict
from pytest_infperf.thresholds.gate import Gate


def judge_percentile(gate: Gate, p: float, measured: Measured) -> GateRecord:
    """Return the verdict on a percentile of single queries, or of the requests of a load.

    Parameters
    ----------
    gate : Gate
        The limit.
    p : float
        The percentile, as a fraction.
    measured : Measured
        The latencies in the order in which they were measured.
    """
    import numpy as np

    from pytest_infperf.stats.quantile import (
        dependence_at,
        order_statistic_interval,
        percentile,
        percentile_decision,
    )

    times, limit, confidence = measured.times_of(gate.measure), gate.limit, measured.confidence
    if not times:
        return not_measured(gate, gate.measure, measured.missing.get(gate.measure))
    n, queries = len(times), "requests" if gate.spec.method == "load" else "queries"
    if times_of(base_of(gate.measure)) == "itl":
        queries = "tokens"
    if limit.is_lower:
        over = sum(time >= limit.value for time in times)
        took = "took at least"
    else:
        over = sum(time > limit.value for time in times)
        took = "took longer than"
    passing = measured.passing.get(gate.measure)
    depend = dependence_at(np.asarray(times, np.float64), p, limit.value)
    under = percentile_decision(over, n, p, confidence, passing, depend)
    if under is None:
        verdict = Verdict.INCONCLUSIVE
    else:
        verdict = Verdict.PASS if under != limit.is_lower else Verdict.FAIL
    low, high = order_statistic_interval(times, p, confidence)
    quantity = Measure(percentile(times, p), "s", low, high, n)
    value, interval, limit_text = quantity_texts(quantity, limit.value)
    why = (
        f"{gate.measure}: {over} of {n} {queries} {took} {limit_text}, "
        f"{gate.measure.removeprefix('latency_')} is {value}{interval}"
    )
    remedy, more_s = "", None
    if verdict is Verdict.FAIL:
        remedy = after_fail(gate)
    elif verdict is Verdict.INCONCLUSIVE:
        why += f", too few {queries} to tell"
        if depend.effect > 1:
            why += f": slow {queries} come in groups, so {n:,} count as {n / depend.effect:,.0f}"
        share = depend.share(confidence)
        more_s = outlook.of_percentile(over, n, p, confidence, measured.seconds, share)
        remedy = more_time(gate.spec, more_s, measured.seconds)
    return gate_record(gate, verdict, why, remedy, more_s)
