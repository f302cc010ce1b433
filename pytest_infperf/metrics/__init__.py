"""Quality metrics by name, each in its own module."""

from __future__ import annotations

import re
from importlib import import_module

from pytest_infperf.errors import UserError
from pytest_infperf.suite.metric import AnyMetric

SHIPPED = {
    "bleu": ("pytest_infperf.metrics.bleu", "Bleu"),
    "chrf": ("pytest_infperf.metrics.chrf", "ChrF"),
    "accuracy": ("pytest_infperf.metrics.accuracy", "Accuracy"),
    "f1": ("pytest_infperf.metrics.f1", "F1"),
    "wer": ("pytest_infperf.metrics.error_rate", "Wer"),
    "cer": ("pytest_infperf.metrics.error_rate", "Cer"),
    "pearson": ("pytest_infperf.metrics.correlation", "Pearson"),
    "spearman": ("pytest_infperf.metrics.correlation", "Spearman"),
    "mae": ("pytest_infperf.metrics.regression", "Mae"),
    "rmse": ("pytest_infperf.metrics.regression", "Rmse"),
    "exact_match": ("pytest_infperf.metrics.exact_match", "ExactMatch"),
    "rouge1": ("pytest_infperf.metrics.rouge", "Rouge1"),
    "rouge2": ("pytest_infperf.metrics.rouge", "Rouge2"),
    "rougeL": ("pytest_infperf.metrics.rouge", "RougeL"),
    "f1_micro": ("pytest_infperf.metrics.f1", "F1Micro"),
    "f1_samples": ("pytest_infperf.metrics.f1", "F1Samples"),
    "top5_accuracy": ("pytest_infperf.metrics.top_k", "TopK"),
    "ndcg": ("pytest_infperf.metrics.ranking", "Ndcg"),
    "recall_at_10": ("pytest_infperf.metrics.ranking", "Recall"),
    "mrr": ("pytest_infperf.metrics.ranking", "Mrr"),
    "cosine": ("pytest_infperf.metrics.cosine", "Cosine"),
    "cosine_min": ("pytest_infperf.metrics.cosine", "CosineMin"),
    "cosine_fraction": ("pytest_infperf.metrics.cosine", "CosineFraction"),
    "sts_spearman": ("pytest_infperf.metrics.cosine", "StsSpearman"),
    "entity_f1": ("pytest_infperf.metrics.entities", "EntityF1"),
    "token_accuracy": ("pytest_infperf.metrics.entities", "TokenAccuracy"),
}
"""Module and class of each metric by its name."""
_WITH_K = {
    re.compile(r"top([1-9]\d*)_accuracy"): ("pytest_infperf.metrics.top_k", "TopK"),
    re.compile(r"ndcg_at_([1-9]\d*)"): ("pytest_infperf.metrics.ranking", "Ndcg"),
    re.compile(r"recall_at_([1-9]\d*)"): ("pytest_infperf.metrics.ranking", "Recall"),
}
"""Metrics whose name contains the number of labels or ids that count."""


def metric(chosen: AnyMetric | str) -> AnyMetric:
    """Return the shipped metric with that name, or a metric object unchanged.

    Parameters
    ----------
    chosen : Metric, CorpusMetric or str
        Name of a shipped metric, such as `accuracy` or `top5_accuracy` (with any number), or an
        object that follows `pytest_infperf.Metric` or `pytest_infperf.CorpusMetric`.

    Returns
    -------
    Metric or CorpusMetric
        The metric with its default settings.

    Raises
    ------
    UserError
        If no shipped metric has the name.
    """
    if not isinstance(chosen, str):
        return chosen
    for pattern, (module, name) in _WITH_K.items():
        if found := pattern.fullmatch(chosen):
            ranked: AnyMetric = getattr(import_module(module), name)(k=int(found[1]))
            return ranked
    if chosen not in SHIPPED:
        raise UserError(
            f'no shipped metric is named "{chosen}"; use one of {", ".join(SHIPPED)}, or an '
            "object that follows pytest_infperf.Metric or pytest_infperf.CorpusMetric"
        )
    module, name = SHIPPED[chosen]
    made: AnyMetric = getattr(import_module(module), name)()
    return made
