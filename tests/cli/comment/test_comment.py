"""The comment on a pull request, with servers that simulate GitHub and GitLab."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_infperf import cli
from pytest_infperf.cli.comment import posting
from pytest_infperf.records import file as record_file
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord, Record, RunRecord, Verdict
from tests.cli.comment.platform_server import TOKEN, Platform, serving

MARKER = "<!-- pytest-infperf: results -->"


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "GITLAB_CI", "GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_EVENT_PATH", "GITHUB_TOKEN",
        "GITLAB_TOKEN", "GITHUB_SERVER_URL", "GITHUB_RUN_ID", "CI_JOB_URL", "GITHUB_API_URL",
        "CI_MERGE_REQUEST_IID", "CI_MERGE_REQUEST_PROJECT_ID",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    measures = {
        "latency_p50": Measure(0.012, "s", 0.0119, 0.0121, 500),
        "regression": Measure(0.061, "fraction", 0.05, 0.072, 40),
    }
    gate = GateRecord(
        "regression", "max = 0.02", Verdict.FAIL, "regression 6.10 % is above 2 %", "", "t.toml:7"
    )
    run = RunRecord(
        {"instance_type": "c7i.large"},
        {"commit": "a" * 40},
        [Record("reviews", "onnx", measures, [gate])],
        against={"name": "main", "commit": "b" * 40},
    )
    path = tmp_path / "record.json"
    record_file.write(path, run)
    return path


@pytest.fixture(params=["github", "gitlab"])
def platform(
    request: pytest.FixtureRequest, record: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    monkeypatch.setattr(posting, "WAITS_S", (0.0, 0.0))
    with serving(request.param) as server:
        (record.parent / "event.json").write_text('{"pull_request": {"number": 7}}')
        variables = {
            "github": {
                "GITHUB_REPOSITORY": "shop/search",
                "GITHUB_API_URL": server.url,
                "GITHUB_EVENT_PATH": str(record.parent / "event.json"),
                "GITHUB_TOKEN": TOKEN,
            },
            "gitlab": {
                "GITLAB_CI": "true",
                "CI_API_V4_URL": server.url,
                "CI_PROJECT_ID": "42",
                "CI_MERGE_REQUEST_IID": "7",
                "GITLAB_TOKEN": TOKEN,
            },
        }
        for name, value in variables[server.kind].items():
            monkeypatch.setenv(name, value)
        yield server


def test_the_verdict_comes_first_then_the_limits_then_the_tables(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "https://ci.example.org/report.html"
    assert cli.main(["comment", "record.json", "--dry-run", "--report-url", url]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:9] == [
        MARKER,
        "## ❌ Inference: 1 limit is broken",
        "",
        "On c7i.large, against main, at aaaaaaaaaa.",
        "",
        "- ❌ **FAIL** reviews\\[onnx\\] regression 6.10 % is above 2 % (t.toml:7)",
        "- 🐢 reviews\\[onnx\\] is slower by \\+6.10 % \\[\\+5.00 %, \\+7.20 %\\]",
        "",
        "<details><summary>Results</summary>",
    ]
    assert shown[-3:] == ["</details>", "", f"[Report]({url})"]


def test_a_comment_is_created_once_and_then_updated(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.add("please look at the numbers")
    assert cli.main(["comment", "record.json"]) == 0
    assert cli.main(["comment", "record.json", "--report-url", "https://example.org/two"]) == 0
    assert len(platform.comments) == 2
    assert platform.comments[0]["body"] == "please look at the numbers"
    assert platform.comments[1]["body"].startswith(f"{MARKER}\n## ❌")
    assert "example.org/two" in platform.comments[1]["body"]
    url = {
        "github": "https://example.org/pull/7#2",
        "gitlab": f"{platform.url}/projects/42/merge_requests/7/notes/2",
    }[platform.kind]
    assert capsys.readouterr().out == f"comment: {url}\n" * 2


@pytest.mark.parametrize("platform", ["gitlab"], indirect=True)
def test_a_fork_comments_in_the_project_of_the_merge_request(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_PROJECT_ID", "43")
    monkeypatch.setenv("CI_MERGE_REQUEST_PROJECT_ID", "42")
    assert cli.main(["comment", "record.json"]) == 0
    assert len(platform.comments) == 1


def test_each_name_has_its_own_comment(platform: Platform) -> None:
    for name in ("c7i", "c7i.large", "c7i"):
        assert cli.main(["comment", "record.json", "--name", name]) == 0
    assert [comment["body"].partition("\n")[0] for comment in platform.comments] == [
        "<!-- pytest-infperf: c7i -->",
        "<!-- pytest-infperf: c7i.large -->",
    ]


def test_the_comment_is_found_on_a_later_page(platform: Platform) -> None:
    for number in range(230):
        platform.add(f"comment {number}")
    platform.add(f"{MARKER}\nold")
    assert cli.main(["comment", "record.json"]) == 0
    assert len(platform.comments) == 231
    assert "1 limit is broken" in platform.comments[-1]["body"]


def test_a_comment_of_somebody_else_is_left_alone(platform: Platform) -> None:
    foreign = platform.add(f"{MARKER}\n## ✅ fine", {"id": 99, "type": "User"})
    assert cli.main(["comment", "record.json"]) == 0
    assert foreign["body"].endswith("fine")
    assert len(platform.comments) == 2


@pytest.mark.parametrize("platform", ["github"], indirect=True)
def test_the_token_of_a_job_updates_the_comment_of_its_bot(platform: Platform) -> None:
    platform.owner = None
    platform.add(f"{MARKER}\n## ✅ fine", {"id": 99, "type": "User"})
    for _ in range(2):
        assert cli.main(["comment", "record.json"]) == 0
    assert len(platform.comments) == 2
    assert "broken" in platform.comments[1]["body"]


def test_temporary_failures_are_tried_again(platform: Platform) -> None:
    platform.failures = [("GET", 502, {}, {}), ("GET", 429, {"Retry-After": "0"}, {})]
    assert cli.main(["comment", "record.json"]) == 0
    assert len(platform.comments) == 1


def test_a_comment_that_was_created_before_a_failure_is_updated(platform: Platform) -> None:
    platform.creates_and_fails = True
    assert cli.main(["comment", "record.json"]) == 0
    assert len(platform.comments) == 1


def test_the_last_failure_is_reported(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.failures = [("GET", 503, {}, {})] * 3
    assert cli.main(["comment", "record.json"]) == 2
    assert "/user returned 503, in 3 attempts" in capsys.readouterr().err


def test_a_token_that_can_only_read_is_an_error_unless_best_effort_is_asked_for(
    platform: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = ("POST", 403, {}, {"message": f"not accessible with {TOKEN}"})
    platform.failures = [refused]
    assert cli.main(["comment", "record.json"]) == 2
    message = capsys.readouterr().err
    assert "returned 403 (not accessible with ***)" in message
    assert "may not write comments" in message
    platform.failures = [refused]
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert cli.main(["comment", "record.json", "--best-effort"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("::warning title=infperf comment::")
    assert "infperf comment: warning:" in shown.err
    assert TOKEN not in message + shown.out + shown.err
    assert not platform.comments


@pytest.mark.parametrize(("status", "remedy"), [(401, "is not valid"), (404, "does not exist")])
def test_other_refusals_have_a_remedy(
    status: int, remedy: str, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.failures = [("POST", status, {}, {})]
    assert cli.main(["comment", "record.json"]) == 2
    assert remedy in capsys.readouterr().err


def test_an_unreachable_platform_is_reported_without_the_token(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("GITHUB_API_URL", "CI_API_V4_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert cli.main(["comment", "record.json"]) == 2
    message = capsys.readouterr().err
    assert "failed (ConnectError)" in message
    assert TOKEN not in message


@pytest.mark.parametrize("end", ["\n", " ", "\r\n"])
def test_a_token_with_a_line_break_at_its_end_is_read(
    end: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_TOKEN", "GITLAB_TOKEN"):
        monkeypatch.setenv(name, TOKEN + end)
    assert cli.main(["comment", "record.json"]) == 0
    assert len(platform.comments) == 1


@pytest.mark.parametrize("token", ["half\nsecret", "sécret", "two secrets"])
def test_a_token_that_no_header_takes_is_named_and_not_shown(
    token: str,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("GITHUB_TOKEN", "GITLAB_TOKEN"):
        monkeypatch.setenv(name, token)
    assert cli.main(["comment", "record.json"]) == 2
    message = capsys.readouterr().err
    assert "_TOKEN has a character that no token has" in message
    assert "cret" not in message.replace("the secret", "")
    assert not platform.requests


def test_a_token_at_the_cut_of_a_long_message_is_hidden(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.failures = [("POST", 422, {}, {"message": f"{'x' * 190} {TOKEN}"})]
    assert cli.main(["comment", "record.json"]) == 2
    assert TOKEN[:6] not in capsys.readouterr().err


def test_an_answer_that_cannot_be_decoded_is_reported(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.failures = [("GET", 200, {"Content-Encoding": "gzip"}, {})] * 3
    assert cli.main(["comment", "record.json"]) == 2
    assert "failed (DecodingError), in 3 attempts" in capsys.readouterr().err


def test_a_redirect_is_not_followed(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.failures = [("GET", 301, {"Location": f"{platform.url}/elsewhere"}, {})]
    assert cli.main(["comment", "record.json"]) == 2
    assert "/user returned 301" in capsys.readouterr().err
    assert len(platform.requests) == 1


def test_an_address_without_a_scheme_is_reported_at_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("GITHUB_API_URL", "CI_API_V4_URL"):
        monkeypatch.setenv(name, "api.example.org")
    assert cli.main(["comment", "record.json"]) == 2
    assert "is not possible (UnsupportedProtocol)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("platform", "variable", "words"),
    [
        ("github", "GITHUB_TOKEN", "GITHUB_TOKEN is not set"),
        ("github", "GITHUB_EVENT_PATH", "does not run for a pull request"),
        ("gitlab", "GITLAB_TOKEN", "CI_JOB_TOKEN cannot write comments"),
        ("gitlab", "CI_MERGE_REQUEST_IID", "does not run for a merge request"),
    ],
    indirect=["platform"],
)
def test_a_missing_variable_is_named(
    platform: Platform,
    variable: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv(variable)
    assert cli.main(["comment", "record.json"]) == 2
    assert words in capsys.readouterr().err
    assert cli.main(["comment", "record.json", "--best-effort"]) == 0
    assert words in capsys.readouterr().err
    assert not platform.requests


def test_without_httpx_the_extra_is_named(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    assert cli.main(["comment", "record.json"]) == 2
    assert "pip install 'pytest-infperf[comment]'" in capsys.readouterr().err


def test_outside_ci_the_comment_can_only_be_printed(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["comment", "record.json"]) == 2
    assert "--dry-run" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a --> b", "", "a\nb", "a--b"])
def test_a_name_cannot_end_the_marker(
    name: str, record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["comment", "record.json", "--dry-run", "--name", name]) == 2
    assert "--name" in capsys.readouterr().err


def test_against_a_saved_run_lists_what_changed(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(record.read_text())
    measure = document["records"][0]["measures"]["latency_p50"]
    measure.update(value=0.010, low=0.0099, high=0.0101)
    Path("old.json").write_text(json.dumps(document))
    assert cli.main(["comment", "record.json", "--against", "old.json", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "UTC\\): 1 measure is worse." in shown
    assert "For a verdict, measure both revisions in one run" in shown
    [row] = [line for line in shown.splitlines() if "| latency\\_p50 |" in line]
    assert "| 10 ms | 12 ms | \\+20.0 % \\[" in row
    assert row.endswith("| worse |")
    assert cli.main(["comment", "old.json", "record.json", "--against", "old.json"]) == 2


def test_against_a_saved_run_shows_a_lower_quality_and_no_percentile(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(record.read_text())
    [one] = document["records"]
    one["evidence"].update(quality_metric="accuracy", quality_higher_is_better=True)
    one["evidence"]["signatures"] = {"accuracy": "same"}
    one["measures"]["accuracy"] = {"value": 35.0, "unit": "points", "low": 35.0, "high": 35.0}
    one["measures"]["latency_p95"] = {"value": 9.0, "unit": "s", "low": 9.0, "high": 9.0}
    record.write_text(json.dumps(document))
    one["measures"]["accuracy"].update(value=87.0, low=87.0, high=87.0)
    one["measures"]["latency_p95"].update(value=1.0, low=1.0, high=1.0)
    Path("old.json").write_text(json.dumps(document))
    assert cli.main(["comment", "record.json", "--against", "old.json", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "UTC\\): 1 measure is worse." in shown
    [row] = [line for line in shown.splitlines() if line.endswith("| worse |")]
    assert "| accuracy |" in row
    assert "-52.00" in row
    assert "latency\\_p95" not in shown


def test_against_a_run_without_a_common_variant_says_that_nothing_was_compared(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(record.read_text())
    document["records"][0]["variant"] = "renamed"
    Path("old.json").write_text(json.dumps(document))
    assert cli.main(["comment", "record.json", "--against", "old.json", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "UTC\\): no measure could be compared." in shown


def test_names_mention_nobody(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(record.read_text())
    document["records"][0]["variant"] = "@team <!-- x"
    document["records"][0]["measures"]["latency_p50@users=4"] = {"value": 1, "unit": "s"}
    record.write_text(json.dumps(document))
    assert cli.main(["comment", "record.json", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "@team" not in shown
    assert "@<!-- -->team &lt;\\!--" in shown


def test_a_long_comment_is_shortened(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(record.read_text())
    [one] = document["records"]
    document["records"] = [{**one, "variant": f"v{i}"} for i in range(2000)]
    record.write_text(json.dumps(document))
    assert cli.main(["comment", "record.json", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert len(shown) <= 65_536
    assert "## ❌ Inference: 2000 limits are broken" in shown
    assert "The tables are too long for a comment." in shown


def test_a_record_without_results_is_refused(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record_file.write(record, RunRecord({}, None))
    assert cli.main(["comment", "record.json", "--dry-run"]) == 2
    assert "this file has no records" in capsys.readouterr().err
