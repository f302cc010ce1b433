"""The test data of a task."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pytest_infperf.errors import UserError

_PROTOCOL = 4
"""The pickle protocol, whose default depends on the version of Python."""


@dataclass(frozen=True)
class Samples:
    """The test data of a task.

    Parameters
    ----------
    inputs : sequence, length n
        The inputs, of the type that the task's codec encodes.
    references : sequence, length n
        The references against which outputs are scored.
    always : int, default 0
        The number of samples at the end that are always measured, independently of the task's
        `sample_size`, such as the documents of a search.
    places : sequence of str, length n, optional
        The source of each sample, such as `data/test.csv:7`, for messages of `Task.check`.

    Raises
    ------
    UserError
        If there is no sample, or an input has no reference.
    """

    inputs: Sequence[Any]
    references: Sequence[Any]
    always: int = 0
    places: Sequence[str] = ()

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.references):
            raise UserError(
                f"the test data has {len(self.inputs):,} inputs and {len(self.references):,} "
                "references: each input needs one reference"
            )
        if not len(self.inputs):
            raise UserError("the test data is empty: it needs at least one sample")

    @property
    def drawn_from(self) -> int:
        """The number of samples at the beginning from which samples are drawn."""
        return len(self.inputs) - self.always

    def inputs_digest(self) -> str:
        """Return a hash that is the same for equal inputs in any process."""
        return inputs_digest(self.inputs)


def inputs_digest(inputs: Sequence[Any]) -> str:
    """Return a hash that is the same for equal inputs in any process.

    The versions of Python and numpy do not matter.
    """
    # Inputs are pickled separately, because pickle encodes repeated objects differently.
    digest = hashlib.sha256()
    for sample in inputs:
        stream = BytesIO()
        _Pickler(stream, _PROTOCOL).dump(sample)
        digest.update(hashlib.sha256(stream.getvalue()).digest())
    return digest.hexdigest()


class _Pickler(pickle.Pickler):
    """Pickles arrays and numbers of numpy in a form that does not depend on its version."""

    def reducer_override(self, value: Any) -> Any:
        if type(value).__module__ != "numpy" or not hasattr(value, "tobytes"):
            return NotImplemented
        if value.dtype.hasobject:
            return NotImplemented
        return bytes, (f"{value.dtype.descr} {value.shape} ".encode() + value.tobytes(),)
