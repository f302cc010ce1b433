"""The folder of a study: names of files, damage, and two studies at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.records import file as record_file
from pytest_infperf.records.record import RunRecord
from pytest_infperf.study.cells import StudyCell, StudyFolder

PROTOCOL = {"suite": "echo", "users": 2}
CELL = StudyCell("c7i.large", "fast")


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "study", PROTOCOL, "users=2")


@pytest.mark.parametrize("other", ["a_b", "a b", "a%2Fb", "a.b"])
def test_each_variant_has_a_file_of_its_own(folder: StudyFolder, other: str) -> None:
    paths = {folder.path(StudyCell("c7i.large", variant)) for variant in ("a/b", other)}
    assert len(paths) == 2
    assert {path.parent for path in paths} == {folder.folder / "c7i.large"}


def test_names_without_odd_characters_stay(folder: StudyFolder) -> None:
    assert folder.path(CELL) == folder.folder / "c7i.large" / "fast.json"
    assert folder.path(StudyCell("c7i.large", "rnn@2+x")).name == "rnn@2+x.json"


def test_a_damaged_record_is_named_with_the_remedy(folder: StudyFolder) -> None:
    path = folder.path(CELL)
    path.parent.mkdir()
    path.write_text('{"schema": 1, ')
    with pytest.raises(
        UserError, match=r"fast.json: this is not a record.*remove it to measure fast on"
    ):
        folder.is_complete(CELL)


@pytest.mark.parametrize("text", ["[1]", "{", "7", b"\xff\xfe"])
def test_a_damaged_description_is_an_error(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "study.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=r"study.json is not a description of a study: .*--out"):
        StudyFolder(tmp_path, PROTOCOL, "users=2")


def test_another_study_is_refused(folder: StudyFolder) -> None:
    with pytest.raises(UserError, match=r"users was 2 and is 4 now. Use another folder with --out"):
        StudyFolder(folder.folder, {**PROTOCOL, "users": 4}, "users=2")


def test_a_record_without_the_load_is_not_complete(folder: StudyFolder) -> None:
    record_file.write(folder.path(CELL), RunRecord({}, None))
    assert not folder.is_complete(CELL)


def test_two_studies_at_once_need_two_folders(folder: StudyFolder) -> None:
    same = StudyFolder(folder.folder, json.loads(json.dumps(PROTOCOL)), "users=2")
    with (
        folder.locked(),
        pytest.raises(UserError, match=r"another study runs in .*study.*--out"),
        same.locked(),
    ):
        pass
    with same.locked():
        pass
