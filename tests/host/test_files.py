from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_infperf.host.files import atomic_replacement, write_atomically


def test_a_file_replaces_another(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    write_atomically(path, "new, é\n")
    assert path.read_bytes() == "new, é\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_a_durable_file_is_synced_before_it_replaces_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(path.read_text()))
    write_atomically(path, "new")
    assert seen == []
    write_atomically(path, "newer", durable=True)
    assert seen == ["new"]


def test_a_body_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(FileExistsError), atomic_replacement(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        temporary.mkdir()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with pytest.raises(FileExistsError), atomic_replacement(path) as temporary:  # noqa: PT012
        (temporary / "inner").mkdir(parents=True)
        temporary.mkdir()
    assert list(tmp_path.iterdir()) == []
    with atomic_replacement(path) as temporary:
        (temporary / "inner").mkdir(parents=True)
        assert not path.exists()
    assert list(tmp_path.iterdir()) == [path]
    assert (path / "inner").is_dir()
