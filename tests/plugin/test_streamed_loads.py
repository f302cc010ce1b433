"""Times of tokens under loads, as a user of an OpenAI-compatible server sees them."""

from __future__ import annotations

import pytest

from pytest_infperf import Echo, Fake, Suite, TextGeneration
from pytest_infperf.errors import UserError
from pytest_infperf.run.suite_server import SuiteServer
from pytest_infperf.serving.load.generators import Target
from tests.plugin.small_project import Project
from tests.token_server import TokenServer, token_server

__all__ = ["token_server"]

SUITE = """
    from pytest_infperf import Endpoint, JsonTemplate, OpenAICompletions, Server, SingleStream
    from pytest_infperf import Suite, TextGeneration

    suite = Suite(
        "chat",
        task=TextGeneration(data="prompts.jsonl", max_new_tokens=4),
        variants=[
            Endpoint("{url}/v1/completions", payload=OpenAICompletions("tiny"), id="streamed"),
            Endpoint(
                "{url}/v1/completions",
                payload=JsonTemplate({{"prompt": "$input"}}, answer="choices[0].text"),
                id="whole",
            ),
        ],
        loads=[
            SingleStream(seconds=2),
            Server(ttft_s=10, itl_s=0.001, trial_s=0.5, seconds=0.5, precision=0.9),
        ],
    )
"""


@pytest.fixture
def chat(project: Project, token_server: TokenServer) -> Project:
    for name in ("suite.py", "test_echo.py"):
        (project.folder / "suites" / "echo" / name).unlink()
    project.suite(SUITE.format(url=token_server.url), "perf")
    lines = [f'{{"prompt": "once {i}", "reference": "upon"}}\n' for i in range(20)]
    project.write("perf/prompts.jsonl", "".join(lines))
    return project


def test_times_of_tokens_under_a_load(chat: Project) -> None:
    chat.tests("def test_load(variant): variant.load('SingleStream').check()", "perf/test_chat.py")
    chat.thresholds(
        """
        [chat.gates]
        error_rate.at."SingleStream" = { max = 0 }
        ttft_p50.at."SingleStream" = { max = "10 s" }
        itl_p75.at."SingleStream" = { max = "1 ms" }
        output_tokens_rate.at."SingleStream" = { min = 1 }
        """
    )
    outcome = chat.measure()
    assert outcome.outcomes() == {"test_load[streamed]": "failed", "test_load[whole]": "failed"}
    record = outcome.record("streamed", "chat")
    verdicts = {gate["measure"]: gate["verdict"] for gate in record["gates"]}
    assert verdicts == {
        "error_rate@SingleStream": "pass",
        "ttft_p50@SingleStream": "pass",
        "itl_p75@SingleStream": "fail",
        "output_tokens_rate@SingleStream": "pass",
    }, outcome.text
    measures = record["measures"]
    assert measures["token_throughput@SingleStream"]["value"] > 0
    assert measures["ttft_mean@SingleStream"]["value"] >= 0.019
    assert (
        measures["latency_mean@SingleStream"]["value"] > measures["ttft_mean@SingleStream"]["value"]
    )
    tokens = record["evidence"]["loads"]["SingleStream"]["tokens"]
    answered = record["evidence"]["loads"]["SingleStream"]["answered"]
    assert (tokens["prompt"], tokens["output"]) == (7 * answered, 4 * answered)
    assert "TTFT p50" in outcome.text
    whole = {gate["measure"]: gate for gate in outcome.record("whole", "chat")["gates"]}
    assert whole["error_rate@SingleStream"]["verdict"] == "pass"
    for name in (
        "ttft_p50@SingleStream",
        "itl_p75@SingleStream",
        "output_tokens_rate@SingleStream",
    ):
        assert whole[name]["verdict"] == "inconclusive"
        assert (
            "requests of whole are not streamed: use a payload of OpenAI's API"
            in (whole[name]["remedy"])
        )


def test_the_highest_rate_under_limits_on_tokens(chat: Project) -> None:
    chat.tests("def test_load(variant): variant.load('Server').check()", "perf/test_chat.py")
    outcome = chat.measure()
    assert outcome.outcomes() == {"test_load[streamed]": "passed", "test_load[whole]": "failed"}
    measures = outcome.record("streamed", "chat")["measures"]
    assert measures["highest_rate@Server"]["value"] == 0
    assert "the first limit to break: itl, by requests one after another" in outcome.words
    assert "a limit on ttft cannot be judged: requests of whole are not streamed" in outcome.words


def target_of(suite: Suite, prompts: list[object], payload: str = "") -> Target:
    """Return the destination of a load on a server of the suite."""
    server = SuiteServer(suite, *[None] * 5)  # type: ignore[arg-type]
    whole = Target("http://x", "/v1/models/chat:predict", [b"{}"], 1, 1.0, None)
    return server._streamed(whole, [[prompt] for prompt in prompts], payload)


GENERATING = Suite(
    "chat", task=TextGeneration(data="x.csv", max_new_tokens=4), model="m", variants=[Fake()]
)


def test_requests_to_a_server_of_text_generation() -> None:
    texts = target_of(GENERATING, ["once", "twice"])
    assert (texts.path, texts.streams) == ("/v1/completions", True)
    assert texts.bodies[1] == (
        b'{"model": "chat", "prompt": "twice", "max_tokens": 4, "stream": true, '
        b'"stream_options": {"include_usage": true}}'
    )
    messages = [{"role": "user", "content": "once"}]
    chats = target_of(GENERATING, [messages])
    assert chats.path == "/v1/chat/completions"
    assert b'"messages": [{"role": "user", "content": "once"}]' in chats.bodies[0]
    with pytest.raises(UserError, match="Make all prompts texts, or all of them chats"):
        target_of(GENERATING, ["once", messages])


def test_requests_that_are_not_streamed_have_a_reason() -> None:
    payload = target_of(GENERATING, ["once"], "listings")
    assert not payload.streams
    assert payload.whole_because == (
        "requests of the payload listings are not streamed: omit payload="
    )
    echo = Suite("echo", task=Echo(), model="m", variants=[Fake()])
    assert target_of(echo, ["once"]).whole_because == "a server of Echo returns whole responses"
