"""A server whose model answers with NaN says so."""

from __future__ import annotations

from pathlib import Path

from tests.serving.server.conftest import written
from tests.serving.server.echo_server import Serve

SUITE = """
from pytest_infperf import Echo, Fake, Suite

class Broken(Fake):
    def load(self, artifact, task, threads):
        runner = super().load(artifact, task, threads)
        runner.infer = lambda texts: [None if text == "nan" else text for text in texts]
        return runner

suite = Suite("echo", task=Echo(), model="model", variants=[Broken(id="broken")])
"""


def test_a_result_that_is_not_finite_is_named(serve: Serve, tmp_path: Path) -> None:
    server = serve(folder=written(tmp_path, SUITE))
    reply = server.post({"instances": ["one", "nan", "two", "nan"]})
    assert (reply.status, reply.body["error"]["code"]) == (502, "not_finite")
    assert "not finite (NaN or infinite) for the instances 1, 3" in reply.body["error"]["message"]
    assert server.post({"instances": ["one"]}).body == {"predictions": ["one"]}
    assert (
        "502"
        in server.get("/openapi.json").body["paths"]["/v1/models/echo:predict"]["post"]["responses"]
    )
