"""A function of a project is served with the payload of its task."""

from __future__ import annotations

from pathlib import Path

from tests.serving.server.conftest import written
from tests.serving.server.echo_server import Serve

SUITE = """
from pytest_infperf import Echo, Function, Suite

class Decoding(Echo):
    @property
    def decoding(self):
        return {"max_tokens": 512, "beams": 4}

suite = Suite("echo", task=Decoding(), variants=[Function("shouting:load")])
"""
CODE = """
def load(folder, threads):
    assert (folder / "shouting.py").exists()

    def answer(texts):
        return [text.upper() for text in texts]

    answer.decoding = {"beams": 1}
    return answer
"""


def test_a_function_without_a_model_answers_requests(serve: Serve, tmp_path: Path) -> None:
    folder = written(tmp_path, SUITE)
    (folder / "shouting.py").write_text(CODE)
    server = serve(folder=folder)
    reply = server.post({"instances": ["one", "two"]})
    assert reply.body == {"predictions": ["ONE", "TWO"]}
    page = server.get("/").body
    assert "Settings of the model: beams 1." in page
    assert "max_tokens" not in page, "the task has this setting, but the function does not use it"
