"""Measures of simulated traffic: latencies, errors, doubts."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from time import process_time
from types import SimpleNamespace as Namespace

import psutil
import pytest

from pytest_infperf.errors import WorkerError
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.serving.load import driver as driver_module
from pytest_infperf.serving.load.driver import LoadDriver
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.load.measure import LoadResult, LoadTest
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.serving.load.traffic import GeneratorUsage, Reply, Traffic
from pytest_infperf.serving.load.usage import Usage, UsageSample
from pytest_infperf.suite.loads import (
    Load,
    MultiStream,
    Offline,
    OpenLoop,
    Server,
    SingleStream,
    Soak,
)

IDLE = GeneratorUsage(cpu_s=0.1, wall_s=10.0)


def usage(cores: float = 0.5, seconds: int = 100) -> Usage:
    samples = [UsageSample(t / 10, cores * t / 10, 10**8 + t) for t in range(10 * seconds)]
    return Usage(samples)


def replies(
    count: int = 200, *, service_s: float = 0.02, lag_s: float = 0.0, status: int = 200
) -> list[Reply]:
    """Return ten replies a second."""
    return [Reply(i / 10, i / 10 + lag_s, i / 10 + lag_s + service_s, status) for i in range(count)]


def run(sent: Sequence[Reply], generator: GeneratorUsage = IDLE, dropped: int = 0) -> LoadRun:
    return LoadRun(Traffic(sent, [generator], dropped), usage())


def without_a_server(
    monkeypatch: pytest.MonkeyPatch,
    streams: Callable[..., Traffic],
    open_loop: Callable[[Target, float, float, int], Traffic],
    percentiles: Sequence[float] = (),
    used: Usage | None = None,
) -> LoadTest:
    """Return a load test with these generators, and with a server of this usage."""
    sampler = Namespace(usage=used or usage())
    monkeypatch.setattr(driver_module, "sample_usage", lambda _: nullcontext(sampler))
    monkeypatch.setattr(driver_module.generators, "streams", streams)
    monkeypatch.setattr(driver_module.generators, "open_loop", open_loop)
    target = Target("http://x", "/", [b"{}"], 1, 1.0, None)
    server = psutil.Process()
    driver = LoadDriver(target, server, 0, lambda what: None)
    return LoadTest(driver, 0.95, percentiles, 60.0, 3.6, None)


@pytest.fixture
def run_load(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Return a function that measures 10 requests a second without a server.

    It takes the generators of the runs, the last of which stays for further runs, and also returns
    the duration of each run, in seconds.
    """

    def measure(
        sent: Sequence[Reply], *generator: GeneratorUsage, percentiles: Sequence[float] = ()
    ) -> tuple[LoadResult, list[float]]:
        lasted_s: list[float] = []
        waiting = list(generator or [IDLE])

        def open_loop(_: Target, rate: float, seconds: float, seed: int, *more: object) -> Traffic:
            lasted_s.append(seconds)
            return Traffic(sent, [waiting.pop(0) if len(waiting) > 1 else waiting[0]])

        def streams(*_: object, **__: object) -> Traffic:
            return Traffic(sent, [IDLE])

        load_test = without_a_server(monkeypatch, streams, open_loop, percentiles)
        return load_test.measure(OpenLoop(10.0), 20.0), lasted_s

    return measure


@pytest.fixture
def under_load(run_load):  # type: ignore[no-untyped-def]
    """Return a function that measures simulated traffic."""
    return lambda *arguments: run_load(*arguments)[0]


def test_latency_counts_from_the_intended_time(under_load) -> None:  # type: ignore[no-untyped-def]
    result = under_load(replies(service_s=0.02, lag_s=0.001))
    measures = result.measured.measures
    assert measures["latency_p50@rate=10"].value == pytest.approx(0.021)
    assert result.evidence.service_mean_s == pytest.approx(0.02)
    assert result.evidence.generator_lag_p99_s == pytest.approx(0.001)
    assert result.measured.doubt == ""


