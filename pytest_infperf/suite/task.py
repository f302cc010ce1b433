"""The base class of tasks, and the protocols of their metrics and codecs."""

from __future__ import annotations

import hashlib
import pickle
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeAlias

from pytest_infperf.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_infperf.suite.payload import Payload


Decoding = Mapping[str, int | float | str | bool]
"""Settings of decoding, such as beams and lengths; variants that differ are not compared."""


class Metric(Protocol):
    """A quality score that is a function of per-sample statistics, summed over the samples.

    BLEU, chrF, WER, accuracy and F1 are such functions, which makes a bootstrap over samples a
    matrix product.

    Attributes
    ----------
    name : str
        The name of the measure in thresholds.toml and in reports, such as `bleu`.
    unit : str
        The unit of the score, such as `points`.
    higher_is_better : bool
        Whether a higher score means a better model.
    """

    name: str
    unit: str
    higher_is_better: bool

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return the statistics of each sample.

        Parameters
        ----------
        outputs : sequence, length n
            The outputs of the model, one per sample.
        references : sequence, length n
            The references of the same samples.

        Returns
        -------
        ndarray of float, shape (n, k)
            The k statistics of each sample.
        """

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the score of a corpus.

        Parameters
        ----------
        totals : ndarray of float, shape (k,)
            The statistics, summed over the samples of the corpus.

        Returns
        -------
        float
            The score; NaN where it is not defined.
        """

    def signature(self) -> str:
        """Return the versions and settings that make two scores comparable."""


class CorpusMetric(Protocol):
    """A quality score that is no function of sums over the samples, such as a rank correlation.

    Its interval is a bootstrap that computes the score of 2,000 resamples one by one, in which a
    sample can be many times, so a score has to take less than about a millisecond. A metric may
    have a method `reduced(outputs, references)` that returns what `score` needs of each; it is
    called once, before. A metric with `of_baseline = True`, of either kind, gets the outputs of the
    baseline as references.

    Attributes
    ----------
    name : str
        The name of the measure in thresholds.toml and in reports, such as `spearman`.
    unit : str
        The unit of the score, such as `points`; empty for a plain number.
    higher_is_better : bool
        Whether a higher score means a better model.
    """

    name: str
    unit: str
    higher_is_better: bool

    def score(self, outputs: Sequence[Any], references: Sequence[Any]) -> float:
        """Return the score of a corpus, NaN where it is not defined.

        A score that is not defined for all samples passes no limit. Resamples without a score
        count below the lower and above the upper bound of the interval.

        Parameters
        ----------
        outputs : sequence, length n
            The outputs of the model, one per sample; see `pytest_infperf.suite.outputs.is_absent`
            for what stands for an output that is not finite.
        references : sequence, length n
            The references of the same samples.
        """

    def signature(self) -> str:
        """Return the versions and settings that make two scores comparable."""


AnyMetric: TypeAlias = Metric | CorpusMetric
"""A metric of either kind."""


@dataclass(frozen=True)
class Samples:
    """The test data of a task.

    Parameters
    ----------
    inputs : sequence, length n
        The inputs, of the type that the task's codec encodes.
    references : sequence, length n
        What the output of each input is scored against.
    always : int, default 0
        The number of samples at the end that are measured whatever the task's `sample_size` is,
        such as documents that are searched.
    places : sequence of str, length n, optional
        Where each sample was read from, such as `data/test.csv:7`, for messages of `Task.check`.

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
                "references: each input needs one"
            )
        if not len(self.inputs):
            raise UserError("the test data is empty: it needs at least one sample")

    @property
    def drawn_from(self) -> int:
        """The number of samples at the beginning that are drawn from."""
        return len(self.inputs) - self.always

    def inputs_digest(self) -> str:
        """Return a hash that is equal for equal inputs in any process."""
        return inputs_digest(self.inputs)


def inputs_digest(inputs: Sequence[Any]) -> str:
    """Return a hash of inputs that is equal for equal ones in any process."""
    # Each input is pickled separately, because equal inputs can be one object or several.
    digest = hashlib.sha256()
    for sample in inputs:
        digest.update(hashlib.sha256(pickle.dumps(sample)).digest())
    return digest.hexdigest()


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


class Task(ABC):
    """How a sample becomes a query, and an output a score.

    Subclasses are frozen dataclasses that open no file when they are made.

    Attributes
    ----------
    metrics : sequence of Metric, CorpusMetric or str
        The metrics, or the names of shipped ones. The first one is in the report's first table.
    sample_size : int
        The number of samples that are measured and scored without --infperf-full.
    generates : bool
        Whether models answer token by token. Models of other tasks answer in one pass, and the
        task's codec is an `ArrayCodec`.
    auto_class : str or None
        The name of the Auto class of transformers that opens models of this task.
    answer : str
        The name of the model's output that is the result, of models that answer in one pass.
    calibration : Any
        Data of the form of the test data that calibrates int8="static". None takes a fifth of the
        test data, at most 200 samples, which are then not scored.
    reads_model : bool
        Whether the codec reads files of the model's folder.
    """

    metrics: Sequence[AnyMetric | str]
    sample_size: int

    generates: ClassVar[bool] = False
    auto_class: ClassVar[str | None] = None
    answer: ClassVar[str] = "logits"
    calibration: Any = None
    reads_model: ClassVar[bool] = True

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras of pytest-infperf that reading the data needs."""
        return ()

    @property
    @abstractmethod
    def decoding(self) -> Decoding:
        """The settings that variants must share in order to be compared."""

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
        """Return the task that backends build and load a model for, by default this one.

        A task for models of two kinds, of which one answers token by token, returns one with other
        class attributes.

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

    def check(self, samples: Samples, codec: Any) -> None:  # noqa: B027 - it need not be overridden
        """Check that a model can answer what its outputs are scored against.

        It is called before a model is built and when it is loaded. By default nothing is checked.

        Parameters
        ----------
        samples : Samples
            The test data.
        codec : Codec
            The codec of the model.

        Raises
        ------
        UserError
            If it cannot, such as a classifier whose labels are not those of the data.
        """

    def scored(
        self, outputs: Sequence[Any], references: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return what metrics score, and against what: by default, outputs and references.

        A task whose outputs are scored together, such as vectors of queries and of documents, makes
        others of them. Intervals are bootstraps over what it returns.

        Parameters
        ----------
        outputs : sequence, length n
            The outputs of the samples that are measured; see
            `pytest_infperf.suite.outputs.is_absent` for what stands for one that is not finite.
        references : sequence, length n
            Their references.
        """
        return outputs, references

    def informed_codec(self, model: Path, data: Path) -> Codec:
        """Return the codec of a model, after it has seen the data if it reads nothing of the model.

        Parameters
        ----------
        model : Path
            The folder of the model's files.
        data : Path
            The folder from which samples are read.

        Raises
        ------
        UserError
            As `codec` and `check` do.
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
            The index of the input with which the sample begins.
        length : int
            The length in the unit of the task, such as tokens. The codec's
            `encode(inputs, length)` cuts the features to it.

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
        """Return this task with names of modules in a suite's folder that any process imports.

        Parameters
        ----------
        folder : Path
            The folder of the suite.
        package : str
            The package that the suite is a module of; empty if it is in none.
        """
        return self

    def duration_s(self, sample: Any) -> float | None:
        """Return the duration of a sample of audio or video in seconds; None for other samples."""
        return None
