"""Suites are found by their files, and loaded by a name that a worker can use."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.suite.discovery import suite_beside, suite_names_below

ROOT = Path(__file__).parents[2]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_names_of_suites_are_read_from_all_folders(tmp_path: Path) -> None:
    write(tmp_path / "suites" / "zh-en" / "suite.py", 'suite = Suite("translation", task=task)')
    write(tmp_path / "other" / "deep" / "speech" / "suite.py", "suite = made_elsewhere()")
    assert suite_names_below(tmp_path) >= {"translation", "speech"}


def test_environments_and_hidden_folders_are_not_searched(tmp_path: Path) -> None:
    write(tmp_path / "env" / "pyvenv.cfg", "")
    write(tmp_path / "env" / "lib" / "suite.py", "")
    write(tmp_path / ".hidden" / "suite.py", "")
    assert suite_names_below(tmp_path) == set()


def test_a_suite_that_cannot_be_parsed_has_the_name_of_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "broken" / "suite.py", "suite = (")
    assert suite_names_below(tmp_path) == {"broken"}


def test_the_shipped_suite_is_imported_by_its_path_from_the_root() -> None:
    address = suite_beside(ROOT / "suites" / "translation" / "test_translation.py", ROOT)
    assert address.module == "suites.translation.suite"
    assert address.load().folder == ROOT / "suites" / "translation"


def test_a_folder_with_a_dot_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "v1.5" / "suite.py", "")
    with pytest.raises(UserError, match=r"'v1\.5' has a dot in it; rename the folder"):
        suite_beside(tmp_path / "v1.5" / "test_it.py", tmp_path)
