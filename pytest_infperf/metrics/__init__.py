"""Quality metrics by name, each in its own module."""

from __future__ import annotations

from importlib import import_module

from pytest_infperf.errors import UserError
from pytest_infperf.suite.task import Metric

_SHIPPED = {
    "bleu": ("pytest_infperf.metrics.bleu", "Bleu"),
    "chrf": ("pytest_infperf.metrics.chrf", "ChrF"),
    "accuracy": ("pytest_infperf.metrics.accuracy", "Accuracy"),
    "f1": ("pytest_infperf.metrics.f1", "F1"),
    "wer": ("pytest_infperf.metrics.error_rate", "Wer"),
    "cer": ("pytest_infperf.metrics.error_rate", "Cer"),
}


def metric(chosen: Metric | str) -> Metric:
    """Return the shipped metric with that name, or a metric object unchanged.

    Parameters
    ----------
    chosen : Metric or str
        Name of a shipped metric, or an object that follows `pytest_infperf.Metric`.

    Returns
    -------
    Metric
        The metric with its default settings.

    Raises
    ------
    UserError
        If no shipped metric has the name.
    """
    if not isinstance(chosen, str):
        return chosen
    if chosen not in _SHIPPED:
        raise UserError(
            f'no shipped metric is named "{chosen}"; use one of {", ".join(_SHIPPED)}, or an '
            "object that follows pytest_infperf.Metric"
        )
    module, name = _SHIPPED[chosen]
    made: Metric = getattr(import_module(module), name)()
    return made
