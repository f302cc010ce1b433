"""The base class of tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pytest_infperf.errors import UserError
from pytest_infperf.suite.codec import Codec
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.perplexity import Perplexity, Window
from pytest_infperf.suite.samples import Samples

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


Decoding = Mapping[str, int | float | str | bool]
"""Decoding settings, such as beams and lengths; variants with different ones are not compared."""


class Task(ABC):
    """Defines how a sample becomes a query, and an output a score.

    Subclasses are frozen dataclasses that open no file when they are created.

    Attributes
    ----------
    metrics : sequence of Metric, CorpusMetric or str
        The metrics, or the names of shipped ones. The first one appears in the report's first
        table.
    sample_size : int
        The number of samples that are measured and scored without --infperf-full.
    generates : bool
        Whether models generate outputs token by token. Otherwise models are one-pass models, and
        the task's codec is an `ArrayCodec`.
    auto_class : str or None
        The name of the transformers Auto class that opens models of this task.
    answer : str
        The name of the model output that is the result, for one-pass models.
    calibration : Any
        Data of the form of the test data that calibrates int8="static". None uses a fifth of the
        test data, at most 200 samples, which are not scored.
    perplexity : Perplexity or None
        The text on which perplexity is measured. A task with a text implements `windows`. The
        default is None.
    reads_model : bool
        Whether the codec reads files of the model's folder.
    """

    metrics: Sequence[AnyMetric | str]
    sample_size: int

    generates: ClassVar[bool] = False
    auto_class: ClassVar[str | None] = None
    answer: ClassVar[str] = "logits"
    calibration: Any = None
    perplexity: Perplexity | None = None
    reads_model: ClassVar[bool] = True

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras of pytest-infperf that are required to read the data."""
        return ()

    @property
    @abstractmethod
    def decoding(self) -> Decoding:
        """The settings that must be the same in all compared variants."""

    @abstractmethod
    def samples(self, folder: Path) -> Samples:
        """Read the test data.

        Parameters
        ----------
        folder : Path
            The folder of the suite, to which paths are relative.

        Raises
        ------
        UserError
            If the data cannot be read; the message names the file and the remedy.
        """

    def calibration_inputs(self, folder: Path) -> Sequence[Any] | None:
        """Return the inputs of `calibration`; None if there is none.

        Parameters
        ----------
        folder : Path
            The folder of the suite, to which paths are relative.

        Raises
        ------
        UserError
            If the data cannot be read.
        """
        return None

    def for_model(self, model: Path) -> Task:
        """Return the task for which backends build and load a model, by default this one.

        A task that supports both one-pass and generating models returns a task with the class
        attributes for the kind of the model.

        Parameters
        ----------
        model : Path
            The folder of the model's files.
        """
        return self

    @abstractmethod
    def codec(self, model: Path) -> Codec:
        """Return the codec of a model, opened from the files in the model's folder.

        Raises
        ------
        UserError
            If the folder lacks a file that the codec needs.
        """

    def windows(self, codec: Any, folder: Path) -> Sequence[Window]:
        """Return the windows of the text of `perplexity`.

        Parameters
        ----------
        codec : Codec
            The codec of the model.
        folder : Path
            The folder of the suite, to which paths are relative.

        Raises
        ------
        UserError
            If the text cannot be read or is too short, a window is too long for the model's
            tokenizer, or the task does not implement this method.
        """
        raise UserError(f"{type(self).__name__} has a perplexity, but no method windows")

    def check(self, samples: Samples, codec: Any) -> None:  # noqa: B027 - it need not be overridden
        """Check that a model fits the references.

        It is called before a model is built and when it is loaded. By default, it does nothing.

        Parameters
        ----------
        samples : Samples
            The test data.
        codec : Codec
            The codec of the model.

        Raises
        ------
        UserError
            If it does not fit, such as a classifier whose labels are not those of the data.
        """

    def scored(
        self, outputs: Sequence[Any], references: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return the outputs and references that metrics score, by default the arguments.

        A task that scores outputs jointly, such as vectors of queries and documents, returns
        derived ones. Intervals are bootstrapped over the returned outputs.

        Parameters
        ----------
        outputs : sequence, length n
            The outputs of the measured samples; `pytest_infperf.suite.outputs.is_absent` detects
            the placeholder of an output that is not finite.
        references : sequence, length n
            Their references.
        """
        return outputs, references

    def informed_codec(self, model: Path, data: Path) -> Codec:
        """Return the codec of a model; a codec that depends on the data has read it.

        Parameters
        ----------
        model : Path
            The folder of the model's files.
        data : Path
            The folder from which samples are read.

        Raises
        ------
        UserError
            As in `codec` and `check`.
        """
        codec = self.codec(model)
        if not self.reads_model:
            self.check(self.samples(data), codec)
        return codec

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """Return a sample of at least a given length.

        Parameters
        ----------
        inputs : sequence
            The inputs of the test data.
        number : int
            The index of the first input of the sample.
        length : int
            The length in the unit of the task, such as tokens. The codec's
            `encode(inputs, length)` truncates the features to it.

        Raises
        ------
        UserError
            If the task cannot make samples of a given length.
        """
        raise UserError(f"{type(self).__name__} cannot make samples of a given length for a sweep")

    def payload(self, codec: Codec) -> Payload:
        """Return the requests and responses of a server of the task.

        Raises
        ------
        UserError
            If the task cannot be served.
        """
        raise UserError(f"{type(self).__name__} cannot be served: it defines no payload")

    def beside(self, folder: Path, package: str) -> Self:
        """Return this task with full names for modules in the suite's folder.

        Parameters
        ----------
        folder : Path
            The folder of the suite.
        package : str
            The package of the suite's module; empty if it is in none.
        """
        return self

    def duration_s(self, sample: Any) -> float | None:
        """Return the duration of a sample of audio or video in seconds; None for other samples."""
        return None
