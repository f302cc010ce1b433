"""Addresses as variants: gates pass and fail by the results of the servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.endpoint_server import address
from tests.openai_server import openai_server
from tests.plugin.small_project import Outcome, Project
from tests.plugin.test_against import commit

__all__ = ["address"]

SECRET = "tok-3f9a-secret"
SUITE = """
    from pytest_infperf import Endpoint, Function, JsonTemplate, Suite, TextClassification

    def at(path, **settings):
        payload = JsonTemplate({{"text": "$input"}}, answer="result.label")
        settings.setdefault("decoding", {{"max_tokens": 512}})
        return Endpoint("{address}/" + path, payload=payload, **settings)

    suite = Suite(
        "reviews",
        task=TextClassification(data="reviews.csv", text="review", label="stars"),
        threads="best",
        baseline="production",
        variants=[{variants}],
    )
"""
REVIEWS = "review,stars\n" + "".join(
    f"a fine day {i},good\nit was grey {i},bad\n" for i in range(20)
)
LOCAL = """
    def load(folder, threads):
        def answer(texts):
            return ["good" if "fine" in text else "bad" for text in texts]
        answer.decoding = {"max_tokens": 512}
        return answer
"""
TESTS = """
    def test_latency(variant): variant.latency().check()
    def test_quality(variant): variant.quality(batch=4).check()
    def test_throughput(variant): variant.throughput(batch=4).check()
    def test_footprint(variant): variant.footprint().check()