def test_requests_an_hour_and_usage(under_load) -> None:  # type: ignore[no-untyped-def]
    measures = under_load(replies()).measured.measures
    rate = measures["requests_per_hour@rate=10"]
    assert rate.value == pytest.approx(36_000, rel=0.01)
    assert rate.low <= rate.value <= rate.high
    assert measures["cpu_usage@rate=10"].value == pytest.approx(0.5)
    # At 3.6 USD an hour a request a second costs 1000 USD a million.
    assert measures["cost_per_million@rate=10"].value == pytest.approx(100, rel=0.01)


def test_errors_count_and_their_times_do_not(under_load) -> None:  # type: ignore[no-untyped-def]
    sent = [
        *replies(180),
        *(Reply(18 + i / 10, 18 + i / 10, 18.001 + i / 10, 429) for i in range(20)),
    ]
    result = under_load(sent)
    assert result.measured.measures["error_rate@rate=10"].value == pytest.approx(0.1)
    assert result.evidence.errors == {"HTTP 429": 20}
    assert result.measured.measures["latency_min@rate=10"].value == pytest.approx(0.02)


def test_the_share_of_errors_has_the_interval_of_a_proportion(run_load) -> None:  # type: ignore[no-untyped-def]
    """At a confidence of 0.95, 200 requests without an error bound it at 1 - 0.025^(1/200)."""
    result, _ = run_load(replies())
    measure = result.measured.measures["error_rate@rate=10"]
    assert (measure.value, measure.low) == (0, 0)
    assert measure.high == pytest.approx(1 - 0.025 ** (1 / 200))


class Serving:
    """A server with a capacity: requests over it wait for each other.

    Above the rate `hiccup_above`, runs of more than 2 s have a pause of 5 s.
    """

    def __init__(self, capacity: float, hiccup_above: float = math.inf) -> None:
        self.capacity = capacity
        self.hiccup_above = hiccup_above
        self.lasted_s: dict[float, float] = {}

    def highest_rate(
        self, monkeypatch: pytest.MonkeyPatch, limit: float
    ) -> tuple[Measure, Mapping[str, bool]]:
        """Return the highest rate, with a limit of it, and the trials of rates."""
        load_test = without_a_server(monkeypatch, self.streams, self.open_loop)
        load_test = replace(load_test, limited_rates=[limit])
        result = load_test.measure(Server(limit_s=0.1, trial_s=2, seconds=2), 2.0)
        return result.measured.measures["highest_rate@Server"], result.evidence.trials

    def open_loop(
        self, _: Target, rate: float, seconds: float, seed: int, *more: object
    ) -> Traffic:
        self.lasted_s[rate] = seconds
        free = 5.0 if seconds > 2 and rate > self.hiccup_above else 0.0
        sent = []
        for i in range(round(rate * seconds)):
            free = max(free, i / rate) + 1 / self.capacity
            sent.append(Reply(i / rate, i / rate, free, 200))
        return Traffic(sent, [IDLE])

    def streams(self, *_: object, requests: int = 8, **__: object) -> Traffic:
        took = 1 / self.capacity
        return Traffic([Reply(i, i, i + took, 200) for i in range(requests)], [IDLE])


@pytest.mark.parametrize(
    ("limit", "low", "high"), [(60.0, 60.0, None), (130.0, None, 130.0), (900.0, None, 900.0)]
)
def test_a_limit_of_the_highest_rate_is_judged_at_its_own_rate(
    monkeypatch: pytest.MonkeyPatch, limit: float, low: float | None, high: float | None
) -> None:
    server = Serving(100.0)
    measure, trials = server.highest_rate(monkeypatch, limit)
    assert measure.value == pytest.approx(100, rel=0.2)
    assert (measure.low, measure.high) == (low, high and pytest.approx(high))
    assert measure.high is None or measure.high < limit, "the limit is broken"
    assert (limit in server.lasted_s) == (limit < 900), "a rate that is far too high is not run"
    if low:
        # Two looks share the error: at 0.975 a 99th percentile takes 368 requests, and the run
        # has a quarter more.
        assert server.lasted_s[limit] == pytest.approx(1.25 * 368 / limit)
        assert trials["60"] is True


