"""Samples that no request can contain are counted and not sent."""

from __future__ import annotations

from itertools import cycle, islice

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.run.suite_server import _accepted
from pytest_infperf.tasks.payloads import TextToText


def test_an_empty_text_is_left_out_with_the_reason() -> None:
    refused: dict[int, str] = {}
    inputs = ["one", "", "two", " \t"]
    numbers = _accepted(TextToText(), inputs, cycle(range(4)), refused)
    assert list(islice(numbers, 5)) == [0, 2, 0, 2, 0]
    assert list(refused) == [1, 3]
    assert "at least 1 character" in refused[1]


def test_a_test_set_of_empty_texts_is_an_error() -> None:
    with pytest.raises(
        UserError, match=r"no sample is valid in a request of TextToText: .*at least 1"
    ):
        next(_accepted(TextToText(), ["", ""], cycle(range(2)), {}))
