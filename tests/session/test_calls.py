"""The methods that a test calls on its `variant` are read from the source."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.session import calls
from pytest_infperf.session.calls import Call


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
        "test_latency": {Call("latency")},
        "TestMore.test_rest": {Call("load"), Call("quality")},
        "check": {Call("throughput")},
    }
    called = {call.method for call in calls.called_in_folder(tmp_path)}
    assert called == {"latency", "load", "quality", "throughput"}


@pytest.mark.parametrize(
    ("decorators", "call", "names"),
    [
        ("", 'load("users=4")', {"users=4"}),
        ("", 'load(name="users=4")', {"users=4"}),
        ("", 'sweep("length")', {"length"}),
        ("", 'sweep(parameter="length")', {"length"}),
        ("", 'protocol("jmeter-60x12")', {"jmeter-60x12"}),
        ("", "load(LOAD)", {None}),
        ("", "load(*names)", {None}),
        ("", 'load("users=4" if x else "users=1")', {None}),
        ('@pytest.mark.parametrize("x", [1, 4])', 'load(f"users={x}")', {"users=1", "users=4"}),
        ('@pytest.mark.parametrize("x", ("Server", "soak"))', "load(x)", {"Server", "soak"}),
        ('@pytest.mark.parametrize("x", [1, 4])', 'load(f"users={x + 1}")', {None}),
        ('@pytest.mark.parametrize("x", [1, 4])', 'load(f"users={x:02}")', {None}),
        ('@pytest.mark.parametrize("x", COUNTS)', 'load(f"users={x}")', {None}),
        ('@pytest.mark.parametrize("x", [pytest.param(1)])', 'load(f"users={x}")', {None}),
    ],
)
def test_the_names_of_points_are_read_where_they_are_constants(
    tmp_path: Path, decorators: str, call: str, names: set[str | None]
) -> None:
    path = written(
        tmp_path, f"import pytest\n{decorators}\ndef test_it(variant, x=0): variant.{call}\n"
    )
    assert {name for _, name in calls.called_in_file(path)["test_it"]} == names


def test_a_parameter_that_the_test_overwrites_may_be_anything(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        import pytest

        @pytest.mark.parametrize("name", ["users=1"])
        def test_it(variant, name):
            for name in names(name):
                variant.load(name).check()
        """,
    )
    assert calls.called_in_file(path) == {"test_it": {Call("load")}}


def test_points_are_left_open_where_one_call_may_be_any() -> None:
    sweeps = {"length": ["length=10", "length=100"]}
    assert calls.points_named([Call("sweep", "length"), Call("latency")], sweeps) == {
        "sweep": {"length", "length=10", "length=100"}
    }
    named = [Call("load", "users=4"), Call("load", "soak")]
    assert calls.points_named(named, {}) == {"load": {"users=4", "soak"}}
    assert calls.points_named([*named, Call("load")], {}) == {}


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


def test_the_calls_of_one_function_are_found_by_its_source() -> None:
    assert calls.called_by(decorated) == {Call("latency")}
    assert calls.called_by(test_the_calls_of_one_function_are_found_by_its_source) == frozenset()
    assert calls.called_by(len) == frozenset()


def test_the_marker_names_methods_and_nothing_else(tmp_path: Path) -> None:
    assert calls.declared({"calls": "sweep"}, tmp_path) == {Call("sweep")}
    both = {Call("sweep"), Call("load")}
    assert calls.declared({"calls": ["sweep", "load"]}, tmp_path) == both
    with pytest.raises(
        UserError, match="unknown argument 'latncy' of the marker infperf; did you mean latency"
    ):
        calls.declared({"calls": ["latncy"]}, tmp_path)
    with pytest.raises(
        UserError, match="unknown argument 'call' of the marker infperf; did you mean calls"
    ):
        calls.declared({"call": "latency"}, tmp_path)
