"""The worker's side: an answer that cannot be sent is an error of that request only."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_infperf.errors import WorkerError
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.suite import naming
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.worker import messages
from pytest_infperf.worker.parent import WorkerProcess

SUITE = """
    from pytest_infperf import Echo, Fake, Suite

    class Sets(Fake):
        def load(self, artifact, task, threads):
            runner = super().load(artifact, task, threads)
            runner.infer = lambda features: [{1} for _ in features]
            return runner

    suite = Suite("echo", task=Echo(count=10), model="model", variants=[Sets(id="sets")])
"""


def test_an_answer_without_json_types_fails_and_the_worker_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "suite_of_sets.py").write_text(dedent(SUITE))
    address = SuiteAddress(str(tmp_path), "suite_of_sets")
    backend = naming.describe(address.load().variant("sets"))
    worker = WorkerProcess(
        "sets", Checkout(tmp_path, (str(tmp_path),), Path(sys.executable)), timeout_s=30
    )
    with closing(worker):
        folder = str(tmp_path)
        load = messages.LoadArtifact(asdict(address), folder, backend, folder, folder, None, None)
        worker.ask(load, messages.Loaded)
        with pytest.raises(WorkerError, match=r"the worker of sets failed: TypeError: .*JSON"):
            worker.ask(messages.Block([[0]], outputs=True), messages.BlockDone)
        assert worker.alive
        done = worker.ask(messages.Block([[0]], outputs=False), messages.BlockDone)
    assert len(done.query_ns) == 1
