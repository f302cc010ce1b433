"""Base classes of payloads, the requests and responses of a server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel

from pytest_infperf.errors import UserError
from pytest_infperf.suite.outputs import is_finite


@dataclass(frozen=True)
class Answer:
    """The result of a model for one sample.

    Parameters
    ----------
    output : Any
        The output, in JSON types; None if the model's result is not finite.
    probabilities : mapping of str to float, optional
        The probability of each label, from a classifier.
    """

    output: Any
    probabilities: Mapping[str, float] | None = None

    @property
    def is_finite(self) -> bool:
        """Whether there is an output, without NaN and infinite numbers."""
        return self.output is not None and is_finite(self.output)


@dataclass(frozen=True)
class About:
    """The variant that answered a request.

    Parameters
    ----------
    suite : str
        The name of the suite.
    variant : str
        The id of the variant.
    version : str
        The version of the artifact, a part of its key.
    """

    suite: str
    variant: str
    version: str


class Payload(ABC):
    """The request and response of one path, and their conversion from and to samples and answers.

    Subclasses must be in an importable module, because each process of a server imports them.

    Attributes
    ----------
    request, response : type of pydantic.BaseModel
        The pydantic models of the bodies.
    form : {"translate", "label", "text", "json", "image", "pixels", "audio", ""}
        The form on the page at /, which sends ``{"instances": [...]}`` and shows ``predictions``.
        "translate", "label" and "text" are text boxes with one instance per line, for a
        translation, a label or other predictions; "json" is a text box for JSON; "image" and
        "pixels" send image files unchanged or as grey pixels; "audio" sends audio as WAV. Empty
        for no page.
    form_settings : mapping of str to Any
        Settings of the form: `rows` and `columns` of pixels, the `rate` of audio in Hz, or `cut`,
        the part of a long text that the model does not read, by default its end.
    form_example : str
        The initial text of the form.
    body_bytes : int
        The size of the largest usual request, in bytes; the default limit of a server.
    name : str
        The name by which loads choose the payload; the class name works too.
    """

    request: ClassVar[type[BaseModel]]
    response: ClassVar[type[BaseModel]]
    form: ClassVar[str] = ""
    form_settings: Mapping[str, Any] = {}
    form_example: ClassVar[str] = ""
    body_bytes: int = 262_144
    name: ClassVar[str] = ""

    @abstractmethod
    def path(self, suite: str) -> str:
        """Return the path, such as `/v1/models/translation:predict`."""

    @abstractmethod
    def samples(self, request: Any) -> list[Any]:
        """Return the samples of a request, in the form of the task's inputs.

        Raises
        ------
        ValueError
            If an instance is not a sample of the task; the status of the response is 422.
        """

    @abstractmethod
    def respond(self, request: Any, answers: Sequence[Answer], about: About) -> BaseModel:
        """Return the response to a request.

        Parameters
        ----------
        request : pydantic.BaseModel
            The request.
        answers : sequence of Answer
            The answers, one per sample in the order of the samples.
        about : About
            The variant that answered.
        """

    @abstractmethod
    def ask(self, samples: Sequence[Any]) -> BaseModel:
        """Return the request that a client sends for these samples."""

    def outputs(self, response: Any) -> list[Any]:
        """Return the outputs in a response, one per sample, as a metric scores them.

        Raises
        ------
        UserError
            If the payload does not define it.
        """
        raise UserError(
            f"{type(self).__name__} does not read its responses: define its method `outputs`, "
            "which returns the outputs in a response"
        )
