"""Classification of texts with the model's own tokenizer and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.suite.labels import listed, nearest_label, suggestions
from pytest_infperf.suite.task import AnyMetric, ArrayCodec, Decoding, Samples, Task
from pytest_infperf.tasks.data import Data, read
from pytest_infperf.tasks.data.table import Label
from pytest_infperf.tasks.probabilities import best_classes, sigmoid, softmax
from pytest_infperf.tasks.text_codec import TextCodec, text_of_words, texts_of

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


@dataclass(frozen=True)
class TextClassification(Task):
    """Classification of texts, or of pairs of texts, by models of transformers.

    Model folders have a tokenizer and a `config.json` whose `id2label` names the classes (without
    it they are LABEL_0, LABEL_1 and so on, as in transformers). An answer is the label with the
    largest logit. Of a model for several labels (`problem_type` is `multi_label_classification`)
    it is the list of labels whose logit is above 0. Requires ``pytest-infperf[torch]``.

    Parameters
    ----------
    data : Data
        The test data, a CSV, TSV, JSON, JSON Lines or Parquet file
        relative to the suite's folder, a dataset of the hub, rows, or a function.
    text : str, default "text"
        The column with the text.
    pair : str, optional
        The column with a second text, for models of pairs such as question and answer.
    label : str or sequence of str, default "label"
        The column with the label or, for models for several labels, the list of labels; or one
        column for each label, true where a sample has it. Labels are the model's names. If none
        of them is such a name, they are the numbers of its classes.
    max_tokens : int, default 512
        Length at which texts are truncated, in tokens, special tokens included.
    metrics : sequence of Metric, CorpusMetric or str, default ("accuracy", "f1")
        Quality scores.
    sample_size : int, default 200
        Samples that are measured and scored, drawn with a seed; ``--infperf-full`` takes all.

    Raises
    ------
    UserError
        If the data cannot be read or lacks a column or a cell (when the samples are read); if the
        model folder lacks a file, or the model has fewer than two labels or fewer than `max_tokens`
        positions (when the codec is opened); or if the data has a label that the model does not
        have (before it is built).

    Examples
    --------
    >>> from pytest_infperf import TextClassification
    >>> task = TextClassification(data="data/reviews.csv", text="review", label="stars")
    >>> task.decoding
    {'max_tokens': 512}
    """

    auto_class: ClassVar[str | None] = "AutoModelForSequenceClassification"

    _: KW_ONLY
    data: Data
    text: str = "text"
    pair: str | None = None
    label: str | Sequence[str] = "label"
    max_tokens: int = 512
    metrics: Sequence[AnyMetric | str] = ("accuracy", "f1")
    sample_size: int = 200

    @property
    def decoding(self) -> Decoding:
        return {"max_tokens": self.max_tokens}

    def samples(self, folder: Path) -> Samples:
        labels = [self.label] if isinstance(self.label, str) else [*self.label]
        table = read(self.data, folder, [self.text, *filter(None, [self.pair]), *labels])
        return Samples(texts_of(table, self.text, self.pair), table.labels(self.label))

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """Join texts until they have `length` words, which the codec truncates to tokens."""
        return text_of_words(inputs, number, length)

    def codec(self, model: Path) -> ArrayCodec:
        return LabelCodec(model, self.max_tokens)

    def check(self, samples: Samples, codec: Any) -> None:
        """Check that every label of the data is one of the model's, by name or by number."""
        named = self.data if isinstance(self.data, str) else "the data"
        codec.answer_like(samples.references, named)

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks import payloads

        return payloads.PairToLabel() if self.pair else payloads.TextToLabel()


