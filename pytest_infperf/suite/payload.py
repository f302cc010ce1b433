"""What a server reads and writes: the classes that a payload of one's own derives from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel


@dataclass(frozen=True)
class Answer:
    """What the model says of one sample."""

    output: Any
    probabilities: Mapping[str, float] | None = None
    """By label, of a classifier."""


@dataclass(frozen=True)
class About:
    """Whom a response comes from."""

    suite: str
    variant: str
    version: str
    """Of the artifact: a part of its key."""


class Payload(ABC):
    """A request and a response of one path. Subclasses lie in an importable module."""

    request: ClassVar[type[BaseModel]]
    response: ClassVar[type[BaseModel]]
    form: ClassVar[str] = ""
    """How the page at / shows it: "translate" and "label" have text boxes; "" has none."""

    @abstractmethod
    def path(self, suite: str) -> str:
        """Such as `/v1/models/translation:predict`."""

    @abstractmethod
    def samples(self, request: Any) -> list[Any]:
        """The task's samples. Raises ValueError for what is none: the answer is 422."""

    @abstractmethod
    def respond(self, request: Any, answers: Sequence[Answer], about: About) -> BaseModel:
        """An answer a sample, in their order."""

    @abstractmethod
    def ask(self, samples: Sequence[Any]) -> BaseModel:
        """The request of a client that has these samples."""
