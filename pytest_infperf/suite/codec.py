"""Protocols of codecs, which convert samples to features and results to outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from pytest_infperf.errors import UserError


class Codec(Protocol):
    """Encodes samples as features of a model, and decodes its results to outputs."""

    def encode(self, inputs: Sequence[Any]) -> Any:
        """Return the features of one query with these inputs."""

    def decode(self, results: Any, features: Any) -> list[Any]:
        """Return the outputs of one query, one per sample, in JSON types.

        The output is None if the result of a sample is not finite (NaN or infinity). Such samples
        are counted, are wrong in every metric, and fail the gates on quality.

        Parameters
        ----------
        results : Any
            The results of the model's runner for the features.
        features : Any
            The features that `encode` returned for the query.
        """


@runtime_checkable
class TokenCodec(Codec, Protocol):
    """The codec of a task whose models generate tokens."""

    def token_counts(self, results: Any, features: Any) -> tuple[int, int]:
        """Return the number of tokens of the prompts and of the outputs of one query.

        Padding does not count. The end token of an output counts, as in the usage that servers
        report.

        Parameters
        ----------
        results : Any
            The results of the model's runner for the features.
        features : Any
            The features that `encode` returned for the query.
        """


@runtime_checkable
class TokenIdCodec(TokenCodec, Protocol):
    """The codec of a task whose outputs are compared with the baseline's token by token."""

    def output_ids(self, results: Any, features: Any) -> list[list[int]]:
        """Return the ids of the generated tokens of each output, without end and padding.

        Parameters
        ----------
        results : Any
            The results of the model's runner for the features.
        features : Any
            The features that `encode` returned for the query.
        """


class InputsCodec:
    """Codec for backends with `answers_inputs`: it passes inputs and outputs through."""

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> list[Any]:
        """Return the inputs as a new list, which the variant may change.

        Raises UserError if `length` is given.
        """
        if length is not None:
            raise UserError(
                "a variant that reads inputs without a codec cannot be swept over length: exclude "
                'it with Sweep("length", ..., variants=...)'
            )
        return list(inputs)

    def decode(self, results: list[Any], features: Any) -> list[Any]:
        """Return the results, which are already outputs."""
        return results


class ArrayCodec(Codec, Protocol):
    """The codec of a task with one-pass models.

    Features are arrays by name; results are one array with a row per sample. Features that are not
    in `axes` are only used by `decode`.

    Attributes
    ----------
    axes : mapping of str to sequence of str or int
        The axes of each input of the model: a size, or a name for an axis whose size varies
        between queries, such as `{"image": ("batch", 1, 28, 28)}`. Some codecs set them only after
        they have encoded a query.
    """

    axes: Mapping[str, Sequence[str | int]]
