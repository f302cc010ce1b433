"""Base class of payloads of endpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class EndpointPayload(ABC):
    """The form of the requests to an `Endpoint` and of its responses.

    Subclasses are frozen dataclasses. Fields have JSON types, or are classes and functions at the
    top level of a module, because they are sent to workers by name and value.
    """

    @property
    def takes_batches(self) -> bool:
        """Whether one request has all samples of a query; otherwise, each sample is one request."""
        return True

    @abstractmethod
    def body(self, inputs: Sequence[Any]) -> Any:
        """Return the body of a request, in JSON types.

        Parameters
        ----------
        inputs : sequence
            Inputs of the task; only one if the payload has no batches.
        """

    @abstractmethod
    def outputs(self, answer: Any) -> list[Any]:
        """Return the outputs in a response, one per input.

        Parameters
        ----------
        answer : Any
            The parsed JSON body of the response.

        Raises
        ------
        ValueError
            If the response has a different form.
        """


@dataclass(frozen=True)
class OneSample(EndpointPayload):
    @property
    def takes_batches(self) -> bool:
        return False
