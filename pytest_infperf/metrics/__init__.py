"""Quality metrics by name, each in a module of its own."""

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
    """A shipped metric by its name; a metric of one's own is given back as it is."""
    if not isinstance(chosen, str):
        return chosen
    if chosen not in _SHIPPED:
        raise UserError(
            f'no metric "{chosen}" is shipped; there are {", ".join(_SHIPPED)}, '
            "and an object that follows pytest_infperf.Metric can stand in its place"
        )
    module, name = _SHIPPED[chosen]
    made: Metric = getattr(import_module(module), name)()
    return made