def test_a_rate_above_a_low_limit_decides_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Serving(100.0)
    measure, _ = server.highest_rate(monkeypatch, 6.0)
    assert measure.low == pytest.approx(measure.value / 2)
    assert 6.0 not in server.lasted_s, "what is kept at a higher rate is kept at this one"
    # Two rates and two looks share the error: at 0.9875 a 99th percentile takes 437 requests.
    assert server.lasted_s[measure.low] == pytest.approx(1.25 * 437 / measure.low)


def test_a_low_limit_is_judged_at_its_own_rate_if_a_higher_one_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Serving(100.0, hiccup_above=30.0)
    measure, trials = server.highest_rate(monkeypatch, 20.0)
    between = measure.value / 2
    assert trials[f"{between:.6g}"] is False
    assert trials["20"] is True
    assert (measure.low, measure.high) == (20.0, pytest.approx(between))


def test_without_a_limit_the_highest_rate_is_between_the_last_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Serving(100.0)
    load_test = without_a_server(monkeypatch, server.streams, server.open_loop)
    result = load_test.measure(Server(limit_s=0.1, trial_s=2, seconds=2), 2.0)
    measure = result.measured.measures["highest_rate@Server"]
    assert measure.low == measure.value
    assert measure.high is not None
    assert measure.low < 130 < 2 * measure.high


def test_nothing_answered_is_an_error(under_load) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(WorkerError, match="answered none of 200 requests: 200 x 503"):
        under_load(replies(status=503))


def test_a_generator_that_was_late_or_busy_is_in_doubt() -> None:
    assert "late by 5 ms" in run(replies(lag_s=0.005)).doubt
    assert run(replies(lag_s=0.0019)).doubt == ""
    assert run(replies(service_s=1.0, lag_s=0.05)).doubt == ""  # a twentieth of the latency
    assert "busy for 95% of its core" in run(replies(), GeneratorUsage(9.5, 10.0)).doubt


def test_a_run_with_a_busy_generator_is_repeated(run_load) -> None:  # type: ignore[no-untyped-def]
    busy = GeneratorUsage(9.5, 10.0)
    result, lasted_s = run_load(replies(), busy, IDLE)
    assert result.measured.doubt == ""
    assert result.evidence.spoilt_runs == ["the load generator was busy for 95% of its core"]
    assert len(lasted_s) == 2
    result, lasted_s = run_load(replies(), busy)
    assert "busy" in result.measured.doubt
    assert len(lasted_s) == 3
    assert run_load(replies(), IDLE)[0].evidence.spoilt_runs == []


