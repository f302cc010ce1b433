"""`infperf load` on a server that shares no code with this package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_infperf.cli import load, main
from tests.endpoint_server import address
from tests.token_server import TokenServer, token_server

__all__ = ["address", "token_server"]

SECRET = "tok-3f9a-secret"


@pytest.fixture
def bodies(tmp_path: Path) -> str:
    path = tmp_path / "bodies.jsonl"
    path.write_text('{"text": "a fine day"}\n\n{"text": "grey"}\n')
    return str(path)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([], "one request after another"),
        (["--users", "2"], "2 users"),
        (["--rate", "30"], "30 requests/s at random times"),
    ],
)
def test_a_load_on_an_address(
    address: str,
    bodies: str,
    options: list[str],
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    header = ["--header", "Authorization: Bearer ${TOKEN}"]
    url = f"{address}/secured?key=${{TOKEN}}"
    assert main(["load", url, "--bodies", bodies, "--seconds", "1", *header, *options]) == 0
    out, err = capsys.readouterr()
    assert f"{address}/secured: {name}\n" in out
    assert f"infperf load: {name} for 1 s\n" in err
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert {"latency_p99", "requests_per_hour", "error_rate"} <= rows.keys()
    assert rows["error_rate"].split()[1:3] == ["0.00", "%"]
    assert "errors: none" in out
    assert not {"cpu_usage", "peak_memory"} & rows.keys()
    assert SECRET not in out + err


def test_a_server_that_answers_nothing(
    address: str, bodies: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", f"{address}/secured", "--bodies", bodies, "--seconds", "1"]) == 1
    assert "the server answered none of" in (err := capsys.readouterr().err)
    assert 'x 401. A response begins with: {"detail":"who are you?"}' in err


def test_the_text_of_a_refusal_without_the_secrets_in_it(
    address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    path = tmp_path / "bodies.jsonl"
    path.write_text(json.dumps({"text": "a fine day"}) + "\n" + json.dumps({"text": SECRET}) + "\n")
    url = f"{address}/fine?key=${{TOKEN}}"
    assert main(["load", url, "--bodies", str(path), "--seconds", "1"]) == 0
    out = capsys.readouterr().out
    assert 'the first response with an error begins with: {"detail":"not fine: ***' in out
    assert out.split("begins with: ")[1].splitlines()[0].endswith("xxx...")
    assert " x HTTP 422" in out
    assert SECRET not in out


def test_the_search_says_its_steps_and_that_no_rate_is_kept(
    address: str, bodies: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each answer takes 50 ms."""
    options = ["--bodies", bodies, "--seconds", "1", "--limit", "20 ms", "--percentile", "90"]
    assert main(["load", f"{address}/slow", *options]) == 0
    out, err = capsys.readouterr()
    aim = "90 % of the requests are answered within 20 ms"
    assert err == (
        f"infperf load: searching for the highest rate at which {aim}: usually 5 to 9 rates are "
        "tried for 4 s each, then the result for 1 s: about 36 s in all\n"
    )
    assert f"there is no rate at which {aim} without errors, not even one after another" in out


def test_the_steps_of_a_search(capsys: pytest.CaptureFixture[str]) -> None:
    report = load._progress("a plan")
    report("at 3 requests/s")
    report("")
    assert capsys.readouterr().err == (
        "infperf load: a plan\ninfperf load: after 0 s: at 3 requests/s\n"
    )


def test_a_line_of_a_body_ends_at_a_line_feed_alone(tmp_path: Path) -> None:
    """JSON permits U+2028 and U+0085 in strings."""
    path = tmp_path / "bodies.jsonl"
    path.write_text('\ufeff{"a": "x\u2028y\x85"}\r\n{"a": 1}\n', "utf-8", newline="")
    assert [json.loads(body) for body in load._bodies(path)] == [{"a": "x\u2028y\x85"}, {"a": 1}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n{"a": \n', r"bodies.jsonl:2 is not JSON: "),
        ("\n", "the file contains no request body"),
    ],
)
def test_bodies_that_cannot_be_sent(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bodies.jsonl"
    path.write_text(text)
    assert main(["load", "http://127.0.0.1:9/a", "--bodies", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_a_variable_that_is_not_set_and_a_wrong_header(
    bodies: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    url = ["load", "http://127.0.0.1:9/a", "--bodies", bodies]
    assert main([*url, "--header", "X: ${TOKEN}"]) == 2
    assert "the environment variable TOKEN in headers['X'] is not set" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*url, "--header", "nothing"])
    assert "'nothing' is not a header: write NAME:VALUE" in capsys.readouterr().err


def test_requests_that_are_too_large_have_a_remedy(
    address: str, bodies: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", f"{address}/small", "--bodies", bodies, "--seconds", "1"]) == 1
    assert (
        "x 413: the largest has 22 bytes, which is more than the server accepts. Send fewer "
        "samples per request, or raise the server's limit with Serving(max_body_bytes=...) or "
        "infperf serve --max-body-bytes"
    ) in capsys.readouterr().err


@pytest.fixture
def prompts(tmp_path: Path) -> str:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"model": "tiny", "prompt": "once"}\n')
    return str(path)


def test_streamed_responses(
    token_server: TokenServer, prompts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{token_server.url}/v1/completions"
    assert main(["load", url, "--bodies", prompts, "--seconds", "1", "--stream"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert {"ttft_p99", "itl_p50", "tpot_mean", "output_tokens_rate", "token_throughput"} <= {*rows}
    assert "errors: none" in out
    assert all(body["stream"] for _, body in token_server.requests)


def test_a_server_that_ignores_the_stream_is_named(
    token_server: TokenServer, prompts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    token_server.streams = False
    url = f"{token_server.url}/v1/completions"
    assert main(["load", url, "--bodies", prompts, "--seconds", "1", "--stream"]) == 0
    out = capsys.readouterr().out
    assert "times of tokens that are missing: the server did not stream " in out
    assert "ttft_p99" not in out
    assert main(["load", url, "--bodies", prompts, "--seconds", "1", "--ttft", "1 s"]) == 1
    err = capsys.readouterr().err
    assert "a limit on ttft cannot be judged: the server did not stream 30 of 30 responses" in err


def test_limits_on_times_of_tokens(
    token_server: TokenServer, prompts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first token takes 20 ms, and so do the others: the limit on them is broken at once."""
    url = f"{token_server.url}/v1/completions"
    limits = ["--ttft", "10 s", "--itl", "5 ms", "--percentile", "90"]
    assert main(["load", url, "--bodies", prompts, "--seconds", "1", *limits]) == 0
    out, err = capsys.readouterr()
    aim = (
        "90 % of the requests have their first token within 10 s and 90 % of the tokens come "
        "within 5 ms of the one before"
    )
    assert f"searching for the highest rate at which {aim}: usually" in err
    assert "are tried for at least 100 s each" in err
    assert f"there is no rate at which {aim} without errors" in out
    assert "the first limit to break: itl, by requests one after another" in out


def test_limits_on_tokens_and_a_fixed_load_exclude_each_other(
    prompts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = ["load", "http://127.0.0.1:9/v1/completions", "--bodies", prompts]
    assert main([*url, "--users", "2", "--itl", "50 ms"]) == 2
    assert "--ttft, --tpot and --itl are limits of a search" in capsys.readouterr().err
