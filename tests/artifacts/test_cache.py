"""The cache of artifacts: on read-only file systems, and shared by several users."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pytest_infperf import Echo, Fake, Slowed, Suite
from pytest_infperf.artifacts.blueprint import Blueprint, make_blueprint
from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.errors import UserError


def test_a_complete_cache_that_cannot_be_written_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example, a cache of another user, or one that is mounted read-only."""
    fake = Fake(query_ms=0.1)
    suite = Suite("echo", task=Echo(), model="model", variants=[fake])
    (tmp_path / "model").mkdir()
    blueprint = make_blueprint(suite, Slowed(fake, by=1.0), tmp_path / "model")
    built: list[str] = []

    def build(blueprint: Blueprint, folder: Path, source: Path | None) -> dict[str, str]:
        built.append(blueprint.default_id)
        (folder / "weights").write_text("w")
        return {}

    cache = ArtifactCache(tmp_path / "cache", print)
    artifact = cache.obtain(blueprint, build)
    with monkeypatch.context() as patch:
        for writes in ("mkdir", "write_text"):
            patch.setattr(Path, writes, _refused)
        patch.setattr(os, "open", _refused)
        assert cache.obtain(blueprint, build) == artifact
    assert built == ["fake", "fake-slowed"]
    (artifact.folder / "weights").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", _refused)
        with pytest.raises(UserError, match=f"to build {artifact.folder.name}: Read-only"):
            cache.obtain(blueprint, build)


def _refused(*arguments: object, **keywords: object) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_users_of_a_shared_cache_may_lock_what_others_locked(tmp_path: Path) -> None:
    suite = Suite("echo", task=Echo(), model="model", variants=[Fake()])
    (tmp_path / "model").mkdir()
    blueprint = make_blueprint(suite, Fake(), tmp_path / "model")
    umask = os.umask(0o022)
    try:
        ArtifactCache(tmp_path / "cache", print).obtain(blueprint, lambda *parts: {})
    finally:
        os.umask(umask)
    (lock,) = (tmp_path / "cache").glob("*.lock")
    assert lock.stat().st_mode & 0o777 == 0o666