def test_a_run_in_which_a_worker_died_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the run were repeated because of a busy generator, its failed requests would not count."""
    sent = [*replies(190), *(Reply(19 + i / 10, 19 + i / 10, 20.0, 0) for i in range(10))]
    idle, busy = (Traffic(sent, [g]) for g in (IDLE, GeneratorUsage(9.5, 10.0)))
    used = [usage(), replace(usage(), died=1), usage()]
    load_test = without_a_server(monkeypatch, lambda *_, **__: idle, lambda *_: busy)
    monkeypatch.setattr(
        driver_module, "sample_usage", lambda _: nullcontext(Namespace(usage=used.pop(0)))
    )
    result = load_test.measure(OpenLoop(10.0), 20.0)
    assert result.evidence.died_workers == 1
    assert result.measured.measures["error_rate@rate=10"].value == pytest.approx(0.05)
    assert result.evidence.spoilt_runs == []
    assert len(used) == 1


def test_a_worker_that_died_before_the_load_leaves_the_measures_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = [replace(usage(), died=1), usage()]
    idle = Traffic(replies(), [IDLE])
    load_test = without_a_server(monkeypatch, lambda *_, **__: idle, lambda *_: idle)
    monkeypatch.setattr(
        driver_module, "sample_usage", lambda _: nullcontext(Namespace(usage=used.pop(0)))
    )
    result = load_test.measure(OpenLoop(10.0), 20.0)
    assert result.measured.doubt == "1 of the server's workers died"
    assert result.evidence.died_workers == 1


@pytest.mark.parametrize(
    ("percentiles", "lasts_s"),
    [
        ([], 20.0),
        ([0.5], 20.0),  # 6 answers bound it
        ([0.5, 0.975], 58.4),  # 146 do, at 10 a second, four times over
        ([0.99], 60.0),  # 368 do: as long as the budget
    ],
)
def test_a_run_lasts_until_the_percentiles_with_limits_have_bounds(  # type: ignore[no-untyped-def]
    run_load, percentiles: list[float], lasts_s: float
) -> None:
    """The rate and the confidence of 95 % alone decide it: 0.975^146 < 2.5 %."""
    assert run_load(replies(), percentiles=percentiles)[1] == pytest.approx([lasts_s])


def _undecided_until(decides_at: int) -> Callable[[Measured], bool]:
    return lambda measured: len(measured.times_s) < decides_at


@pytest.mark.parametrize(
    ("decides_at", "budget_s", "lasted_s"),
    [
        (100, 90.0, [20.0]),  # the first run decides
        (500, 90.0, [20.0, 40.0]),
        (10_000, 90.0, [20.0, 40.0]),  # there are two looks
        (500, 50.0, [20.0]),  # a second run would not fit in the budget
    ],
)
def test_undecided_limits_run_a_load_again_for_longer(
    monkeypatch: pytest.MonkeyPatch, decides_at: int, budget_s: float, lasted_s: list[float]
) -> None:
    lasted: list[float] = []

    def open_loop(_: Target, rate: float, seconds: float, seed: int, *more: object) -> Traffic:
        lasted.append(seconds)
        return Traffic(replies(round(10 * seconds)), [IDLE])

    load_test = replace(
        without_a_server(monkeypatch, lambda *_, **__: Traffic(replies(), [IDLE]), open_loop),
        budget_s=budget_s,
        is_undecided=_undecided_until(decides_at),
    )
    result = load_test.measure(OpenLoop(10.0), 20.0)
    assert lasted == lasted_s
    assert result.measured.confidence == pytest.approx(0.975), "two looks share the error"
    expected = ["its limits were undecided"] if len(lasted_s) > 1 else []
    assert result.evidence.spoilt_runs == expected


def test_a_rate_that_one_run_leaves_undecided_is_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pause of the first run at that rate leaves its limit undecided."""
    server = Serving(100.0)
    slow_at: list[float] = [60.0]

    def open_loop(target: Target, rate: float, seconds: float, seed: int, *more: object) -> Traffic:
        traffic = server.open_loop(target, rate, seconds, seed)
        if rate not in slow_at:
            return traffic
        slow_at.remove(rate)
        sent = [*traffic.replies]
        sent[:8] = [replace(reply, done_s=reply.sent_s + 1) for reply in sent[:8]]
        return Traffic(sent, [IDLE])

    load_test = without_a_server(monkeypatch, server.streams, open_loop)
    load_test = replace(load_test, limited_rates=[60.0])
    result = load_test.measure(Server(limit_s=0.1, trial_s=2, seconds=2), 2.0)
    assert slow_at == []
    assert result.measured.measures["highest_rate@Server"].low == 60.0
    assert server.lasted_s[60.0] == pytest.approx(2 * 1.25 * 368 / 60)