class LabelCodec(TextCodec):
    """Codec of classifiers. Results are logits, shape [batch, labels].

    Raises
    ------
    UserError
        As `TextCodec` does, and if the model has fewer than two labels.
    """

    labels: Mapping[int, str]
    """The labels by the number of their logit."""
    has_several: bool
    """Whether a sample can have several labels."""

    def __init__(self, model: Path, max_tokens: int) -> None:
        super().__init__(model, max_tokens)
        self.labels = self._read_labels()
        self.has_several = self.config.get("problem_type") == "multi_label_classification"
        self._answers: Mapping[int, str] = self.labels

    def _read_labels(self) -> dict[int, str]:
        """Return the labels as transformers reads them."""
        try:
            names = self.config.get("id2label") or {
                number: f"LABEL_{number}" for number in range(int(self.config.get("num_labels", 2)))
            }
            labels = {int(number): str(label) for number, label in names.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"{self.config_path}: write the configuration of transformers, with the names of "
                f'the labels in "id2label": {{"0": ..., "1": ...}} ({error!r})'
            ) from error
        if len(labels) == 1 and 0 in labels:
            raise UserError(
                f"{self.config_path}: id2label has one label, {labels[0]!r}, as models have that "
                "give a number: use TextRegression, or correct id2label"
            )
        if sorted(labels) != list(range(len(labels))) or len(labels) < 2:
            raise UserError(
                f"{self.config_path}: id2label has {listed(labels.values())} at "
                f"{', '.join(map(str, labels))}, and a classifier needs at least two labels "
                "that are numbered from 0"
            )
        return labels

    def answer_like(self, references: Sequence[Label], data: str) -> None:
        """Answer with names or with numbers, as the references do.

        Parameters
        ----------
        references : sequence of str or list of str
            The labels of the test data.
        data : str
            The name of the test data, for messages.

        Raises
        ------
        UserError
            If a reference has a label that the model does not have, or if one side has lists of
            labels and the other has not.
        """
        lists = [label for label in references if isinstance(label, list)]
        if lists and not self.has_several:
            raise UserError(
                f"{data} has lists of labels, such as {lists[0]}, and the model gives one label: "
                f"for several, {self.config_path} must have the problem_type "
                '"multi_label_classification"'
            )
        if self.has_several and len(lists) < len(references):
            raise UserError(
                "the model gives several labels (problem_type in "
                f"{self.config_path}), and {data} has one label for each sample: write lists, or "
                'name the columns of the labels, as in label=("toxic", "rude")'
            )
        found = {name for label in references for name in _as_list(label)}
        by_number = {number: str(number) for number in self.labels}
        names = {*self.labels.values()}
        self._answers = by_number if found and not found & names else self.labels
        if unknown := sorted(found - {*self._answers.values()}):
            nearest = {label: _nearest(label, self.labels) for label in unknown}
            raise UserError(
                f"the labels of {data} are not those of the model: the data has "
                f"{listed(sorted(found))}, and id2label in {self.config_path} has "
                f"{listed(self.labels.values())}{suggestions(nearest)}. Write the labels of the "
                "data as the model does, by name or by number from 0, or correct id2label"
            )

    def decode(self, results: Any, features: Any) -> list[Any]:
        if results.shape[-1] != len(self.labels):
            raise UserError(
                f"the model answers with {results.shape[-1]} values for each text, and "
                f"{self.config_path} has {len(self.labels)} labels: correct id2label"
            )
        if self.has_several:
            return [self._above_zero(row) for row in results]
        return [None if n is None else self._answers[n] for n in best_classes(results)]

    def _above_zero(self, logits: Any) -> list[str] | None:
        import numpy as np

        if not np.isfinite(logits).all():
            return None
        return [self._answers[int(number)] for number in np.flatnonzero(logits > 0)]

    def probabilities(self, results: Any) -> list[dict[str, float]]:
        """Return the probability of each label, for each sample."""
        probabilities = sigmoid(results) if self.has_several else softmax(results)
        return [dict(zip(self.labels.values(), row, strict=True)) for row in probabilities.tolist()]


def _nearest(label: str, names: Mapping[int, str]) -> str | None:
    """Return the model's label that was probably meant, by its number or by its text."""
    if label.isdecimal() and int(label) in names:
        return names[int(label)]
    near: str | None = nearest_label(label, names.values())
    return near


def _as_list(label: Label) -> list[str]:
    return label if isinstance(label, list) else [label]
