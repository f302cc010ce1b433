"""Measures of the tokens of streamed responses, and limits on their times, by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.gates.judge import judge
from pytest_infperf.records.catalogue import TOKENS_AT_POINTS, Catalogue
from pytest_infperf.records.evidence import Evidence
from pytest_infperf.records.record import Record, Verdict
from pytest_infperf.report.tables.load_notes import load_notes
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.load.measure import LoadResult, LoadTest
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.serving.load.server_rate import broken_limit, keeps_limits_surely
from pytest_infperf.serving.load.summary import token_measures
from pytest_infperf.serving.load.traffic import Reply, Traffic
from pytest_infperf.serving.load.usage import Usage
from pytest_infperf.suite.loads import OpenLoop, Server, Soak
from pytest_infperf.thresholds.gate import Gate, Limit
from tests.serving.load.test_measure import IDLE, without_a_server


def streamed(
    sent_s: float, first_s: float, gaps_s: Sequence[float] = (), *, late_s: float = 0.0
) -> Reply:
    """Return an answer to a prompt of 7 tokens that ends 0.1 s after its last token."""
    arrivals_s = [sent_s + first_s]
    for gap_s in gaps_s:
        arrivals_s.append(arrivals_s[-1] + gap_s)
    done_s = arrivals_s[-1] + 0.1
    tokens = 7, len(arrivals_s)
    return Reply(sent_s - late_s, sent_s, done_s, 200, "", arrivals_s, *tokens)


def run_of(*replies: Reply, streams: bool = True, whole_because: str = "") -> LoadRun:
    traffic = Traffic(replies, [IDLE])
    return LoadRun(traffic, Usage([]), of_study=True, streams=streams, whole_because=whole_because)


def test_the_measures_of_two_answers() -> None:
    """The first one takes 0.6 s, and the second one 0.4 s from its intended time."""
    run = run_of(streamed(0.0, 0.1, [0.2, 0.2]), streamed(1.0, 0.2, late_s=0.1))
    measured = token_measures(run, ["ttft_p75"], 0.95)
    values = {name: measure.value for name, measure in measured.measures.items()}
    assert values["ttft_mean"] == pytest.approx(0.2)
    assert values["ttft_p50"] == pytest.approx(0.1)
    assert values["ttft_p75"] == pytest.approx(0.3)
    assert values["itl_mean"] == pytest.approx(0.2)
    assert values["tpot_mean"] == pytest.approx(0.5 / 2)
    assert values["output_tokens_rate"] == pytest.approx(4 / 1.0)
    assert values["prompt_tokens_rate"] == pytest.approx(14 / 0.4)
    assert values["token_throughput"] == pytest.approx(4 / 1.3)
    assert values.keys() == {*TOKENS_AT_POINTS, "ttft_p75"}
    assert measured.missing == {}


def test_times_between_tokens_are_in_the_order_of_their_arrival() -> None:
    """A moment at which all responses stall then gives neighbours, which count as dependent."""
    run = run_of(streamed(0.0, 0.1, [0.1, 0.8, 0.1]), streamed(0.05, 0.1, [0.1, 0.8, 0.1]))
    itl_s = token_measures(run, [], 0.95).token_times_s["itl"]
    assert itl_s == pytest.approx([0.1, 0.1, 0.8, 0.8, 0.1, 0.1])


def test_the_throughput_of_tokens_has_an_interval() -> None:
    run = run_of(*(streamed(i / 2, 0.1, [0.1] * 3) for i in range(40)))
    measure = token_measures(run, [], 0.95).measures["token_throughput"]
    assert measure.value == pytest.approx(160 / 20)
    assert measure.low is not None
    assert measure.high is not None
    assert measure.low < measure.value < measure.high
    assert (measure.unit, measure.n) == ("tokens/s", 40)


def test_an_output_without_text_has_its_first_token_at_its_end() -> None:
    empty = replace(streamed(0.0, 0.3), arrivals_s=[], output_tokens=1)
    measured = token_measures(run_of(empty), [], 0.95)
    assert measured.measures["ttft_mean"].value == pytest.approx(0.4)
    assert measured.missing["tpot_mean"] == "no output has a second token"


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (
            run_of(streamed(0, 0.1), replace(streamed(1, 0.1), arrivals_s=None)),
            "the server did not stream 1 of 2 responses, although the requests have",
        ),
        (run_of(streamed(0, 0.1), streams=False), "the requests do not ask for streamed responses"),
        (run_of(streamed(0, 0.1), streams=False, whole_because="set samples=1"), "set samples=1"),
    ],
)
def test_without_streamed_responses_no_measure_is_known(run: LoadRun, reason: str) -> None:
    measured = token_measures(run, ["itl_p75"], 0.95)
    assert measured.measures == {}
    assert measured.missing.keys() == {*TOKENS_AT_POINTS, "itl_p75"}
    assert {why.startswith(reason) for why in measured.missing.values()} == {True}
    with pytest.raises(WorkerError, match=f"a limit on ttft cannot be judged: {reason}"):
        run.times_of("ttft")


def test_without_the_numbers_of_tokens_only_times_of_pieces_are_known() -> None:
    run = run_of(streamed(0.0, 0.1, [0.2]), replace(streamed(1.0, 0.1, [0.2]), output_tokens=None))
    measured = token_measures(run, [], 0.95)
    assert measured.measures["ttft_mean"].value == pytest.approx(0.1)
    assert measured.measures["itl_mean"].value == pytest.approx(0.2)
    for name in ("tpot_p99", "output_tokens_rate", "prompt_tokens_rate", "token_throughput"):
        assert name not in measured.measures
        assert measured.missing[name].startswith("1 of 2 responses had no usage")
    with pytest.raises(WorkerError, match="a limit on tpot cannot be judged: 1 of 2 responses"):
        run.times_of("tpot")


def test_failed_requests_have_no_tokens() -> None:
    cut = replace(streamed(1.0, 9.0), error="stream ended early")
    run = run_of(streamed(0.0, 0.1, [0.2]), cut)
    assert run.errors == 1
    assert token_measures(run, [], 0.95).measures["ttft_mean"].value == pytest.approx(0.1)


def test_a_generator_that_is_late_for_the_first_token_is_in_doubt() -> None:
    """A lag of 5 ms is a two hundredth of the latency, and a quarter of the time to first token."""
    sent = [streamed(i / 10, 0.015, [0.5, 0.5], late_s=0.005) for i in range(20)]
    assert "late by 5 ms" in run_of(*sent).doubt
    assert run_of(*(replace(reply, arrivals_s=None) for reply in sent)).doubt == ""


def load_test(
    monkeypatch: pytest.MonkeyPatch, sent: Sequence[Reply], target: Target | None = None
) -> LoadTest:
    traffic = Traffic(sent, [IDLE])
    found = without_a_server(monkeypatch, lambda *_, **__: traffic, lambda *_: traffic)
    found.driver.target = target or found.driver.target.streamed()
    return replace(found, token_percentiles=["ttft_p80"])


def ttft_gate(percentile: str) -> Gate:
    catalogue = Catalogue(points={"rate=10": "load"}, generates=True, tokens_at=["rate=10"])
    spec = catalogue.get(f"ttft_{percentile}@rate=10")
    assert spec
    return Gate(spec, Limit("max", 0.2, 'max = "200 ms"'), "thresholds.toml:3", 0.95, "fail")


def test_limits_on_times_of_tokens_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = load_test(monkeypatch, [streamed(i / 10, 0.1, [0.1]) for i in range(200)])
    result = fast.measure(OpenLoop(10.0), 20.0)
    assert result.measured.measures["ttft_p80@rate=10"].value == pytest.approx(0.1)
    assert result.measured.measures["latency_p99@rate=10"].value == pytest.approx(0.3)
    assert judge(ttft_gate("p80"), result.measured).verdict is Verdict.PASS
    counts = result.evidence.tokens
    assert counts
    assert (counts.prompt, counts.output, counts.pieces) == (1400, 400, 400)
    slow = load_test(monkeypatch, [streamed(i / 10, 0.3) for i in range(200)])
    verdict = judge(ttft_gate("p80"), slow.measure(OpenLoop(10.0), 20.0).measured)
    assert verdict.verdict is Verdict.FAIL
    assert "200 of 200 requests took longer than 200 ms" in verdict.why


def test_a_limit_that_cannot_be_judged_has_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [replace(streamed(i / 10, 0.1), arrivals_s=None) for i in range(200)]
    result = load_test(monkeypatch, whole).measure(OpenLoop(10.0), 20.0)
    assert result.evidence.tokens is None
    reason = "the server did not stream 200 of 200 responses"
    assert result.evidence.why_no_tokens.startswith(reason)
    outcome = judge(ttft_gate("p80"), result.measured)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.remedy.startswith(reason)
    record = Record("chat", "fast", evidence=Evidence(loads={"rate=10": result.evidence}))
    notes = "\n".join(load_notes("rate=10", [record]))
    assert f"fast: times of tokens that are missing: {reason}" in notes


def test_requests_that_are_not_streamed_add_no_note(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target("http://x", "/", [b"{}"], 1, 1.0, None, whole_because="it returns them whole")
    sent = [Reply(i / 10, i / 10, i / 10 + 0.1, 200) for i in range(200)]
    result = load_test(monkeypatch, sent, target).measure(OpenLoop(10.0), 20.0)
    assert result.measured.missing["ttft_p80@rate=10"] == "it returns them whole"
    assert (result.evidence.tokens, result.evidence.why_no_tokens) == (None, "")


class Generating:
    """A server whose time to the first token is `rate` ms, and that between tokens 10 ms more."""

    def open_loop(
        self, _: Target, rate: float, seconds: float, seed: int, *more: object
    ) -> Traffic:
        first_s, gap_s = rate / 1000, 0.01 + rate / 1000
        sent = [streamed(i / rate, first_s, [gap_s] * 4) for i in range(round(rate * seconds))]
        return Traffic(sent, [IDLE])

    def streams(self, *_: object, requests: int = 8, **__: object) -> Traffic:
        return Traffic([streamed(i, 0.001, [0.01] * 4) for i in range(requests)], [IDLE])

    def highest_rate(self, monkeypatch: pytest.MonkeyPatch, load: Server) -> LoadResult:
        found = without_a_server(monkeypatch, self.streams, self.open_loop)
        found.driver.target = found.driver.target.streamed()
        return found.measure(load, 2.0)


@pytest.mark.parametrize(
    ("limits_s", "highest", "first"),
    [
        ({"ttft_s": 0.05}, 50, "ttft"),
        ({"itl_s": 0.11}, 100, "itl"),
        ({"ttft_s": 0.05, "itl_s": 0.11}, 50, "ttft"),
        ({"ttft_s": 0.09, "itl_s": 0.05}, 40, "itl"),
        ({"ttft_s": 0.09, "itl_s": 0.2, "limit_s": 0.34}, 40, "latency"),
    ],
)
def test_the_highest_rate_keeps_all_limits(
    monkeypatch: pytest.MonkeyPatch, limits_s: Mapping[str, float], highest: float, first: str
) -> None:
    """The latency is 140 ms and five times the rate in ms."""
    load = Server(trial_s=1, seconds=1, **limits_s)  # type: ignore[arg-type]
    result = Generating().highest_rate(monkeypatch, load)
    measure = result.measured.measures["highest_rate@Server"]
    assert highest / 1.1 <= measure.value <= highest
    assert measure.high
    assert result.evidence.first_broken == f"{first}, at {measure.high:.6g} requests/s"
    kept = [float(rate) for rate, is_kept in result.evidence.trials.items() if is_kept]
    assert max(kept) == pytest.approx(measure.value, rel=1e-5)


def test_a_limit_that_one_request_after_another_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    result = Generating().highest_rate(monkeypatch, Server(ttft_s=1, itl_s=0.005))
    assert result.measured.measures["highest_rate@Server"].value == 0
    assert result.evidence.first_broken == "itl, by requests one after another"
    record = Record("chat", "fast", evidence=Evidence(loads={"Server": result.evidence}))
    notes = list(load_notes("Server", [record]))
    assert notes == ["fast: the first limit to break: itl, by requests one after another"]


def test_a_limit_on_tokens_without_streamed_responses_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Generating()
    found = without_a_server(monkeypatch, server.streams, server.open_loop)
    with pytest.raises(WorkerError, match="a limit on ttft cannot be judged: the requests do not"):
        found.measure(Server(ttft_s=1), 2.0)


def answers(slow: int, n: int) -> LoadRun:
    """Return a run in which that many first tokens take 250 ms, evenly spread, and others half."""
    return run_of(*(streamed(i, 0.25 if i * slow % n < slow else 0.125, [0.125]) for i in range(n)))


def test_a_rate_is_rejected_by_one_limit_and_accepted_by_all() -> None:
    both = Server(ttft_s=0.2, itl_s=0.2)
    assert broken_limit(both, answers(0, 400)) == ""
    assert keeps_limits_surely(both, answers(0, 400), 0.95) is True
    assert keeps_limits_surely(both, answers(0, 100), 0.95) is None, "299 requests are needed"
    assert broken_limit(both, answers(200, 400)) == "ttft"
    assert keeps_limits_surely(both, answers(200, 400), 0.95) is False
    slow_tokens = replace(both, itl_s=0.05)
    assert broken_limit(slow_tokens, answers(0, 400)) == "itl"
    assert keeps_limits_surely(slow_tokens, answers(0, 100), 0.95) is False


def test_several_limits_share_the_error_of_a_rejection() -> None:
    """16 or more of 100 are over the 90th percentile with a probability of 0.04."""
    one = Server(ttft_s=0.2, percentile=0.9)
    assert keeps_limits_surely(one, answers(16, 100), 0.95) is False
    assert keeps_limits_surely(replace(one, limit_s=9), answers(16, 100), 0.95) is None


def test_a_failed_request_breaks_every_limit() -> None:
    cut = replace(streamed(1.0, 0.1), error="stream ended early")
    run = run_of(streamed(0.0, 0.1), cut)
    assert broken_limit(Server(ttft_s=1), run) == "errors"
    assert keeps_limits_surely(Server(ttft_s=1), run, 0.95) is False


def test_limits_of_a_server() -> None:
    assert Server().limits_s == {"latency": 0.25}
    assert Server().limit == "99th percentile under 0.25 s"
    both = Soak(ttft_s=0.5, itl_s=0.05, precision=0.1, trial_s=1)
    assert both.limits_s == {"ttft": 0.5, "itl": 0.05}
    assert both.limit == "99th percentile of ttft under 0.5 s and itl under 0.05 s"
    assert both.trial_lasts_s == pytest.approx(5)
    assert Server(tpot_s=1, trial_s=2).trial_lasts_s == 2
    with pytest.raises(UserError, match=r"Server\(itl_s=0\): must be a number above 0"):
        Server(itl_s=0)
