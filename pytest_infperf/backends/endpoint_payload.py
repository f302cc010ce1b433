"""The base of the forms of requests to endpoints and of their answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class EndpointPayload(ABC):
    """The form of the requests to an `Endpoint`, and of its answers.

    Subclasses are frozen dataclasses whose fields have JSON's types, or are classes and functions
    at the top of a module, because a worker receives them by name and value.
    """

    @property
    def takes_batches(self) -> bool:
        """Whether one request carries all samples of a query; otherwise each has its own."""
        return True

    @abstractmethod
    def body(self, inputs: Sequence[Any]) -> Any:
        """Return the body of a request in JSON's types.

        Parameters
        ----------
        inputs : sequence
            Inputs of the task; one if the payload takes no batches.
        """

    @abstractmethod
    def outputs(self, answer: Any) -> list[Any]:
        """Return the outputs in an answer, one per input.

        Parameters
        ----------
        answer : Any
            The body of the response, read as JSON.

        Raises
        ------
        ValueError
            If the answer has another form.
        """


@dataclass(frozen=True)
class OneSample(EndpointPayload):
    @property
    def takes_batches(self) -> bool:
        return False
