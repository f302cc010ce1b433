"""Backend for XGBoost models in their own formats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_infperf.backends.model_file import ModelFile, OpenedModel, numbers, two_columns
from pytest_infperf.errors import UserError
from pytest_infperf.host.cpu import usable_cores


@dataclass(frozen=True)
class XGBoost(ModelFile):
    """XGBoost models from a file of `save_model`.

    Supports `TabularClassification`, `TabularRegression`, and `Custom` with arrays as inputs. A
    classifier returns a value for each class; the task's `classes` names the numbered classes.
    After early stopping, the trees up to the best iteration are used, as in XGBClassifier and
    XGBRegressor. Columns are matched by name if the model has names. Requires the extra
    ``pytest-infperf[xgboost]``, or any other build of xgboost.

    Parameters
    ----------
    file : str
        The file, a path in the model's folder or, if there is none, in the suite's: ``.json`` or
        ``.ubj``.
    model, id, threads, cpus, python
        As in `Backend`; the id defaults to ``"xgboost"``. With ``threads=None``, XGBoost uses all
        cores.

    Raises
    ------
    BuildError
        If the model cannot run a sample of the task. Raised when the artifact is built.
    UserError
        If xgboost is not installed; if the file does not exist or cannot be read; or if the data
        lacks a column, or has texts.

    Examples
    --------
    >>> from pytest_infperf import XGBoost
    >>> XGBoost("churn.ubj").variant_id
    'xgboost'
    """

    optional: ClassVar[tuple[str, ...]] = ("xgboost", "xgboost-cpu")
    extra: ClassVar[str | None] = "xgboost"

    def opened(self, path: Path, threads: int | None) -> OpenedModel:
        try:
            import xgboost
        except ImportError as error:
            raise UserError(
                'XGBoost needs xgboost: pip install "pytest-infperf[xgboost]"'
            ) from error
        if path.suffix not in (".json", ".ubj"):
            raise UserError(
                f"XGBoost({self.file!r}): the file must be a .json or .ubj of save_model"
            )
        booster = xgboost.Booster()
        try:
            booster.load_model(path)
        except (xgboost.core.XGBoostError, ValueError) as error:
            raise UserError(
                f"{path} cannot be read by XGBoost {xgboost.__version__}: it is damaged, or not a "
                "file of save_model"
            ) from error
        return _Booster(booster, threads or len(usable_cores()))


class _Booster:
    """An XGBoost model with its number of threads."""

    evidence: Mapping[str, Any] = {}

    def __init__(self, booster: Any, threads: int) -> None:
        booster.set_param({"nthread": threads})
        self.threads = threads
        self._booster = booster
        learner = json.loads(booster.save_config())["learner"]
        self._is_binary = learner["objective"]["name"].startswith("binary:")
        self._is_linear = learner["gradient_booster"]["name"] == "gblinear"
        best = booster.attr("best_iteration")
        self._trees = (0, 0 if best is None else int(best) + 1)

    def answer(self, features: Any) -> Any:
        rows = numbers(features, self._booster.feature_names)
        if self._is_linear:  # linear models have no inplace_predict
            import xgboost

            data = xgboost.DMatrix(rows, feature_names=self._booster.feature_names)
            answer = self._booster.predict(data)
        else:
            answer = self._booster.inplace_predict(rows, iteration_range=self._trees)
        return two_columns(answer) if self._is_binary else answer
