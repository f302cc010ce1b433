"""The warm-up of a block is one query with the suite's shortest sample, which does not count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from pytest_infperf.backends.fake import Fake
from pytest_infperf.suite import naming
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.task import Decoding
from pytest_infperf.worker import messages
from pytest_infperf.worker.child import LoadedVariant

SUITE = """
from pytest_infperf import Echo, Fake, Suite
suite = Suite("warmed", task=Echo(), model="model", variants=[Fake()])
"""


class Recorder:
    """A runner that echoes its inputs and records them."""

    threads = 1

    def __init__(self) -> None:
        self.queries: list[list[str]] = []
        self.decoding: Decoding = {}

    def infer(self, features: Sequence[str]) -> list[str]:
        self.queries.append(list(features))
        return list(features)


@pytest.fixture
def recorder(variant: LoadedVariant) -> Recorder:
    variant.runner = recorder = Recorder()
    return recorder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the suite, which is the same for all tests of the process."""
    folder = tmp_path_factory.mktemp("warmed")
    (folder / "warmed_suite.py").write_text(SUITE)
    return folder


@pytest.fixture
def variant(folder: Path) -> LoadedVariant:
    load = messages.LoadArtifact(
        suite=asdict(SuiteAddress(str(folder), "warmed_suite")),
        data=str(folder),
        backend=naming.describe(Fake()),
        model=str(folder),
        artifact=str(folder),
        threads=1,
        cpus=None,
    )
    return LoadedVariant(load)


def test_the_shortest_sample_warms_a_block_up(variant: LoadedVariant, recorder: Recorder) -> None:
    done = variant.run(messages.Block([[150], [17]]))
    assert recorder.queries == [["sample 0"], ["sample 150"], ["sample 17"]]
    assert len(done.query_ns) == 2


def test_the_warm_up_has_the_batch_size_but_not_the_length(
    variant: LoadedVariant, recorder: Recorder
) -> None:
    variant.run(messages.Block([[150, 17]], length=10_000))
    warm_up, query = recorder.queries
    assert warm_up == ["sample 0", "sample 0"]
    assert [len(text) for text in query] == [10_000, 10_000]


def test_a_block_can_run_without_warm_up(variant: LoadedVariant, recorder: Recorder) -> None:
    variant.run(messages.Block([[150]], warm_up=False))
    assert recorder.queries == [["sample 150"]]
