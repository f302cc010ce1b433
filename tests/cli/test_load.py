"""`infperf load` on a server that shares no code with this package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_infperf.cli import load, main
from tests.endpoint_server import address

__all__ = ["address"]

SECRET = "tok-3f9a-secret"


@pytest.fixture
def bodies(tmp_path: Path) -> str:
    path = tmp_path / "bodies.jsonl"
    path.write_text('{"text": "a fine day"}\n\n{"text": "grey"}\n')
    return str(path)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([], "SingleStream"),
        (["--users", "2"], "users=2"),
        (["--rate", "30"], "rate=30"),
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
    assert f"{address}/secured under load {name}" in out
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
    assert "x 401" in err


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
