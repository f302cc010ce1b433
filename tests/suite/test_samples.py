"""The digest of inputs is the same in processes with other versions of Python and numpy."""

from __future__ import annotations

import hashlib
import pickle
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from pytest_infperf.suite import samples
from pytest_infperf.suite.samples import inputs_digest


def test_the_digest_does_not_depend_on_pickles_default(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = ["a text", {"role": "user"}, [1, 2.5, None]]
    parts = [hashlib.sha256(pickle.dumps(value, 4)).digest() for value in inputs]
    expected = hashlib.sha256(b"".join(parts)).hexdigest()
    for protocol in (4, 5):
        monkeypatch.setattr(pickle, "DEFAULT_PROTOCOL", protocol)
        assert inputs_digest(inputs) == expected


ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("value", [ARRAY, {"x": ARRAY}, np.float32(1.5), np.int64(3)])
def test_arrays_and_numbers_are_pickled_without_names_of_numpy(value: Any) -> None:
    stream = BytesIO()
    samples._Pickler(stream, 4).dump(value)
    assert b"numpy" not in stream.getvalue()


def test_the_digest_of_an_array_is_that_of_its_values() -> None:
    assert inputs_digest([ARRAY]) == inputs_digest([np.asfortranarray(ARRAY)])
    others = [ARRAY + 1, ARRAY.reshape(3, 2), ARRAY.astype(np.float64), ARRAY.view(np.int32)]
    assert len({inputs_digest([array]) for array in (ARRAY, *others)}) == 5