def test_a_soak_leaves_room_where_short_trials_find_more_than_the_server_can_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At 120 requests a second, a server of 100 makes a request after 2 s wait only 0.4 s."""
    rates: list[float] = []
    service_s = 0.01

    def open_loop(_: Target, rate: float, seconds: float, seed: int, *more: object) -> Traffic:
        rates.append(rate)
        rng = random.Random(seed)
        sent: list[Reply] = []
        intended_s = free_s = 0.0
        while (intended_s := intended_s + rng.expovariate(rate)) < seconds:
            free_s = max(free_s, intended_s) + service_s
            sent.append(Reply(intended_s, intended_s, free_s, 200))
        return Traffic(sent, [IDLE])

    one_by_one = Traffic(
        [Reply(i / 10, i / 10, i / 10 + service_s, 200) for i in range(30)], [IDLE]
    )
    load_test = without_a_server(monkeypatch, lambda *_, **__: one_by_one, open_loop)
    load_test.measure(Soak(limit_s=0.5, trial_s=2, precision=0.2), 120.0)
    assert 60 < rates[-1] < 82


def test_dropped_requests_are_errors() -> None:
    assert run(replies(90), dropped=10).error_rate == pytest.approx(0.1)


def test_a_doubtful_run_passes_no_limit(under_load) -> None:  # type: ignore[no-untyped-def]
    from pytest_infperf.gates.judge import judge
    from pytest_infperf.records.catalogue import MeasureSpec
    from pytest_infperf.records.record import Verdict
    from pytest_infperf.thresholds.gate import Gate, Limit

    kind = MeasureSpec("error_rate@rate=10", "fraction", False, "load")
    gate = Gate(kind, Limit("max", 0.0, "max = 0"), "thresholds.toml:3", 0.95, "fail")
    sure = under_load(replies()).measured
    assert judge(gate, sure).verdict is Verdict.PASS
    unsure = under_load(replies(), GeneratorUsage(9.9, 10.0)).measured
    outcome = judge(gate, unsure)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "but the load generator was busy for 99% of its core" in outcome.why
    assert "its own cores" in outcome.remedy


def test_percentiles_under_load_are_judged_by_their_interval(under_load) -> None:  # type: ignore[no-untyped-def]
    from pytest_infperf.gates.judge import judge
    from pytest_infperf.records.catalogue import MeasureSpec
    from pytest_infperf.records.record import Verdict
    from pytest_infperf.thresholds.gate import Gate, Limit

    kind = MeasureSpec("latency_p50@rate=10", "s", False, "load")
    gate = Gate(kind, Limit("max", 0.03, 'max = "30 ms"'), "thresholds.toml:3", 0.95, "fail")
    assert judge(gate, under_load(replies()).measured).verdict is Verdict.PASS
    assert judge(gate, under_load(replies(service_s=0.04)).measured).verdict is Verdict.FAIL


def test_usage_between_two_moments() -> None:
    used = usage(cores=0.8)
    assert used.cores_by_event(1.03, 7.91) == pytest.approx(0.8)
    windows = used.cores_by_window(1.0, 7.5)
    assert len(windows) == 6
    assert windows == pytest.approx([0.8] * 6)
    assert used.peak_memory_bytes == 10**8 + 999


def test_memory_that_grows_has_a_slope_with_bounds() -> None:
    """Ten bytes a second are 36,000 an hour; each sample is off by up to 100 bytes."""
    rng = random.Random(0)
    steps = usage(seconds=600).samples
    noisy = Usage([replace(s, memory_bytes=s.memory_bytes + rng.randint(-100, 100)) for s in steps])
    narrow, wide = noisy.memory_growth(0.5), noisy.memory_growth(0.999)
    assert narrow
    assert wide
    (slope, low, high), (_, lower, higher) = narrow, wide
    assert slope == pytest.approx(36_000, rel=0.01)
    assert lower < low < slope < high < higher
    assert lower < 36_000 < higher


def test_memory_of_half_a_minute_has_no_slope() -> None:
    """The second half of 59 s is too short; that of 61 s is not."""
    assert usage(seconds=59).memory_growth(0.95) is None
    assert usage(seconds=61).memory_growth(0.95) is not None


@pytest.mark.parametrize(
    ("load", "connections"), [(SingleStream(), 1), (MultiStream(), 1), (Offline(connections=3), 3)]
)
def test_a_stream_has_the_connections_of_its_load(
    monkeypatch: pytest.MonkeyPatch, load: Load, connections: int
) -> None:
    opened: list[tuple[float, int]] = []

    def streams(
        _: Target, seconds: float, connections: int = 1, requests: int | None = None
    ) -> Traffic:
        if requests is None:
            opened.append((seconds, connections))
        return Traffic(replies(), [IDLE])

    load_test = without_a_server(monkeypatch, streams, lambda *_: pytest.fail("no open loop"))
    load_test.measure(load, 7.0)
    assert opened == [(7.0, connections)]


def test_repetitions_have_the_mean_of_their_means(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two repetitions of 3 requests; one fails, and the first request of all counts."""
    service_s = [0.5, 0.1, 0.3, 0.2, 9.0, 0.4]
    sent = [
        Reply(10 * i, 10 * i, 10 * i + s, 503 if s == 9 else 200) for i, s in enumerate(service_s)
    ]
    asked: list[tuple[float, int, int]] = []

    def streams(
        _: Target, seconds: float, connections: int = 1, requests: int | None = None
    ) -> Traffic:
        asked.append((seconds, connections, requests or 0))
        return Traffic(sent, [IDLE])

    load_test = without_a_server(
        monkeypatch, streams, lambda *_: pytest.fail("no open loop"), percentiles=[0.99]
    )
    load = SingleStream(requests=3, repeats=2, full_seconds=70)
    result = load_test.measure(load, load.lasts_s(full=False))
    assert asked[1:] == [(70, 1, 6)]
    assert result.evidence.repetition_means_s == pytest.approx([0.3, 0.3])
    measures = result.measured.measures
    assert measures["latency_mean@SingleStream-3x2"].value == pytest.approx(0.3)
    assert measures["latency_max@SingleStream-3x2"].value == pytest.approx(0.5)
    assert measures["error_rate@SingleStream-3x2"].value == pytest.approx(1 / 6)