"""


def write(project: Project, address: str, *variants: str) -> None:
    for name in ("suite.py", "test_echo.py"):
        (project.folder / "suites" / "echo" / name).unlink()
    project.suite(SUITE.format(address=address, variants=", ".join(variants)), "perf")
    project.write("perf/reviews.csv", REVIEWS)
    project.write("perf/local.py", LOCAL)
    project.tests(TESTS, "perf/test_reviews.py")


@pytest.fixture(scope="module")
def measured(address: str, tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Outcome:
    """Return a run of four addresses and a local variant. Do not change it."""
    project = Project(tmp_path_factory.mktemp("addresses"), tmp_path_factory.mktemp("cache"))
    write(
        project,
        address,
        'at("good?version=hidden", id="production")',
        'at("secured", id="canary", headers={"Authorization": "Bearer ${TOKEN}"})',
        'at("slow", id="slow")',
        'at("wrong", id="wrong")',
        'Function("local:load", id="local", threads=1)',
    )
    project.environment = {"TOKEN": SECRET}
    project.thresholds(
        """
        [reviews]
        baseline = "production"
        [reviews.gates]
        accuracy = { min = 90 }
        latency_p50 = { max = "1 s" }
        [reviews.variants.canary]
        accuracy = { max_drop = 5 }
        peak_memory = { max = "10 GB" }
        load_time = { max = "100 s" }
        [reviews.variants.slow]
        speedup = { min = 0.9 }
        [reviews.variants.local]
        speedup = { min = 1.5 }
        size = { max_ratio = 1.0 }
        """
    )
    return project.measure(
        "--infperf-full",
        "--benchmark-json=benchmark.json",
        "--infperf-html=page.html",
        "--infperf-timeout=60",
        "-v",
        budget_s=1,
    )


def test_gates_pass_and_fail_as_the_servers_deserve(measured: Outcome) -> None:
    outcomes = measured.outcomes()
    assert outcomes == {
        "test_latency[production]": "passed",
        "test_latency[canary]": "failed",  # a limit on load_time, which only a server knows
        "test_latency[slow]": "failed",
        "test_latency[wrong]": "passed",
        "test_latency[local]": "passed",
        "test_quality[production]": "passed",
        "test_quality[canary]": "passed",
        "test_quality[slow]": "passed",
        "test_quality[wrong]": "failed",
        "test_quality[local]": "passed",
        **{f"test_throughput[{i}]": "passed" for i in ("production", "canary", "slow", "wrong")},
        "test_throughput[local]": "passed",
        "test_footprint[production]": "skipped",
        "test_footprint[canary]": "failed",
        "test_footprint[slow]": "skipped",
        "test_footprint[wrong]": "skipped",
        "test_footprint[local]": "failed",
    }, measured.text


def verdicts(measured: Outcome, variant: str) -> dict[str, str]:
    gates = measured.record(variant, "reviews")["gates"]
    return {f"{gate['measure']} {gate['limit']}": gate["verdict"] for gate in gates}


def test_verdicts(measured: Outcome) -> None:
    assert verdicts(measured, "canary") == {
        'latency_p50 max = "1 s"': "pass",
        "accuracy max_drop = 5": "pass",
        'load_time max = "100 s"': "inconclusive",
        'peak_memory max = "10 GB"': "inconclusive",
    }
    assert verdicts(measured, "slow")["speedup min = 0.9"] == "fail"
    assert verdicts(measured, "wrong")["accuracy min = 90"] == "fail"
    assert verdicts(measured, "local")["speedup min = 1.5"] == "pass"
    assert verdicts(measured, "local")["size max_ratio = 1.0"] == "inconclusive"


def test_a_limit_on_what_only_the_server_knows_says_so(measured: Outcome) -> None:
    for test, name in (("latency", "load_time"), ("footprint", "peak_memory")):
        message = " ".join(measured.message(f"test_{test}[canary]").split())
        assert f"{name} was not measured" in message
        assert "canary is an endpoint, and its server cannot be observed" in message


def test_a_record_has_how_the_server_was_asked_and_nothing_of_the_client(
    measured: Outcome,
) -> None:
    record = measured.record("production", "reviews")
    recipe = record["settings"]["recipe"]
    assert recipe["url"].endswith("/good")
    assert (recipe["keep_alive"], recipe["http_version"]) == (True, "1.1")
    assert "threads" not in record["settings"]
    assert "model" not in record["settings"]
    assert {"latency_p50", "latency_first", "throughput", "accuracy"} <= {*record["measures"]}
    of_client = {
        "load_time", "model_time_p50", "cpu_time", "size", "peak_memory", "loaded_memory",
        "fused_operators", "cost_per_million",
    }  # fmt: skip
    assert of_client & {*record["measures"]} == set()


def test_no_secret_is_in_anything_that_a_run_writes(measured: Outcome) -> None:
    written = [path for path in measured.folder.rglob("*") if path.is_file()]
    assert {"infperf.json", "benchmark.json", "junit.xml"} <= {path.name for path in written}
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in measured.text
    for variant in ("production", "canary"):
        assert "hidden" not in str(measured.record(variant, "reviews"))


def test_a_server_that_does_not_answer_fails_each_test(project: Project, address: str) -> None:
    paths = ("error", "html", "moved", "hangs")
    variants = [f'at("{path}", id="{path}", timeout_s=0.5)' for path in paths]
    write(project, address, 'at("good", id="production")', *variants)
    result = project.measure("-k", "throughput")
    outcomes = {f"test_throughput[{path}]": "error" for path in paths}
    assert result.outcomes() == {"test_throughput[production]": "passed", **outcomes}
    for path, said in zip(
        paths,
        (
            "answered with status 500",
            "answered with status 200 and no JSON",
            "redirects to /good (status 307): measure that address",
            "did not answer within 0.5 s",
        ),
        strict=True,
    ):
        assert f"{address}/{path} {said}" in result.message(f"test_throughput[{path}]")


def test_a_variable_that_is_not_set_is_named(project: Project, address: str) -> None:
    write(project, address, 'at("good", id="production", headers={"X": "${NOT_SET_HERE}"})')
    result = project.measure("-k", "latency")
    assert result.ret != 0
    assert "the environment variable NOT_SET_HERE" in result.words


def test_two_revisions_of_an_address_cannot_be_compared(project: Project, address: str) -> None:
    write(project, address, 'at("good", id="production")')
    project.thresholds('[reviews.gates]\nregression = { max = "5 %" }\n')
    commit(project)
    result = project.measure("--infperf-against=HEAD", "-k", "latency")
    assert result.outcomes() == {"test_latency[production]": "failed"}
    assert "it is an endpoint, which is the same at both revisions" in result.words


def test_addresses_that_do_not_say_how_they_decode(project: Project, address: str) -> None:
    write(
        project,
        address,
        'at("good", id="production", decoding={})',
        'at("one", id="canary", decoding={})',
        'Function("local:load", id="local", threads=1)',
    )
    result = project.measure("-k", "quality")
    assert result.outcomes() == {
        "test_quality[production]": "passed",
        "test_quality[canary]": "passed",
        "test_quality[local]": "failed",
    }
    assert "production does not say how it decodes" in result.words


OWN_PAYLOAD = """
    import logging

    from pydantic import BaseModel
    from pytest_infperf import Endpoint, PydanticPayload, Suite, TextClassification

    logging.basicConfig(level=logging.DEBUG)

    class Review(BaseModel):
        text: str

    class Result(BaseModel):
        label: str

    class Answer(BaseModel):
        result: Result

    def ask(text):
        return Review(text=text)

    def label(answer):
        return answer.result.label

    payload = PydanticPayload(Review, Answer, to_request=ask, to_output=label)
    key = {{"X-Key": "${{TOKEN}}"}}
    suite = Suite(
        "reviews",
        task=TextClassification(data="reviews.csv", text="review", label="stars"),
        variants=[
            Endpoint("{address}/good", payload=payload, id="production", headers=key),
            Endpoint("{address}/error?${{TOKEN}}", payload=payload, id="broken", headers=key),
        ],
    )
"""


def test_a_custom_payload_in_the_suite(project: Project, address: str) -> None:
    write(project, address)
    project.suite(OWN_PAYLOAD.format(address=address), "perf")
    project.environment = {"TOKEN": SECRET}
    result = project.measure("-k", "quality", "-s")
    assert result.outcomes() == {
        "test_quality[production]": "passed",
        "test_quality[broken]": "error",
    }
    assert result.record("production", "reviews")["measures"]["accuracy"]["value"] == 100
    written = [path for path in project.folder.rglob("*") if path.is_file()]
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in result.text


LOADS = """
    import pytest

    @pytest.mark.parametrize("load", ["users=2", "rate=20"])
    def test_load(variant, load): variant.load(load).check()
