"""Labels of a classifier and of its test data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.suite.labels import listed, nearest_label, suggestions


def read_labels(
    config: Mapping[str, Any], config_path: Path, instead: str = "correct id2label"
) -> dict[int, str]:
    """Return the labels by the index of their logit, as transformers reads them.

    Parameters
    ----------
    config : mapping
        The model's configuration.
    config_path : Path
        Its file, for messages.
    instead : str
        The remedy for a model with one label, for messages.

    Raises
    ------
    UserError
        If there are fewer than two labels, or they are not numbered from 0.
    """
    try:
        names = config.get("id2label") or {
            number: f"LABEL_{number}" for number in range(int(config.get("num_labels", 2)))
        }
        labels = {int(number): str(label) for number, label in names.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{config_path} must be a transformers configuration with the names of "
            f'the labels in "id2label": {{"0": ..., "1": ...}} ({error!r})'
        ) from error
    if len(labels) == 1 and 0 in labels:
        raise UserError(
            f"{config_path}: id2label has only one label, {labels[0]!r}, as in a regression "
            f"model: {instead}"
        )
    if sorted(labels) != list(range(len(labels))) or len(labels) < 2:
        raise UserError(
            f"{config_path}: id2label has {listed(labels.values())} at "
            f"{', '.join(map(str, labels))}, but a classifier needs at least two labels, "
            "numbered from 0"
        )
    return labels


def require_one_value_each(
    results: Any, labels: Mapping[int, str], each: str, config_path: Path
) -> None:
    """Raise UserError if a model does not return one value for each of its labels."""
    if results.shape[-1] != len(labels):
        raise UserError(
            f"the model returns {results.shape[-1]} values for each {each}, but "
            f"{config_path} has {len(labels)} labels: correct id2label"
        )


def answers_like(
    found: Collection[str], labels: Mapping[int, str], data: str, config_path: Path
) -> Mapping[int, str]:
    """Return the labels in the form of the test data: names, or class numbers.

    Parameters
    ----------
    found : collection of str
        The distinct labels of the test data.
    labels : mapping of int to str
        The labels of the model.
    data : str
        The name of the test data, for messages.
    config_path : Path
        The file with the labels of the model, for messages.

    Raises
    ------
    UserError
        If the test data has a label that the model does not have.
    """
    by_number = {number: str(number) for number in labels}
    names = {*labels.values()}
    answers = by_number if found and not {*found} & names else labels
    if unknown := sorted({*found} - {*answers.values()}):
        nearest = {label: _nearest(label, labels) for label in unknown}
        raise UserError(
            f"the labels of {data} do not match those of the model: the data has "
            f"{listed(sorted(found))}, and id2label in {config_path} has "
            f"{listed(labels.values())}{suggestions(nearest)}. Use the model's names or "
            "numbers from 0 in the data, or correct id2label"
        )
    return answers


def _nearest(label: str, names: Mapping[int, str]) -> str | None:
    """Return the model's label that is nearest to a label, by number or by name."""
    if label.isdecimal() and int(label) in names:
        return names[int(label)]
    near: str | None = nearest_label(label, names.values())
    return near
