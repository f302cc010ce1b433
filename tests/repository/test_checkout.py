"""Paths of the working tree and their counterparts in another tree, also through links."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_infperf.repository.checkout import at_revision, position_below, working_tree

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "real/sub/suites").mkdir(parents=True)
    return tmp_path / "real"


def test_a_path_is_found_below_a_folder_through_links(top: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(top)
    (tmp_path / "into").symlink_to(top / "sub")
    inner = Path("sub/suites")
    assert position_below(top, top / inner) == inner
    assert position_below(top, tmp_path / "link" / inner) == inner
    assert position_below(tmp_path / "link", top / inner) == inner
    assert position_below(top, tmp_path / "into/suites") == inner
    assert position_below(top, tmp_path) is None


def test_a_link_that_leads_out_stays_as_it_is_named(top: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (top / "suites").symlink_to(tmp_path / "outside")
    assert position_below(top, top / "suites/echo") == Path("suites/echo")


def test_import_paths_are_those_below_a_root_that_is_a_link(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory is the target of the link: the system does not store the link."""
    (tmp_path / "link").symlink_to(top)
    (tmp_path / "tree/sub").mkdir(parents=True)
    monkeypatch.chdir(top / "sub")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "link"), "", str(tmp_path)])
    assert working_tree(tmp_path / "link").import_paths == (
        str(tmp_path / "link"),
        str(top / "sub"),
    )
    other = at_revision(top, tmp_path / "tree", "HEAD~1")
    assert other.import_paths == (str(tmp_path / "tree"), str(tmp_path / "tree/sub"))
    assert other.folder == tmp_path / "tree/sub"


def test_another_interpreter_imports_this_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    checkout = working_tree(tmp_path)
    assert checkout.run_by(None) is checkout
    other = checkout.run_by("/env/bin/python")
    assert (other.python, other.import_paths) == (Path("/env/bin/python"), (str(REPOSITORY),))
    assert other.folder == checkout.folder
