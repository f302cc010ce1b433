"""The protocols of codecs, between samples and what a model takes and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pytest_infperf.errors import UserError


class Codec(Protocol):
    """Encodes samples to features of a model, and decodes its results to outputs."""

    def encode(self, inputs: Sequence[Any]) -> Any:
        """Return the features of one query with these inputs."""

    def decode(self, results: Any, features: Any) -> list[Any]:
        """Return the outputs of one query, one per sample, in JSON's types.

        The output of a sample whose result is not finite (NaN or infinity) is None: it is counted,
        wrong in every metric, and fails the gates on quality.

        Parameters
        ----------
        results : Any
            The results of the model's runner for the features.
        features : Any
            The features that `encode` returned for the query.
        """


class InputsCodec:
    """The codec of variants that answer inputs themselves: it passes inputs and outputs on."""

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> list[Any]:
        """Return the inputs as a new list, which the variant may change.

        Raises UserError if they are to be cut to a length, which only a codec can do.
        """
        if length is not None:
            raise UserError(
                "a variant that answers inputs itself cannot be swept over length, because no "
                'codec cuts its inputs: leave it out with Sweep("length", ..., variants=...)'
            )
        return list(inputs)

    def decode(self, results: list[Any], features: Any) -> list[Any]:
        """Return the results, which are outputs already."""
        return results


class ArrayCodec(Codec, Protocol):
    """The codec of a task whose models answer in one pass.

    Features are arrays by name; the results are one array with a row per sample. Features that
    are not in `axes` are only for `decode`.

    Attributes
    ----------
    axes : mapping of str to sequence of str or int
        The axes of each input of the model: a size, or a name for an axis whose size differs from
        query to query, such as `{"image": ("batch", 1, 28, 28)}`. A codec may know them only after
        it has encoded a query.
    """

    axes: Mapping[str, Sequence[str | int]]
