"""The methods that a test calls on its `variant` are read from the source."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.session import calls


def written(folder: Path, text: str, name: str = "test_it.py") -> Path:
    path = folder / name
    path.write_text(dedent(text))
    return path


def test_calls_on_the_parameter_count_in_functions_classes_and_blocks(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        if True:
            def test_latency(variant):
                variant.latency().check()

        class TestMore:
            async def test_rest(self, *, variant):
                for name in ("Server",):
                    variant.load(name).check()
                measured = variant.quality
                assert measured()

        def check(variant, batch):
            variant.throughput(batch=batch).check()
        """,
    )
    assert calls.called_in_file(path) == {
        "test_latency": {"latency"},
        "TestMore.test_rest": {"load", "quality"},
        "check": {"throughput"},
    }
    assert calls.called_in_folder(tmp_path) == {"latency", "load", "quality", "throughput"}


def test_calls_on_other_objects_do_not_count(tmp_path: Path) -> None:
    written(
        tmp_path,
        """
        import json

        def test_data(variant, tmp_path):
            document = json.load((tmp_path / "data.json").open())
            assert document.quality.latency
            assert variant.id

        def test_without_it(other):
            other.variant.sweep("batch")

        def sweep(variants):
            variants.footprint()
        """,
    )
    assert calls.called_in_folder(tmp_path) == set()


def test_a_file_that_is_not_python_has_no_calls(tmp_path: Path) -> None:
    assert calls.called_in_file(written(tmp_path, "def test(:")) == {}
    assert calls.called_in_file(tmp_path / "missing.py") == {}


def decorated(variant: Any) -> None:
    variant.latency()


def test_calls_of_a_function_are_read_from_its_source() -> None:
    assert calls.called_by(decorated) == {"latency"}
    assert calls.called_by(test_calls_of_a_function_are_read_from_its_source) == frozenset()
    assert calls.called_by(len) == frozenset()


def test_the_marker_refuses_unknown_arguments_and_methods(tmp_path: Path) -> None:
    assert calls.declared({"calls": "sweep"}, tmp_path) == {"sweep"}
    assert calls.declared({"calls": ["sweep", "load"]}, tmp_path) == {"sweep", "load"}
    with pytest.raises(UserError, match="does not know 'latncy'; did you mean latency"):
        calls.declared({"calls": ["latncy"]}, tmp_path)
    with pytest.raises(UserError, match="does not know 'call'; did you mean calls"):
        calls.declared({"call": "latency"}, tmp_path)
