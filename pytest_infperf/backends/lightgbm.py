"""Backend for LightGBM models in the text format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_infperf.backends.model_file import ModelFile, OpenedModel, numbers, two_columns
from pytest_infperf.errors import UserError
from pytest_infperf.host.cpu import usable_cores

_UNNAMED = re.compile(r"Column_\d+")


@dataclass(frozen=True)
class LightGBM(ModelFile):
    """LightGBM models from a file of `Booster.save_model`.

    Supports `TabularClassification`, `TabularRegression`, and `Custom` with arrays as inputs. A
    classifier returns a value for each class; the task's `classes` names the numbered classes.
    Columns are matched by name if the model has names. Requires the extra
    ``pytest-infperf[lightgbm]``.

    Parameters
    ----------
    file : str
        The file, a path in the model's folder or, if there is none, in the suite's, such as
        ``"model.txt"``.
    model, id, threads, cpus, python
        As in `Backend`; the id defaults to ``"lightgbm"``. With ``threads=None``, LightGBM uses all
        cores.

    Raises
    ------
    BuildError
        If the model cannot run a sample of the task. Raised when the artifact is built.
    UserError
        If lightgbm is not installed; if the file does not exist or cannot be read; if the model was
        trained on categories of pandas; or if the data lacks a column, or has texts.

    Examples
    --------
    >>> from pytest_infperf import LightGBM
    >>> LightGBM("churn.txt").variant_id
    'lightgbm'
    """

    requires: ClassVar[tuple[str, ...]] = ("lightgbm",)
    extra: ClassVar[str | None] = "lightgbm"

    def opened(self, path: Path, threads: int | None) -> OpenedModel:
        import lightgbm

        try:
            text = path.read_text("utf-8")
            booster = lightgbm.Booster(model_str=text, params={"verbosity": -1})
        except (lightgbm.basic.LightGBMError, ValueError) as error:
            raise UserError(
                f"{path} cannot be read by LightGBM {lightgbm.__version__}: it is damaged, or not "
                "a file of save_model"
            ) from error
        if booster.pandas_categorical:
            raise UserError(
                f"{path} was trained on pandas categories, which test data does not have: use "
                'Function("package.module:load")'
            )
        is_binary = re.search(r"^objective=binary\b", text, re.MULTILINE)
        return _Booster(booster, threads or len(usable_cores()), is_binary=bool(is_binary))


class _Booster:
    """A LightGBM model with its number of threads."""

    evidence: Mapping[str, Any] = {}

    def __init__(self, booster: Any, threads: int, *, is_binary: bool) -> None:
        self.threads = threads
        self._booster = booster
        self._is_binary = is_binary
        names = booster.feature_name()
        self._names = None if all(map(_UNNAMED.fullmatch, names)) else names

    def answer(self, features: Any) -> Any:
        rows = numbers(features, self._names)
        answer = self._booster.predict(rows, num_threads=self.threads)
        return two_columns(answer) if self._is_binary else answer
