"""Protocols of runners, which run a loaded variant in its worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

from pytest_infperf.suite.task import Decoding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Receive = Callable[[Sequence[Any]], None]
"""Gets new tokens of an output: ids or, from a server, pieces of text."""


class Runner(Protocol):
    """A loaded variant, inside its worker.

    Attributes
    ----------
    decoding : mapping
        The decoding settings in use; variants with different settings are not compared.
    threads : int
        The number of threads in use.
    """

    decoding: Decoding
    threads: int

    def infer(self, features: Any) -> Any:
        """Run the model on the features of one query, and return its results.

        If the backend's `answers_inputs` is true, the runner gets inputs and returns outputs.
        It can then have the method `token_counts` of `TokenCodec`.
        """


@runtime_checkable
class StreamingRunner(Runner, Protocol):
    """A runner that also delivers the tokens of an output while it is generated."""

    def stream(self, features: Any, receive: Receive) -> Any:
        """Run the model like `infer` on a query of one sample, and pass on each token.

        Parameters
        ----------
        features : Any
            The features of the query.
        receive : callable
            Gets the new tokens as soon as they exist, usually one at a time. Any thread may call
            it. Whether the end token is passed on depends on the runtime.

        Returns
        -------
        Any
            The same results as those of `infer`.
        """


def can_stream(runner: Runner) -> TypeGuard[StreamingRunner]:
    """Return whether a runner streams with its decoding settings; beam search cannot."""
    return isinstance(runner, StreamingRunner) and runner.decoding.get("beams", 1) == 1


@runtime_checkable
class ScoringRunner(Runner, Protocol):
    """A runner that also returns how probable the tokens of a given text are."""

    def log_probabilities(
        self, sequences: Sequence[Sequence[int]]
    ) -> Sequence[NDArray[np.float32]]:
        """Return the natural logarithms of the probabilities of the next token.

        They are those of the model itself: without temperature, penalties or other settings of
        decoding. Values that are not finite are returned as they are.

        Parameters
        ----------
        sequences : sequence of sequence of int
            The token ids of one or more texts, without padding. No special token is added.

        Returns
        -------
        sequence of ndarray of float32, shape (length, vocabulary)
            An array for each sequence, with a row for each of its tokens: row i is the distribution
            of the token after tokens 0 to i. The exponentials of a row add up to 1.
        """
