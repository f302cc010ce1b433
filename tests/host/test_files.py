from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pytest_infperf.host.files import atomic_replacement, write_atomically


def test_a_file_replaces_another(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    write_atomically(path, "new, é\n")
    assert path.read_bytes() == "new, é\n".encode()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664])
def test_the_permissions_of_a_file_are_kept(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    write_atomically(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    write_atomically(tmp_path / "written", "new")
    (tmp_path / "usual").touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


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
