"""GitLab's report of limits that did not pass."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_infperf import cli
from pytest_infperf.records import file as record_file
from pytest_infperf.records.record import RunRecord
from pytest_infperf.report import code_quality


def test_each_limit_that_did_not_pass_is_at_its_line(translation: RunRecord) -> None:
    broken, undecided, _ = json.loads(code_quality.document([translation]))
    assert broken["location"] == {"path": "thresholds.toml", "lines": {"begin": 12}}
    assert broken["severity"] == "major"
    assert broken["check_name"] == "infperf.speedup"
    assert broken["description"] == (
        "translation[onnx-int8] speedup 1.31x [1.29, 1.33] is below the limit of 1.50x (24 pairs)"
        " (on c7i.large)"
    )
    assert (undecided["severity"], undecided["location"]["lines"]["begin"]) == ("minor", 17)
    assert broken["fingerprint"] != undecided["fingerprint"]


def test_the_fingerprint_survives_another_value_and_another_line(translation: RunRecord) -> None:
    def fingerprints(run: RunRecord) -> list[str]:
        return [entry["fingerprint"] for entry in json.loads(code_quality.document([run]))]

    before = fingerprints(translation)
    for record in translation.records:
        record.gates = [replace(g, why="other", source="thresholds.toml:3") for g in record.gates]
    assert fingerprints(translation) == before
    translation.host = {"instance_type": "c7g.large"}
    assert not {*fingerprints(translation)} & {*before}


def test_the_command_writes_it(translation: RunRecord, tmp_path: Path) -> None:
    record_file.write(tmp_path / "record.json", translation)
    path = tmp_path / "gl-code-quality-report.json"
    assert cli.main(["report", str(tmp_path / "record.json"), "--code-quality", str(path)]) == 0
    assert len(json.loads(path.read_text())) == 3


def test_an_error_of_a_variant_is_an_entry_with_its_reason(translation: RunRecord) -> None:
    *_, error = json.loads(code_quality.document([translation]))
    assert (error["severity"], error["check_name"]) == ("blocker", "infperf.error")
    assert error["description"] == (
        "translation[ctranslate2] the worker of ctranslate2 was ended by signal 9 (SIGKILL): "
        "likely out of memory; loading model.bin (on c7i.large)"
    )
    assert error["location"] == {"path": "thresholds.toml", "lines": {"begin": 9}}


def test_an_error_beside_measures_is_critical(translation: RunRecord) -> None:
    translation.records[0].errors.append("the worker did not answer")
    *_, error, _ = json.loads(code_quality.document([translation]))
    assert error["severity"] == "critical"
    assert "torch] the worker did not answer" in error["description"]


def test_an_error_in_a_run_without_limits_is_in_the_file_for_them(translation: RunRecord) -> None:
    for record in translation.records:
        record.gates = []
    (error,) = json.loads(code_quality.document([translation]))
    assert error["location"] == {"path": "thresholds.toml", "lines": {"begin": 1}}


@pytest.mark.parametrize("source", ["", "thresholds.toml"])
def test_a_limit_without_a_line_is_left_out(translation: RunRecord, source: str) -> None:
    for record in translation.records:
        record.gates = [replace(gate, source=source) for gate in record.gates]
    entries = json.loads(code_quality.document([translation]))
    assert [entry["check_name"] for entry in entries] == ["infperf.error"]