def test_requests_that_take_too_long_are_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    traffic = Traffic(replies(5), [IDLE])
    load_test = without_a_server(
        monkeypatch, lambda *_, **__: traffic, lambda *_: pytest.fail("no open loop")
    )
    load = SingleStream(requests=6, full_seconds=1)
    with pytest.raises(WorkerError, match=r"SingleStream-6 sent 5 of its 6 requests in 1 s"):
        load_test.measure(load, load.lasts_s(full=False))


def test_the_time_of_a_load_grows_with_its_requests_and_not_with_their_square(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step that grows with the square of the requests or samples would take 100 times as long."""
    rng = random.Random(0)

    def processor_s(seconds: int) -> float:
        moments = [i / 25 for i in range(25 * seconds)]
        many = Traffic([Reply(t, t, t + 0.02 + rng.random() / 1000, 200) for t in moments], [IDLE])
        used = usage(seconds=seconds)
        load_test = without_a_server(monkeypatch, lambda *_, **__: many, lambda *_: many, used=used)
        start_s = process_time()
        measures = load_test.measure(OpenLoop(25.0), seconds).measured.measures
        took_s = process_time() - start_s
        assert measures["requests_per_hour@rate=25"].value == pytest.approx(90_000, rel=1e-3)
        assert measures["latency_p99@rate=25"].n > 0.9 * len(moments), "the load is steady"
        assert measures["memory_growth@rate=25"].value == pytest.approx(0.036)
        return took_s

    processor_s(100)  # imports
    assert processor_s(3600) < 30 * processor_s(360)
