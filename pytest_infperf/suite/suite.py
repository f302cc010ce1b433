"""A suite: a task with its data and metrics, a model, and the variants that run it.

A suite is a value: it opens no file and imports no runtime, so the run and its workers load the
same suite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pytest_infperf.errors import UserError
from pytest_infperf.records.points import point
from pytest_infperf.suite.backend import Backend, Threads
from pytest_infperf.suite.calibration import held_out_numbers
from pytest_infperf.suite.codec import Codec, InputsCodec
from pytest_infperf.suite.loads import Load
from pytest_infperf.suite.runner import Runner
from pytest_infperf.suite.serving import Serving
from pytest_infperf.suite.task import Task


@dataclass(frozen=True)
class Sweep:
    """Several values of one parameter of queries, measured interleaved.

    Parameters
    ----------
    parameter : {"batch", "length", "threads"}
        The number of samples per query, the length of each sample (in the unit of the task, such as
        tokens or seconds), or the number of threads.
    values : sequence of int
        Two or more values of at least 1, in ascending order.
    variants : str, default "*"
        A glob over the ids of the variants to measure.

    Raises
    ------
    UserError
        If the values are not two or more integers of at least 1 in ascending order.
    """

    parameter: Literal["batch", "length", "threads"]
    values: Sequence[int]
    variants: str = "*"

    def __post_init__(self) -> None:
        ascending = all(a < b for a, b in pairwise(self.values))
        if len(self.values) < 2 or self.values[0] < 1 or not ascending:
            raise UserError(
                f"Sweep({self.parameter!r}): values={list(self.values)} must be two or more "
                "integers of at least 1 in ascending order"
            )

    @property
    def points(self) -> list[str]:
        """The names of the points, such as `length=512`."""
        return [point(self.parameter, value) for value in self.values]


@dataclass(frozen=True)
class Suite:
    """A task with its data, metrics and variants.

    Parameters
    ----------
    name : str
        The name in thresholds.toml, records and reports.
    task : Task
        The task, which defines how a sample becomes a query and an output a score.
    model : str, optional
        The default model of the variants: a folder, relative to the suite's, or a hub id, such as
        `owner/name`, `owner/name@revision` or `gpt2`. Some variants need no model: those such as
        `Function`, and those with a `file` if the task does not read the model's folder, such as
        `Custom`.
    variants : sequence of Backend
        The variants to measure, at least one, with different ids. The hook
        `pytest_infperf_variants` adds to them.
    baseline : str, optional
        The id of the variant with which others are compared. `baseline` in thresholds.toml and
        --infperf-baseline override it. None disables comparisons.
    threads : int, "best" or None, optional
        The default number of threads of the variants: a number, "best" for the best one of a short
        search, or None for the runtime's default.
    sweeps : sequence of Sweep, optional
        The sweeps of `variant.sweep`, at most one per parameter.
    serving : Serving, optional
        The server settings of `variant.load` and `infperf serve`.
    loads : sequence of Load, optional
        The loads of `variant.load`, with different names.

    Raises
    ------
    UserError
        If there is no variant, a variant requires a model and has none, two variants, loads or
        sweeps have the same name, a name cannot be printed, a load uses a payload that is not
        served, or the baseline is not one of the variants.

    Examples
    --------
    >>> from pytest_infperf import Onnx, Suite, Torch, Translation
    >>> suite = Suite(
    ...     "translation",
    ...     task=Translation(source="data/test.zho", reference="data/test.eng"),
    ...     model="Helsinki-NLP/opus-mt-zh-en",
    ...     baseline="torch",
    ...     variants=[Torch(), Onnx(fused=True, int8="dynamic")],
    ... )
    >>> suite.variant_ids
    ['torch', 'onnx-fused-int8']
    """

    name: str
    _: KW_ONLY
    task: Task
    model: str | None = None
    variants: Sequence[Backend]
    baseline: str | None = None
    threads: Threads = None
    sweeps: Sequence[Sweep] = ()
    serving: Serving = field(default_factory=Serving)
    loads: Sequence[Load] = ()
    folder: Path = field(default=Path())
    """The folder of suite.py; set when the suite is loaded."""

    def __post_init__(self) -> None:
        ids = self.variant_ids
        if not ids:
            raise UserError(
                f"Suite({self.name!r}): variants is empty, so nothing would be measured; add at "
                "least one variant, such as Torch() or Onnx() (the hook pytest_infperf_variants "
                "only adds to the variants of a suite)"
            )
        if unprintable := [name for name in (self.name, *ids) if not name.isprintable()]:
            raise UserError(
                f"Suite({self.name!r}): the name {unprintable[0]!r} has a line break or another "
                "character that cannot be printed"
            )
        self._refuse_repeated(
            "variants", ids, "give one of them a different id: Torch(..., id=...)"
        )
        self._refuse_repeated("loads", [load.name for load in self.loads], "remove one of them")
        self._refuse_unknown_payloads()
        self._refuse_repeated(
            "sweeps",
            [sweep.parameter for sweep in self.sweeps],
            "measure all values in one sweep",
        )
        for variant in self.variants:
            brings_codec = variant.answers_inputs or variant.has_tokenizer
            needs_model = variant.needs_model or (self.task.reads_model and not brings_codec)
            if self.model_of(variant) is None and needs_model:
                raise UserError(
                    f"Suite({self.name!r}): the variant {variant.variant_id} has no model: set it "
                    "for all variants, Suite(..., model=...), or for this one, "
                    f"{type(variant).__name__}(model=...)"
                )
        if self.baseline is not None and self.baseline not in ids:
            near = get_close_matches(self.baseline, ids, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(ids)}"
            raise UserError(
                f"Suite({self.name!r}): the baseline {self.baseline!r} is not a variant; {hint}"
            )

    def _refuse_repeated(self, what: str, names: Iterable[str], remedy: str) -> None:
        if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
            raise UserError(
                f"Suite({self.name!r}): several {what} have the name {', '.join(repeated)}; "
                f"{remedy}"
            )

    def _refuse_unknown_payloads(self) -> None:
        for load in self.loads:
            if load.payload:
                try:
                    self.serving.payload(load.payload)
                except UserError as error:
                    raise UserError(
                        f"Suite({self.name!r}): the load {load.name}: {error}"
                    ) from None

    def at(self, folder: Path, package: str = "") -> Suite:
        """Return this suite with the folder of its suite.py and the package of that module."""
        return replace(
            self,
            folder=folder,
            task=self.task.beside(folder, package),
            variants=[variant.beside(folder, package) for variant in self.variants],
        )

    def with_variants(self, more: Sequence[Backend]) -> Suite:
        """Return this suite with more variants.

        Raises
        ------
        UserError
            If two variants have the same id.
        """
        return replace(self, variants=(*self.variants, *more))

    @property
    def variant_ids(self) -> list[str]:
        """The ids of the variants, in their order."""
        return [variant.variant_id for variant in self.variants]

    def variant(self, variant_id: str) -> Backend:
        """Return the variant with an id."""
        return next(v for v in self.variants if v.variant_id == variant_id)

    def load(self, name: str) -> Load:
        """Return the load with a name.

        Raises
        ------
        UserError
            If the suite has no such load.
        """
        loads = {load.name: load for load in self.loads}
        if name not in loads:
            raise self._lacks(f"load {name!r}", loads, "loads=[ClosedLoop(4)]")
        return loads[name]

    def sweep(self, parameter: str) -> Sweep:
        """Return the sweep of a parameter.

        Raises
        ------
        UserError
            If the suite has no such sweep.
        """
        sweeps: dict[str, Sweep] = {sweep.parameter: sweep for sweep in self.sweeps}
        if parameter not in sweeps:
            raise self._lacks(f"sweep of {parameter!r}", sweeps, "sweeps=[Sweep(...)]")
        return sweeps[parameter]

    def _lacks(self, what: str, known: Iterable[str], remedy: str) -> UserError:
        names = ", ".join(known) or "none"
        return UserError(f"the suite {self.name} has no {what}, only {names}: Suite({remedy})")

    def held_out_numbers(self, count: int) -> frozenset[int]:
        """Return the indices of the samples that calibrate a variant and are not scored.

        Parameters
        ----------
        count : int
            The number of samples of the test data.

        Raises
        ------
        UserError
            If a variant is calibrated and there are too few samples.
        """
        calibrates = any(variant.calibrates for variant in self.variants)
        if self.task.calibration is not None or not calibrates:
            return frozenset()
        return frozenset(held_out_numbers(count))

    def model_of(self, backend: Backend) -> str | None:
        """Return the folder or hub id of a variant's model; None if it has none."""
        return None if backend.is_remote else backend.model or self.model

    def codec_of(self, backend: Backend, model: str, data: Path | None = None) -> Codec:
        """Return the codec of a variant.

        Parameters
        ----------
        backend : Backend
            The backend of the variant.
        model : str
            The folder of its model's files; empty if it has no model.
        data : Path, optional
            The folder of the samples for a codec that depends on the data instead of the model;
            None for a codec without samples.

        Raises
        ------
        UserError
            If the folder lacks a file that the codec needs.
        """
        if backend.answers_inputs:
            return InputsCodec()
        folder = self.model_folder(model)
        if backend.has_tokenizer:
            return self.task.codec_with(backend.tokenizer(folder, self.folder))
        return self.task.informed_codec(folder, data) if data else self.task.codec(folder)

    def model_folder(self, model: str) -> Path:
        """Return the folder of a variant's model, or that of the suite if the name is empty."""
        return Path(model) if model else self.folder

    def loaded(self, backend: Backend, model: str, artifact: str, threads: int | None) -> Runner:
        """Load a variant.

        Parameters
        ----------
        backend : Backend
            The backend of the variant.
        model : str
            The folder of its model's files; empty if it has no model.
        artifact : str
            The folder of its artifact.
        threads : int or None
            The number of threads; None uses the runtime's default.
        """
        source = (model or self.folder) if backend.answers_inputs else artifact
        task = self.task.for_model(Path(model)) if model else self.task
        return backend.load(Path(source), task, threads)

    def threads_of(self, backend: Backend) -> Threads:
        """Return the number of threads of a variant, "best", or None for the runtime's default."""
        return self.threads if backend.threads == "suite" else backend.threads
