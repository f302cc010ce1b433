"""Artifacts of variants with an interpreter of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from pytest_infperf import Echo, Fake, Slowed, Suite
from pytest_infperf.artifacts.blueprint import Blueprint, make_blueprint
from tests.environments import make_environment


class Runtime(Fake):
    """A backend with a distribution that only some environments have."""

    optional: ClassVar[tuple[str, ...]] = ("infperf-runtime",)
    leaves_no_trace: ClassVar[bool] = True  # type: ignore[assignment, misc]


def test_the_key_has_the_versions_of_the_environment_but_not_its_path(tmp_path: Path) -> None:
    for name, version in (("old", "1.0"), ("same", "1.0"), ("new", "2.0")):
        make_environment(tmp_path / name, infperf_runtime=version)
    (tmp_path / "model").mkdir()
    suite = Suite("echo", task=Echo(), model="model", variants=[Fake()]).at(tmp_path)

    def blueprint(python: str | None) -> Blueprint:
        return make_blueprint(suite, Runtime(python=python), tmp_path / "model")

    here, old, same, new = map(
        blueprint, (None, "old/bin/python", str(tmp_path / "same/bin/python"), "new/bin/python")
    )
    assert old.key == same.key
    assert len({here.key, old.key, new.key}) == 3
    assert here.python is None
    assert old.python == str(tmp_path / "old/bin/python")
    assert len({here.builder, old.builder, same.builder, new.builder}) == 4
    assert Blueprint.from_document(json.loads(json.dumps(old.to_document()))) == old


def test_what_a_variant_is_built_from_is_built_by_its_interpreter(tmp_path: Path) -> None:
    """Paths can be relative to another folder than the suite's, which is that of a revision."""
    python = str(make_environment(tmp_path / "suites/env"))
    (tmp_path / "model").mkdir()
    suite = Suite("echo", task=Echo(), model="model", variants=[Fake()]).at(tmp_path / "revision")
    slowed = Slowed(Fake(python="env/bin/python"), by=0.1)
    assert slowed.interpreter == "env/bin/python"
    made = make_blueprint(suite, slowed, tmp_path / "model", tmp_path / "suites")
    assert made.source
    assert (made.python, made.source.python) == (python, python)
