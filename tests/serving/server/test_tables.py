"""Rows of a table are served, also by a model that only its file describes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving.server.conftest import written
from tests.serving.server.echo_server import Serve

SUITE = """
from pytest_infperf import Sklearn, Suite, TabularClassification

suite = Suite(
    "echo",
    task=TabularClassification(data="sizes.csv", label="kind"),
    variants=[Sklearn("model.skops")],
)
"""


def test_rows_are_answered_with_labels(serve: Serve, tmp_path: Path) -> None:
    skops = pytest.importorskip("skops.io")
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression

    folder = written(tmp_path, SUITE)
    model = LogisticRegression(C=100).fit(
        [[1, 1], [2, 1], [8, 9], [9, 9]], ["low"] * 2 + ["high"] * 2
    )
    skops.dump(model, folder / "model.skops")
    (folder / "sizes.csv").write_text("a,b,kind\n1,1,low\n9,9.5,high\n")
    server = serve(folder=folder)
    reply = server.post({"instances": [{"a": 2, "b": 1.5}, {"b": 8, "a": 8}]})
    assert [answer["label"] for answer in reply.body["predictions"]] == ["low", "high"]
    for row, words in [
        ({"a": 1}, "an instance must have the columns 'a', 'b', not 'a'"),
        ({"a": 1, "b": None}, "'b' is missing"),
        ({"a": "x", "b": 1}, "'a' must be a number, not 'x'"),
    ]:
        reply = server.post({"instances": [row]})
        assert reply.status == 422
        assert words in reply.body["error"]["message"]
