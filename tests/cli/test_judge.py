"""`infperf judge`: limits on the results of other load generators."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pytest_infperf import cli
from pytest_infperf.records.file import read
from tests.imported.result_files import vllm


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results.json").write_text(json.dumps(vllm(requests=600, failed=2)))
    return tmp_path


def judge(*arguments: str) -> int:
    return cli.main(["judge", "results.json", "--suite", "chat", "--variant", "fp8", *arguments])


def limits(text: str) -> None:
    Path("thresholds.toml").write_text(f"schema = 1\n[chat.gates]\n{text}\n")


def test_limits_that_are_met(capsys: pytest.CaptureFixture[str]) -> None:
    limits(
        'ttft_p99.at."users=16" = { max = "200 ms" }\nerror_rate.at."users=16" = { max = "5 %" }'
    )
    assert judge("--json", "record.json") == 0
    shown = capsys.readouterr().out
    assert "warning" not in shown
    assert "chat[fp8] under load users=16, by vllm bench serve" in shown
    assert "pass ttft_p99@users=16: 0 of 600 requests took longer than 200 ms" in shown
    [record] = read(Path("record.json")).records
    assert [gate.verdict for gate in record.gates] == ["pass", "pass"]
    assert record.measures["tpot_p50@users=16"].value == pytest.approx(0.02)
    assert record.settings.model == "m"


def test_other_commands_show_the_times_of_tokens(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits('ttft_p99.at."users=16" = { max = "200 ms" }')
    judge("--json", "before.json", "--host", "box")
    slower = vllm(requests=600)
    slower["ttfts"] = [0.15] * 600
    (folder / "results.json").write_text(json.dumps(slower))
    judge("--json", "after.json", "--host", "box")
    capsys.readouterr()
    assert cli.main(["compare", "before.json", "after.json"]) == 0
    compared = capsys.readouterr().out
    assert "The hosts are equal." in compared
    assert re.search(r"ttft_p50 +100 ms +150 ms +\+50.0 %", compared)
    assert re.search(r"itl_p99 +20 ms +20 ms", compared)
    assert cli.main(["report", "before.json", "--load", "users=16"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"variant +p50 +p99 +TTFT p99 +ITL p99 +requests/h +tokens/s +errors", shown)
    judge("--json", "elsewhere.json", "--host", "other")
    cli.main(["compare", "before.json", "elsewhere.json"])
    assert "The hosts differ (instance_type)" in capsys.readouterr().out


def test_a_broken_limit_fails_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    limits('ttft_p99.at."users=16" = { max = "50 ms" }')
    assert judge() == 1
    shown = capsys.readouterr().out
    assert "FAIL ttft_p99@users=16: 600 of 600 requests took longer than 50 ms" in shown
    assert "(thresholds.toml:3)" in shown


def test_failed_requests_that_no_limit_judges_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    limits('ttft_p99.at."users=16" = { max = "200 ms" }')
    assert judge() == 0
    assert (
        "warning: 2 of 602 requests under load users=16 failed, and no limit judges them: write "
        'error_rate.at."users=16" = { max = "1 %" } in [chat.gates]'
    ) in capsys.readouterr().out


def test_too_many_failed_requests_break_a_limit(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "results.json").write_text(json.dumps(vllm(requests=500, failed=100)))
    limits('error_rate.at."users=16" = { max = "1 %" }')
    assert judge() == 1
    shown = capsys.readouterr().out
    assert "FAIL error_rate@users=16" in shown
    assert "warning" not in shown


def test_a_suite_that_the_file_lacks_is_an_error_with_the_nearest_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits('ttft_p99.at."users=16" = { max = "200 ms" }')
    text = Path("thresholds.toml").read_text().replace("chat", "chats")
    (folder / "thresholds.toml").write_text(text)
    assert judge() == 2
    error = capsys.readouterr().err
    assert '--suite chat: thresholds.toml has no table [chat]. Did you mean "chats"?' in error


def test_a_file_without_limits_is_an_error_with_an_example(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge() == 2
    example = capsys.readouterr().err.partition("such as\n")[2]
    (folder / "thresholds.toml").write_text(f"schema = 1\n{example}")
    assert judge() == 0


def test_a_variant_without_limits_of_its_own_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits('ttft_p99.at."users=16" = { max = "200 ms" }\n[chat.variants.fp16]')
    assert judge() == 0
    assert (
        "warning: no limit is for the variant fp8 alone: [chat.variants] has fp16"
        in capsys.readouterr().out
    )


def test_too_few_requests_are_inconclusive(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "results.json").write_text(json.dumps(vllm(requests=20)))
    limits('ttft_p99.at."users=16" = { max = "200 ms" }')
    assert judge() == 1
    assert "INCONCLUSIVE ttft_p99@users=16" in capsys.readouterr().out
    Path("thresholds.toml").write_text(
        'schema = 1\n[defaults]\ninconclusive = "warn"\n[chat.gates]\n'
        'ttft_p99.at."users=16" = { max = "200 ms" }\n'
    )
    assert judge() == 0


def test_a_file_without_a_judged_limit_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    limits('latency_p90 = { max = "1 s" }')
    assert judge() == 2
    assert 'ttft_p99.at."users=16"' in capsys.readouterr().err


def test_the_load_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    limits('tpot_p90.at."peak" = { max = "30 ms" }')
    assert judge("--load", "peak") == 0
    assert "pass tpot_p90@peak" in capsys.readouterr().out


def test_limits_on_what_the_file_does_not_measure_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    limits(
        'bleu = { min = 20 }\nttft_p99.at."users=16" = { max = "200 ms" }\n'
        'ttft_p99.at."users=32" = { max = "200 ms" }'
    )
    assert judge() == 0
    shown = capsys.readouterr().out
    assert "not judged, because the file does not measure them: bleu, ttft_p99@users=32" in shown


def test_a_misspelt_measure_at_the_load_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    limits('ttfd_p99.at."users=16" = { max = "200 ms" }')
    assert judge() == 2
    assert "unknown measure" in capsys.readouterr().err
