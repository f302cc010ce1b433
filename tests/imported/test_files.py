"""Result files of other load generators: their requests, and files that cannot be judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import UserError
from pytest_infperf.imported.files import read_runs
from pytest_infperf.imported.run import ServedRequest
from tests.imported.result_files import aiperf_lines, guidellm, vllm


def written(folder: Path, content: Any) -> Path:
    path = folder / "results.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_vllm(tmp_path: Path) -> None:
    [run] = read_runs(written(tmp_path, vllm(requests=3, failed=1)))
    assert (run.tool, run.load, run.model, run.failed) == (
        "vllm bench serve", "users=16", "m", 1,
    )  # fmt: skip
    assert run.requests[0] == ServedRequest(0.1 + 0.06, 10, 4, 0.1, [0.02, 0.02, 0.02], 100.0)
    assert len(run.requests) == 3


def test_vllm_without_a_limit_on_users_is_named_by_its_rate(tmp_path: Path) -> None:
    document = vllm(requests=3) | {"max_concurrency": None, "request_rate": "inf"}
    [run] = read_runs(written(tmp_path, document))
    assert run.load == "rate=inf"


def test_guidellm(tmp_path: Path) -> None:
    [run] = read_runs(written(tmp_path, guidellm(requests=3, failed=2)))
    assert (run.tool, run.load, run.failed) == ("GuideLLM", "users=4", 2)
    assert run.requests[1] == ServedRequest(0.16, 10, 4, 0.1, (), 101.0)


def test_aiperf(tmp_path: Path) -> None:
    [run] = read_runs(written(tmp_path, aiperf_lines(requests=3, failed=1)))
    assert (run.tool, run.load, run.failed) == ("AIPerf", "aiperf", 1)
    first = run.requests[0]
    assert first.latency_s == pytest.approx(0.16)
    assert first.first_token_s == pytest.approx(0.1)
    assert first.gaps_s == pytest.approx([0.02, 0.02, 0.02])
    assert (first.prompt_tokens, first.output_tokens, first.start_s) == (10, 4, 100.0)


def test_measures_of_a_run(tmp_path: Path) -> None:
    [run] = read_runs(written(tmp_path, vllm(requests=100, failed=25)))
    measured = run.measured(["ttft_p75@users=16"], 0.95)
    values = {name: measure.value for name, measure in measured.measures.items()}
    assert values["ttft_p75@users=16"] == pytest.approx(0.1)
    assert values["tpot_mean@users=16"] == pytest.approx(0.02)
    assert values["itl_p99@users=16"] == pytest.approx(0.02)
    assert values["latency_mean@users=16"] == pytest.approx(0.16)
    assert values["error_rate@users=16"] == pytest.approx(0.2)
    # the last of 100 requests, one a second, ends after 99.16 s
    assert values["throughput@users=16"] == pytest.approx(100 / 99.16)
    assert values["requests_per_hour@users=16"] == pytest.approx(3600 * 100 / 99.16)
    assert values["token_throughput@users=16"] == pytest.approx(400 / 99.16)


def test_a_file_without_start_times_has_no_rate(tmp_path: Path) -> None:
    document = vllm(requests=10)
    del document["start_times"]
    [run] = read_runs(written(tmp_path, document))
    measured = run.measured([], 0.95)
    assert "throughput@users=16" not in measured.measures
    assert "no start times" in measured.missing["token_throughput@users=16"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"request_throughput": 3.0}, "--save-detailed"),
        ({"time_to_first_token": {"avg": 1.0}}, "profile_export.jsonl"),
        ({"something": 1}, "is not a result file of"),
        ("{", r"results.json:1 is not JSON"),
        ({"benchmarks": [{"requests": {}}]}, "unexpected structure"),
    ],
)
def test_files_that_cannot_be_judged(tmp_path: Path, content: Any, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read_runs(written(tmp_path, content))


def test_a_run_whose_requests_all_failed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no request of users=16 was answered, 3 failed"):
        read_runs(written(tmp_path, vllm(requests=0, failed=3)))


def test_a_sample_of_the_requests_is_refused(tmp_path: Path) -> None:
    document = guidellm(requests=3)
    document["benchmarks"][0]["metrics"] = {"request_totals": {"successful": 500}}
    with pytest.raises(UserError, match="3 of 500 answered requests"):
        read_runs(written(tmp_path, document))


@pytest.mark.parametrize("time", [float("nan"), float("inf"), 0.0, -1.0])
def test_times_that_no_limit_can_judge(tmp_path: Path, time: float) -> None:
    document = vllm(requests=3)
    document["ttfts"][1] = time
    with pytest.raises(UserError, match="answered request 2 of users=16 has a time"):
        read_runs(written(tmp_path, document))


def test_two_runs_at_one_load_are_refused(tmp_path: Path) -> None:
    document = guidellm(requests=3)
    document["benchmarks"] *= 2
    with pytest.raises(UserError, match="several runs at one load"):
        read_runs(written(tmp_path, document))
