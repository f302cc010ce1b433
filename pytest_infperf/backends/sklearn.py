"""Backend for scikit-learn estimators saved with skops or as pickles."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_infperf.backends.model_file import (
    ModelFile,
    OpenedModel,
    numbers,
    require_columns,
)
from pytest_infperf.errors import UserError
from pytest_infperf.suite.columns import Columns

_PICKLES = (".joblib", ".pkl", ".pickle")


@dataclass(frozen=True)
class Sklearn(ModelFile):
    """Estimators and pipelines of scikit-learn, run with `predict`.

    Supports `TabularClassification`, `TabularRegression`, and `Custom` with arrays as inputs. An
    estimator that was fitted on a DataFrame gets a DataFrame. One that was fitted on texts, such
    as a pipeline with a TfidfVectorizer, gets a list of texts if the table has one column. If the
    file was saved by a different version, the evidence states the version. Requires the extra
    ``pytest-infperf[sklearn]``.

    Parameters
    ----------
    file : str
        The file, a path in the model's folder or, if there is none, in the suite's: ``.skops``, or
        a pickle (``.joblib``, ``.pkl``, ``.pickle``).
    trust : bool or sequence of str, default ()
        Names of trusted types, in addition to those that skops trusts, or True for all types.
        Pickles require True, because they can run any code.
    model, id, threads, cpus, python
        As in `Backend`; the id defaults to ``"sklearn"``. `threads` sets every `n_jobs` and the
        thread pools of OpenMP and BLAS. With ``threads=None``, the settings of the file and of the
        libraries apply.

    Raises
    ------
    BuildError
        If the estimator cannot run a sample of the task. Raised when the artifact is built.
    UserError
        If a required distribution is not installed; if the file does not exist, cannot be read,
        or has types that are not trusted; or if the data lacks a column.

    References
    ----------
    skops: https://skops.readthedocs.io/en/stable/persistence.html

    Examples
    --------
    >>> from pytest_infperf import Sklearn
    >>> Sklearn("forest.skops", id="forest").variant_id
    'forest'
    """

    _: KW_ONLY
    trust: bool | Sequence[str] = ()

    requires: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    optional: ClassVar[tuple[str, ...]] = ("skops", "joblib", "pandas")
    extra: ClassVar[str | None] = "sklearn"

    def opened(self, path: Path, threads: int | None) -> OpenedModel:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator = self._read(path)
        if not callable(getattr(estimator, "predict", None)):
            raise UserError(
                f"{path} has an object of type {type(estimator).__name__}, which has no predict"
            )
        saved_by = {
            str(version)
            for warning in caught
            if (version := getattr(warning.message, "original_sklearn_version", None))
        }
        return _Estimator(estimator, sorted(saved_by), threads)

    def _read(self, path: Path) -> Any:
        if path.suffix in _PICKLES:
            if self.trust is not True:
                raise UserError(
                    f"{path} is a pickle, which can run any code when it is opened: save the "
                    'estimator with skops.io.dump(estimator, "model.skops"), or, if you trust '
                    f"its author, set Sklearn({self.file!r}, trust=True)"
                )
            import joblib

            read = joblib.load
        elif path.suffix == ".skops":
            read = self._read_skops
        else:
            raise UserError(
                f"Sklearn({self.file!r}): the file must be .skops, or a pickle with the suffix "
                f"{', '.join(_PICKLES)}"
            )
        try:
            return read(path)
        except UserError:
            raise
        except Exception as error:  # raised by zip, pickle, or any class in the file
            raise UserError(
                f"{path} cannot be read: {type(error).__name__}: {error}. It may be damaged, or "
                "require modules that are not installed"
            ) from error

    def _read_skops(self, path: Path) -> Any:
        try:
            from skops import io
        except ImportError as error:
            raise UserError(
                f'reading {path} needs skops: pip install "pytest-infperf[sklearn]"'
            ) from error
        found = io.get_untrusted_types(file=path)
        trusted = found if self.trust is True else list(self.trust or ())
        if unknown := sorted({*found} - {*trusted}):
            raise UserError(
                f"{path} has types that skops does not trust: {', '.join(unknown)}. If you know "
                f"who wrote it, say Sklearn({self.file!r}, trust={unknown!r})"
            )
        return io.load(path, trusted=trusted)

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        if not (saved_by := evidence.get("saved_by")):
            return []
        return [
            f"{self.file} was saved by scikit-learn {saved_by}, and its outputs may differ here"
        ]


class _Estimator:
    """An estimator with its number of threads."""

    def __init__(self, estimator: Any, saved_by: Sequence[str], threads: int | None) -> None:
        import joblib
        import threadpoolctl

        self._estimator = estimator
        self._names = getattr(estimator, "feature_names_in_", None)
        self.evidence: Mapping[str, Any] = {"saved_by": ", ".join(saved_by)} if saved_by else {}
        jobs = {
            name: value
            for name, value in getattr(estimator, "get_params", dict)().items()
            if name == "n_jobs" or name.endswith("__n_jobs")
        }
        if threads is not None:
            if jobs:
                estimator.set_params(**dict.fromkeys(jobs, threads))
            threadpoolctl.threadpool_limits(threads)
            self.threads = threads
        else:
            pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
            self.threads = max([1, *pools, *map(joblib.effective_n_jobs, jobs.values())])

    def answer(self, features: Any) -> Any:
        return self._estimator.predict(self._input(features))

    def _input(self, features: Any) -> Any:
        if not isinstance(features, Columns):
            return numbers(features, None)
        if self._names is not None:
            require_columns(features, self._names)
            return features.frame(self._names)
        if features.matrix is None and len(features.kinds) == 1:
            return features[next(iter(features.kinds))][:, 0].tolist()
        return numbers(features, None)