"""


def test_loads_on_addresses(project: Project, address: str) -> None:
    """Answers take long enough for a generator that a busy host delays by about 30 ms."""
    bearer = 'headers={"Authorization": "Bearer ${TOKEN}"}'
    write(
        project,
        address,
        f'at("secured?wait_s=0.3", id="production", {bearer})',
        'at("secured?key=${TOKEN}", id="refused")',
    )
    suite = project.folder / "perf" / "suite.py"
    text = suite.read_text().replace("import Endpoint", "import ClosedLoop, OpenLoop, Endpoint")
    loads = "ClosedLoop(2, seconds=2.5), OpenLoop(20.0, seconds=1)"
    suite.write_text(text.replace("threads=", f"loads=[{loads}],\n    threads="))
    project.tests(LOADS, "perf/test_reviews.py")
    project.environment = {"TOKEN": SECRET, "INFPERF_INSTANCE": "c7i.large"}
    project.thresholds(
        """
        [reviews.gates]
        error_rate.at."users=2" = { max = 0 }
        error_rate.at."rate=20" = { max = 0 }
        peak_memory.at."rate=20" = { max = "10 GB" }
        latency_p50.at."users=2" = { max = "5 s" }
        """
    )
    run = project.measure("--infperf-html=page.html", "-k", "load")
    production = run.record("production", "reviews")
    verdicts = {f"{g['measure']} {g['limit']}": g["verdict"] for g in production["gates"]}
    assert verdicts == {
        "error_rate@users=2 max = 0": "pass",
        'latency_p50@users=2 max = "5 s"': "pass",
        "error_rate@rate=20 max = 0": "pass",
        'peak_memory@rate=20 max = "10 GB"': "inconclusive",
    }, run.text
    assert production["settings"].get("serving") is None
    measures = production["measures"]
    assert measures["requests_per_hour@users=2"]["value"] > 0
    of_the_server = ("cpu_usage", "peak_memory", "energy", "estimated_energy", "cost_per_million")
    assert [name for name in measures if name.startswith(of_the_server)] == []
    assert "its server cannot be observed from this host" in run.words
    assert "/secured answered with status 401" in run.words, "the header is missing"
    written = [path for path in run.folder.rglob("*") if path.is_file()]
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in run.text


GENERATION = """
    from pytest_infperf import Endpoint, OpenAIChat, OpenAICompletions, Suite, TextGeneration

    whole = OpenAICompletions("tiny", stream=False)
    suite = Suite(
        "assistant",
        task=TextGeneration(data="prompts.jsonl", max_new_tokens=8),
        variants=[
            Endpoint("{url}/chat/completions", payload=OpenAIChat("tiny"), id="streamed"),
            Endpoint("{url}/completions", payload=whole, id="whole"),
        ],
    )
"""
GENERATION_TESTS = """
    def test_latency(variant): variant.latency().check()
    def test_quality(variant): variant.quality(batch=2).check()
    def test_throughput(variant): variant.throughput(batch=2).check()
"""


def test_times_of_tokens_of_servers_without_a_model_here(project: Project) -> None:
    write(project, "")
    prompts = [f'{{"prompt": "Say hello {i}", "reference": "Hello there"}}\n' for i in range(40)]
    project.write("perf/prompts.jsonl", "".join(prompts))
    project.tests(GENERATION_TESTS, "perf/test_assistant.py")
    (project.folder / "perf" / "test_reviews.py").unlink()
    project.thresholds(
        """
        [assistant.gates]
        exact_match = { min = 90 }
        token_throughput = { min = 1 }
        [assistant.variants.streamed]
        ttft_p50 = { max = "5 s" }
        tpot_p50 = { max = "5 s" }
        output_tokens_rate = { min = 1 }
        [assistant.variants.whole]
        itl_p50 = { max = "5 s" }
        """
    )
    with openai_server() as server:
        server.pause_s = 0.005
        project.suite(GENERATION.format(url=server.url), "perf")
        run = project.measure("perf", budget_s=1)
    assert run.outcomes() == {
        "test_latency[streamed]": "passed",
        "test_quality[streamed]": "passed",
        "test_throughput[streamed]": "passed",
        "test_latency[whole]": "failed",
        "test_quality[whole]": "passed",
        "test_throughput[whole]": "passed",
    }, run.text
    record = run.record("streamed", "assistant")
    values = {name: measure["value"] for name, measure in record["measures"].items()}
    assert values["ttft_mean"] >= 0.01, "the role comes first, after 5 ms"
    assert values["itl_p50"] >= 0.005
    # three of the four tokens come after the first piece
    assert values["tpot_mean"] == pytest.approx((values["latency_mean"] - values["ttft_mean"]) / 3)
    assert values["output_tokens_rate"] == pytest.approx(4 / values["latency_mean"])
    assert record["settings"]["decoding"] == {"beams": 1, "max_new_tokens": 8}
    assert "the backend returns whole outputs" in run.message("test_latency[whole]")
    assert values["exact_match"] == 100
