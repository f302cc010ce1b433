"""Messages between a run and a worker come back as they were sent, or are refused."""

from __future__ import annotations

import math

import pytest

from pytest_infperf.worker import messages
from pytest_infperf.worker.messages import Block, BlockDone, Message, RequestFailed, Surveyed


@pytest.mark.parametrize(
    "message",
    [
        messages.AskMemory(),
        messages.ScoreWindow(3, 10, keep_in="3.npy"),
        Block([[1, 2], [3]], least_ns=10**9, outputs=True),
        BlockDone([1], [1], 10**10, 0, None, [["a\nb", "é", [1.5, None], {"label": math.inf}]]),
        RequestFailed("ValueError", "no file caf\udce9", is_user_error=False),
        Surveyed({"torch": {"key": "0", "source": None}}, {"onnx": "no"}, ["bleu"], []),
    ],
)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    line = messages.encode(message, 7)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert messages.decode(line) == (7, message)


def test_an_output_that_is_not_a_number_stays_one() -> None:
    line = messages.encode(BlockDone([1], [1], 1, 0, None, [[math.nan]]), 1)
    _, done = messages.decode(line)
    assert isinstance(done, BlockDone)
    assert done.outputs
    assert math.isnan(done.outputs[0][0])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"who is there?",
        b"\xff\xfe",
        b"3",
        b"[]",
        b"{}",
        b'{"is": "Memory", "peak_bytes": 1}',
        b'{"is": "Memory", "number": 1}',
        b'{"is": "Memory", "number": 1, "peak_bytes": 1, "more": 2}',
        b'{"is": "Nothing", "number": 1}',
        b'{"is": ["Memory"], "number": 1}',
    ],
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a message: b"):
        messages.decode(line)
