"""The base class of backends, which build an artifact once and load it in a worker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

from pytest_infperf.suite.calibration import calibration_inputs
from pytest_infperf.suite.codec import ArrayCodec
from pytest_infperf.suite.runner import Runner
from pytest_infperf.suite.task import Decoding, Task

Threads = int | Literal["best"] | None
"""A number of threads, "best" for a short interleaved search, or None for the runtime's default."""


@dataclass(frozen=True)
class Material:
    """The inputs of a build.

    Parameters
    ----------
    model : Path
        The folder of the model's files.
    task : Task
        The task of the suite.
    data : Path
        The folder from which the task's samples are read.
    source : Path, optional
        The artifact of `Backend.built_from`, if the backend starts from another artifact.
    folder : Path, optional
        The folder of the suite; None means `data`.
    """

    model: Path
    task: Task
    data: Path
    source: Path | None = None
    folder: Path | None = None

    def codec(self) -> ArrayCodec:
        """Return the codec of a one-pass model."""
        return cast(ArrayCodec, self.task.informed_codec(self.model, self.data))

    def features(self) -> list[dict[str, Any]]:
        """Return the features of single-sample queries for the calibration of a quantisation.

        Returns
        -------
        list of dict of str to ndarray
            The inputs of the model by name, one dict per query.
        """
        codec = self.codec()
        queries = [codec.encode([sample]) for sample in calibration_inputs(self.task, self.data)]
        return [{name: features[name] for name in codec.axes} for features in queries]


@dataclass(frozen=True)
class Backend(ABC):
    """A runtime with its optimisations. It builds an artifact once and loads it in a worker.

    Subclasses are frozen dataclasses with fields of JSON types, because fields are sent to workers
    by name and value. They import their runtime inside `build` and `load`, never at the top of the
    module.

    Parameters
    ----------
    model : str, optional
        A folder, relative to the suite's, or a hub id; None uses the model of the suite.
    id : str, optional
        The stable id of the variant; None uses `default_id`.
    threads : int, "best", None or "suite", default "suite"
        The number of threads. "suite" uses the suite's setting. None uses the runtime's default,
        or fewer threads if affinity and CPU quota allow fewer than the machine's cores.
    cpus : tuple of int, optional
        The cores to which the worker is pinned; None leaves the choice to the system.
    python : str, optional
        The interpreter that builds and runs the variant, relative to the suite's folder, absolute
        or beginning with `~`, such as ``"venvs/genai/bin/python"``. None uses that of the run. Its
        environment must have the packages of the variant.

    Attributes
    ----------
    requires : tuple of str
        The required distributions. Their versions are part of an artifact's key.
    optional : tuple of str
        The distributions that only some models require. The installed versions are part of an
        artifact's key.
    extra : str or None
        The extra of pytest-infperf that installs the required distributions.
    """

    _: KW_ONLY
    model: str | None = None
    id: str | None = None
    threads: Threads | Literal["suite"] = "suite"
    cpus: tuple[int, ...] | None = None
    python: str | None = None

    requires: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str | None] = None

    @property
    @abstractmethod
    def default_id(self) -> str:
        """The id from backend and optimisations, such as `onnx-fused-int8`."""

    @property
    def variant_id(self) -> str:
        """The id of the variant."""
        return self.id or self.default_id

    def recipe(self) -> dict[str, Any]:
        """Return the settings of the build, which become part of the artifact's key."""
        placement = {"model", "id", "threads", "cpus", "python"}
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in placement}
        own = {
            name: value.recipe() if isinstance(value, Backend) else value
            for name, value in values.items()
        }
        return {"backend": f"{type(self).__module__}:{type(self).__qualname__}", **own}

    def built_from(self) -> Backend | None:
        """Return the backend whose artifact is the input of the build; None means the model."""
        return None

    @property
    def interpreter(self) -> str | None:
        """The interpreter of the variant as the suite names it; None means that of the run."""
        source = self.built_from()
        return self.python or (source.interpreter if source else None)

    @property
    def model_files(self) -> tuple[str, ...]:
        """Names of files in the model's folder or, if the variant has no model, the suite's.

        Files that are not downloaded from the hub by default, such as `onnx/model.onnx`, then are.
        """
        return ()

    def files(self, model: Path, folder: Path) -> list[Path]:
        """Return the files, other than the model's, that the artifact depends on.

        Parameters
        ----------
        model : Path
            The folder of the model's files.
        folder : Path
            The folder of the suite.

        Raises
        ------
        UserError
            If a file does not exist or cannot be read.
        """
        return []

    @property
    def calibrates(self) -> bool:
        """Whether the build uses samples (`Material.features`).

        Samples of the test data that are used for a build are not scored in any variant.
        """
        return False

    @property
    def leaves_no_trace(self) -> bool:
        """Whether `build` has no lasting effect on its process except for imported modules.

        Other artifacts can then be built in the same process without importing the runtime again.
        """
        return False

    @property
    def answers_inputs(self) -> bool:
        """Whether the runner converts inputs to outputs itself, without the task's codec.

        Such a backend can have no model. Its `size` is that of the model's files.
        """
        return False

    @property
    def has_tokenizer(self) -> bool:
        """Whether the model's file contains a tokenizer, which the codec uses (`tokenizer`).

        Such a backend can have no model.
        """
        return False

    def tokenizer(self, model: Path, folder: Path) -> Any:
        """Return the tokenizer of a backend with `has_tokenizer`, for `Task.codec_with`.

        Parameters
        ----------
        model : Path
            The folder of the model's files.
        folder : Path
            The folder of the suite.

        Raises
        ------
        UserError
            If the file does not exist or cannot be read.
        """
        raise NotImplementedError

    @property
    def is_remote(self) -> bool:
        """Whether the variant is a server outside of this run.

        Nothing is built, and the memory of the worker is not measured, because it is a client.
        """
        return False

    @property
    def needs_model(self) -> bool:
        """Whether the variant cannot be built or loaded without a model."""
        return not self.answers_inputs

    def beside(self, folder: Path, package: str) -> Self:
        """Return this backend with full names for modules in the suite's folder.

        Parameters
        ----------
        folder : Path
            The folder of the suite.
        package : str
            The package of the suite's module; empty if it is in none.
        """
        return self

    def within(self, timeout_s: float) -> Self:
        """Return this backend with the time limit of a worker's response, if it waits for a server.

        Parameters
        ----------
        timeout_s : float
            The time limit, in seconds.
        """
        return self

    def missing_hardware(self) -> str:
        """Return why this host cannot run the variant; empty if it can.

        The tests of the variant are skipped with this reason.
        """
        return ""

    @abstractmethod
    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        """Write the artifact.

        Parameters
        ----------
        material : Material
            Model, task and data, and the artifact of `built_from`.
        folder : Path
            An empty folder for the artifact.

        Returns
        -------
        dict
            Evidence of the optimisations in JSON types, such as counts of fused operators.

        Raises
        ------
        BuildError
            If the artifact cannot be built.
        """

    @abstractmethod
    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        """Load the artifact in a worker.

        Parameters
        ----------
        artifact : Path
            The folder that `build` wrote. If `answers_inputs` is true, the folder of the model
            instead, or of the suite if there is no model.
        task : Task
            The task of the suite.
        threads : int or None
            The number of threads; None uses the runtime's default.
        """

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        """Return reasons why this variant may not be faster than the baseline.

        Parameters
        ----------
        evidence : mapping
            What `build` returned.
        """
        return []


