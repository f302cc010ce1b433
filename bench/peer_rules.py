"""Rules of other tools, and of this one, for calling a commit slower, on recorded minutes.

If a tool's package contains its rule, that code decides. Because a rule is applied after the
recording, the passes that the tool would have measured (calibration, warm-up, rounds) are selected
according to its default settings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from statistics import fmean, median
from typing import Any, Literal

from bench.peer_recordings import IN_A_ROW, ROUNDS, RUNS, Minute, ReplayedPairs, Side, ToolRun
from pytest_infperf.gates.judge import judge
from pytest_infperf.measure.budget import Budget
from pytest_infperf.measure.paired import measure_ratio
from pytest_infperf.records.catalogue import Catalogue
from pytest_infperf.records.record import Verdict
from pytest_infperf.run.context import seconds_to_decide
from pytest_infperf.thresholds.gate import Gate, Limit

MARGIN = 0.02
CONFIDENCE = 0.99
OWN_S = 20.0
"""The budget of a single test, in seconds; more time is drawn from the pool."""

Call = Literal["slower", "not slower", "undecided"]


@dataclass(frozen=True)
class Answer:
    """The verdict of a rule on the later commit, and its measuring time."""

    call: Call
    seconds: float
    """Time of all processes, including their start, in seconds."""


@dataclass(frozen=True)
class Rule:
    """A rule, under the name that the table shows."""

    name: str
    ask: Callable[[Minute], Answer]
    """Function that judges a minute; raises ModuleNotFoundError if the tool is not installed."""
    packages: Sequence[str] = ()
    """Distributions that contain the code of the rule."""


def _runs(minute: Minute, stage: str, side: Side) -> list[ToolRun]:
    return [run for run in minute.runs[stage] if run.side == side]


def _seconds(runs: Sequence[ToolRun], measured_s: float) -> float:
    return sum(run.start_s for run in runs) + measured_s


def _slower(is_slower: bool) -> Call:
    return "slower" if is_slower else "not slower"


# pytest-benchmark


def benchmark_rounds(run: ToolRun) -> list[float]:
    """Return the rounds of `benchmark(function)` with its default options, in seconds.

    pytest-benchmark 5.3.1, `BenchmarkFixture._raw`: the duration of a first call determines the
    number of rounds in `--benchmark-max-time` (1 s), at least `--benchmark-min-rounds` (5). There
    is no warm-up on CPython. A round has several calls only if a call takes less than about 5 µs,
    and a pass takes much longer.

    Raises
    ------
    ValueError
        If the run has too few passes.
    """
    first, *later = run.pass_ns
    rounds = [ns / 1e9 for ns in later[: max(5, math.ceil(1e9 / first))]]
    if len(rounds) < 5:
        raise ValueError("the recorded run has too few passes for pytest-benchmark")
    return rounds


def pytest_benchmark(limit: str, minute: Minute) -> Answer:
    """Apply `--benchmark-compare-fail` to one run on each commit.

    As in `BenchmarkSession.prepare_benchmarks`, `pytest_benchmark.stats.Stats` gives the
    statistics, and `pytest_benchmark.utils.parse_compare_fail` makes the check from the option's
    value. There is no default limit. Version 5.3.1;
    https://pytest-benchmark.readthedocs.io/en/latest/comparing.html

    Parameters
    ----------
    limit : str
        The value of the option, such as ``"min:5%"``.
    minute : Minute
        The recorded minute.
    """
    from pytest_benchmark import stats, utils

    new_stats: Any = stats.Stats
    parse_compare_fail: Any = utils.parse_compare_fail
    (base,), (head,) = (_runs(minute, IN_A_ROW.name, side) for side in ("base", "head"))
    statistics = {}
    for run in (base, head):
        of_run = new_stats()
        for duration in benchmark_rounds(run):
            of_run.update(duration)
        statistics[run.side] = of_run.as_dict()
    failure = parse_compare_fail(limit).fails(statistics["head"], statistics["base"])
    return Answer(_slower(failure is not None), _benchmark_seconds(base, head))


def mann_whitney(minute: Minute) -> Answer:
    """Compare the rounds of pytest-benchmark by a two-sided Mann-Whitney U test at 0.05.

    `scipy.stats.mannwhitneyu` is called with its defaults. The later commit is slower if the rounds
    differ and its median is higher. Scripts that compare saved rounds usually apply this test; Go's
    benchstat applies it at the same level (https://pkg.go.dev/golang.org/x/perf).
    """
    from scipy.stats import mannwhitneyu

    (base,), (head,) = (_runs(minute, IN_A_ROW.name, side) for side in ("base", "head"))
    before, after = benchmark_rounds(base), benchmark_rounds(head)
    is_slower = mannwhitneyu(before, after).pvalue < 0.05 and median(after) > median(before)
    return Answer(_slower(bool(is_slower)), _benchmark_seconds(base, head))


def _benchmark_seconds(*runs: ToolRun) -> float:
    return _seconds(runs, sum(run.pass_ns[0] / 1e9 + sum(benchmark_rounds(run)) for run in runs))


# asv


def asv_samples(run: ToolRun) -> tuple[list[float], int, float]:
    """Return the samples of one process of a `time_` benchmark, its `number`, and the total time.

    Times are in seconds. asv_runner 0.3.2, `TimeBenchmark.benchmark_timing` with its default
    attributes: calls are added to a sample until it takes `sample_time` (10 ms) and `warmup_time`
    (0.1 s) has passed; then come 5 samples in each of the 2 rounds (`repeat` 10 by 2).

    Raises
    ------
    ValueError
        If the run has too few passes.
    """
    passes = iter(run.pass_ns)
    number, elapsed_s = 1, 0.0
    while True:
        sample_s = _take(passes, number) / 1e9
        elapsed_s += sample_s
        if sample_s < 0.01:
            factor = min(10.0, max(1.1, 0.01 / sample_s))
            number = max(number + 1, int(factor * number))
        elif elapsed_s > 0.1:
            break
    totals = [_take(passes, number) / 1e9 for _ in range(5)]
    return [total / number for total in totals], number, elapsed_s + sum(totals)


def _take(passes: Iterator[int], number: int) -> int:
    taken = [*islice(passes, number)]
    if len(taken) < number:
        raise ValueError("the recorded run has too few passes for asv")
    return sum(taken)


def asv(factor: float, minute: Minute) -> Answer:
    """Apply `asv continuous --factor` to two processes of each commit.

    asv 0.6.6: `asv_runner.statistics.compute_stats` gives the median and its statistics, and
    `asv.commands.compare._is_result_better` decides, as in `asv continuous`: the samples differ by
    a Mann-Whitney U test at 0.002 (`asv._stats.is_different`), and the medians by the factor.
    https://asv.readthedocs.io/en/stable/commands.html#asv-continuous

    Parameters
    ----------
    factor : float
        The value of the option, 1.1 by default.
    minute : Minute
        The recorded minute.
    """
    from asv.commands.compare import _is_result_better
    from asv_runner.statistics import compute_stats

    values, statistics, measured_s = {}, {}, 0.0
    for side in ("base", "head"):
        samples: list[float] = []
        for run in _runs(minute, ROUNDS.name, side):
            of_process, number, seconds = asv_samples(run)
            samples += of_process
            measured_s += seconds
        values[side], stats = compute_stats(samples, number)
        statistics[side] = (stats, samples)
    is_slower = _is_result_better(
        values["base"], values["head"], statistics["base"], statistics["head"], factor
    )
    return Answer(_slower(is_slower), _seconds(minute.runs[ROUNDS.name], measured_s))


# CodSpeed


def codspeed_rounds(run: ToolRun) -> tuple[list[float], int, int]:
    """Return the rounds of the walltime instrument in ns, calls per round, and warm-up calls.

    pytest-codspeed 5.0.4, `WallTimeInstrument.measure` with its default options: a first call, 1 s
    of warm-up, then rounds of at least 1 ms for 3 s.

    Raises
    ------
    ValueError
        If the run has no pass after the warm-up.
    """
    passes = iter(run.pass_ns[1:])
    warm_ups: list[int] = []
    for ns in passes:
        warm_ups.append(ns)
        if sum(warm_ups) > 1e9:
            break
    mean_ns = fmean(warm_ups) if warm_ups else math.inf
    calls = max(1, math.ceil(1e6 / mean_ns))
    rounds: list[float] = []
    while len(rounds) < max(1, int(3e9 / (mean_ns * calls))) and sum(rounds) <= 3e9:
        taken = [*islice(passes, calls)]
        if len(taken) < calls:
            break
        rounds.append(sum(taken))
    if not rounds:
        raise ValueError("the recorded run has too few passes for CodSpeed")
    return rounds, calls, len(warm_ups)


def codspeed(threshold: float, minute: Minute) -> Answer:
    """Compare the best round of the walltime instrument on each commit with a threshold.

    pytest-codspeed 5.0.4: `BenchmarkStats.from_list` gives the statistics, and its table shows the
    best round. The status check fails when the performance falls by more than the regression
    threshold, 10 % by default: https://codspeed.io/docs/features/customization. That check runs on
    CodSpeed's servers and is reimplemented here; CodSpeed does not publish which statistic it
    compares. CodSpeed recommends its own bare-metal runners, which are not used here.

    Parameters
    ----------
    threshold : float
        The regression threshold, as a fraction. The change of performance is base / head - 1, as
        in CodSpeed's reports.
    minute : Minute
        The recorded minute.
    """
    from pytest_codspeed.instruments.walltime import BenchmarkStats

    best, measured_ns = {}, 0.0
    for run in minute.runs[IN_A_ROW.name]:
        rounds, calls, warm_ups = codspeed_rounds(run)
        stats = BenchmarkStats.from_list(
            rounds,
            rounds=len(rounds),
            iter_per_round=calls,
            warmup_iters=warm_ups,
            total_time=sum(rounds) / 1e9,
        )
        best[run.side] = stats.min_ns
        measured_ns += sum(run.pass_ns[: 1 + warm_ups]) + sum(rounds)
    is_slower = best["base"] / best["head"] - 1 < -threshold
    return Answer(_slower(is_slower), _seconds(minute.runs[IN_A_ROW.name], measured_ns / 1e9))


# inference-doctor


def inference_doctor(percent: float, minute: Minute) -> Answer:
    """Apply the rule of inference-doctor to the mean latencies of five runs of each commit.

    inference-doctor 0.4.1: `inference_doctor.quality.decide_regression` with its default confidence
    (0.90), the Welch interval of the log ratio of means. Its README recommends at least 5
    interleaved runs of each side: https://github.com/dundysm/inference-doctor

    Parameters
    ----------
    percent : float
        The value of `--regression-percent`, 10 by default.
    minute : Minute
        The recorded minute.
    """
    from inference_doctor.quality import QualityThresholds, decide_regression

    base, head = (
        [fmean(run.pass_ns) / 1e6 for run in _runs(minute, RUNS.name, side)]
        for side in ("base", "head")
    )
    thresholds = QualityThresholds(regression_percent=percent)
    status = decide_regression(base, head, lower_is_better=True, thresholds=thresholds).status
    calls: dict[str, Call] = {"FAIL": "slower", "PASS": "not slower", "INCONCLUSIVE": "undecided"}
    runs = minute.runs[RUNS.name]
    return Answer(calls[status], _seconds(runs, sum(sum(run.pass_ns) for run in runs) / 1e9))


# pytest-infperf


def infperf(budget_s: float, minute: Minute) -> Answer:
    """Judge `regression = { max = "2 %" }` at confidence 0.99 on the recorded pairs.

    Parameters
    ----------
    budget_s : float
        Measuring time of the test, at most that of the recording: up to 20 s of its own, and the
        rest from the pool.
    minute : Minute
        The recorded minute.
    """
    spec = Catalogue().get("regression")
    assert spec
    gate = Gate(spec, Limit("max", MARGIN, f"max = {MARGIN}"), "bench", CONFIDENCE, "fail")

    pairs = ReplayedPairs(minute.processes)
    first_start_s = pairs.start_s
    measured = measure_ratio(
        "regression",
        pairs,
        budget=Budget(OWN_S, budget_s - OWN_S) if budget_s > OWN_S else Budget(budget_s),
        confidence=CONFIDENCE,
        remaining=seconds_to_decide([gate]),
    )
    calls: dict[Verdict, Call] = {
        Verdict.FAIL: "slower",
        Verdict.PASS: "not slower",
        Verdict.INCONCLUSIVE: "undecided",
    }
    return Answer(calls[judge(gate, measured).verdict], first_start_s + pairs.seconds)


def rules(budgets_s: Sequence[float] = (20.0, 40.0)) -> list[Rule]:
    """Return all rules: those with a limit at 5 %, at our margin of 2 %, and at their default."""
    return [
        *(
            Rule(
                f"pytest-benchmark, `--benchmark-compare-fail={limit}`",
                partial(pytest_benchmark, limit),
                ["pytest-benchmark"],
            )
            for limit in ("min:5%", "median:5%", "mean:5%", "min:2%", "median:2%", "mean:2%")
        ),
        Rule("Mann-Whitney U of pytest-benchmark's rounds, p < 0.05", mann_whitney, ["scipy"]),
        *(
            Rule(f"`asv continuous --factor={factor}`{more}", partial(asv, factor), ["asv"])
            for factor, more in ((1.05, ""), (1.02, ""), (1.1, ", the default"))
        ),
        *(
            Rule(
                f"CodSpeed walltime, threshold {100 * threshold:.0f} %{more}",
                partial(codspeed, threshold),
                ["pytest-codspeed"],
            )
            for threshold, more in ((0.05, ""), (0.02, ""), (0.1, ", the default"))
        ),
        *(
            Rule(
                f"`inference-doctor compare-runs --regression-percent={percent}`{more}",
                partial(inference_doctor, percent),
                ["inference-doctor"],
            )
            for percent, more in ((5, ""), (2, ""), (10, ", the default"))
        ),
        *(
            Rule(
                f'pytest-infperf, `regression = {{ max = "2 %" }}`, `budget_s = {budget_s:g}`',
                partial(infperf, budget_s),
                ["pytest-infperf"],
            )
            for budget_s in budgets_s
        ),
    ]
