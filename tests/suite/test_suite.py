"""A suite refuses repeated names, unknown baselines, and variants without the model they need."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import (
    Backend,
    ClosedLoop,
    Custom,
    Echo,
    Fake,
    Onnx,
    OpenLoop,
    OpenVino,
    Server,
    Serving,
    Sklearn,
    Slowed,
    Soak,
    Suite,
    Sweep,
    Task,
    TextClassification,
    Torch,
    UserError,
)


def suite(**changes: Any) -> Suite:
    parts: dict[str, Any] = {
        "task": Echo(),
        "model": "model",
        "variants": [Fake(id="slow"), Fake(id="fast")],
        "baseline": "slow",
        **changes,
    }
    return Suite("echo", **parts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": [], "baseline": None}, "Suite('echo'): variants is empty"),
        (
            {"variants": [Fake(id="slow"), Fake(), Fake(wrong=1)]},
            "Suite('echo'): several variants have the name fake; give one of them a different id",
        ),
        ({"variants": [Fake(id="a\nb")], "baseline": None}, r"the name 'a\nb' has a line break"),
        ({"loads": [Server(), Server(limit_s=1)]}, "several loads have the name Server"),
        ({"loads": [OpenLoop(20), OpenLoop(20.0)]}, "several loads have the name rate=20"),
        ({"loads": [Soak(), Soak(fraction=0.5)]}, "several loads have the name soak"),
        (
            {"sweeps": [Sweep("batch", (1, 2)), Sweep("batch", (4, 8), variants="fast")]},
            "several sweeps have the name batch; measure all values in one sweep",
        ),
        ({"baseline": "slwo"}, "the baseline 'slwo' is not a variant; did you mean slow?"),
        ({"baseline": "onnx"}, "the baseline 'onnx' is not a variant; there are slow, fast"),
    ],
)
def test_repeated_names_and_an_unknown_baseline_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as raised:
        suite(**changes)
    assert message in str(raised.value)


def test_loads_and_sweeps_with_different_names_are_accepted() -> None:
    found = suite(
        loads=[ClosedLoop(2), ClosedLoop(4), OpenLoop(2), Server(), Soak()],
        sweeps=[Sweep("batch", (1, 2)), Sweep("length", (1, 2))],
    )
    names = [load.name for load in found.loads]
    assert names == ["users=2", "users=4", "rate=2", "Server", "soak"]


def test_an_added_variant_needs_a_unique_id() -> None:
    assert suite().with_variants([Fake(id="more")]).variant_ids == ["slow", "fast", "more"]
    with pytest.raises(UserError, match="several variants have the name fast"):
        suite().with_variants([Fake(id="fast")])


CUSTOM = Custom(data=[(1, 2)], metrics=["accuracy"])


def test_a_file_needs_no_model_where_the_task_reads_nothing_of_it(tmp_path: Path) -> None:
    variants = [Onnx(file="a.onnx"), OpenVino(file="a.onnx"), Sklearn("a.skops")]
    suite = Suite("own", task=CUSTOM, variants=variants).at(tmp_path)
    assert suite.model_folder("") == tmp_path


@pytest.mark.parametrize(
    ("task", "variant"),
    [
        (TextClassification(data=[]), Onnx(file="a.onnx")),
        (CUSTOM, Onnx()),
        (CUSTOM, Torch()),
        (CUSTOM, Slowed(inner=Onnx(), by=0.1)),
    ],
)
def test_a_variant_that_needs_a_model(task: Task, variant: Backend) -> None:
    with pytest.raises(UserError, match=f"the variant {variant.variant_id} has no model"):
        Suite("own", task=task, variants=[variant])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"workers": 1.5}, r"Serving\(workers=1\.5\): must be a whole number of at least 1"),
        ({"max_body_bytes": math.nan}, r"max_body_bytes=nan"),
        ({"max_body_bytes": 0}, r"max_body_bytes=0"),
        ({"timeout_s": math.nan}, "timeout_s=nan"),
        ({"grace_s": math.inf}, "grace_s=inf"),
        ({"timeout_s": 0}, "timeout_s=0"),
    ],
)
def test_serving_with_invalid_fields(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Serving(**fields)