@dataclass(frozen=True)
class Address:
    """The address of a server outside of this run, and settings of its requests."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Headers of each request, with the values of environment variables."""
    certificates: str | None
    """Path of a file with CA certificates; None for the system's."""
    timeout_s: float
    """Time after which a request counts as an error, in seconds."""
    is_here: bool
    """Whether the address is on this host. Proxies are then not used."""
    secrets: Sequence[str] = field(default=(), repr=False)
    """Texts that messages must not show, each before those that are a part of it."""


class RemoteBackend(Backend):
    """Base class of backends for servers that already run."""

    @property
    def is_remote(self) -> bool:
        return True

    @property
    @abstractmethod
    def takes_batches(self) -> bool:
        """Whether a request contains all samples of a query."""

    @property
    def streams(self) -> bool:
        """Whether requests can ask for streamed responses, by OpenAI's API."""
        return False

    @property
    def usd_per_hour(self) -> float | None:
        """The price of the server, in US dollars per hour; None if unknown."""
        return None

    @abstractmethod
    def address(self) -> Address:
        """Return the address. Raises UserError if an environment variable is not set."""

    @abstractmethod
    def request(
        self, inputs: Sequence[Any], asked: Decoding | None = None, *, stream: bool = False
    ) -> bytes:
        """Return the body of the request for these inputs, as one line.

        Parameters
        ----------
        inputs : sequence
            The inputs.
        asked : mapping, optional
            The settings of decoding of a task that generates tokens, which the request states if it
            can.
        stream : bool, default False
            Whether the response is streamed, if the request can state it.
        """
