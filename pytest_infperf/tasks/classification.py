"""Classification of texts with the model's own tokenizer and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.suite.codec import ArrayCodec
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding
from pytest_infperf.tasks.data.table import Label
from pytest_infperf.tasks.labels import answers_like, read_labels, require_one_value_each
from pytest_infperf.tasks.probabilities import best_classes, sigmoid, softmax
from pytest_infperf.tasks.text_codec import TextCodec
from pytest_infperf.tasks.text_task import TextTask

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


@dataclass(frozen=True)
class TextClassification(TextTask):
    """Classification of texts, or of pairs of texts, with transformers models.

    The model folder contains a tokenizer and a `config.json` whose `id2label` names the classes
    (by default LABEL_0, LABEL_1 and so on, as in transformers). The output is the label with the
    largest logit. For multi-label models (`problem_type` is `multi_label_classification`), it is
    the list of labels with a logit above 0. Requires ``pytest-infperf[torch]``.

    Parameters
    ----------
    data : Data
        The test data: a CSV, TSV, JSON, JSON Lines or Parquet file relative to the suite's folder,
        a hub dataset, rows, or a function.
    text : str, default "text"
        The column with the text.
    pair : str, optional
        The column with a second text, for models of pairs such as question and answer.
    label : str or sequence of str, default "label"
        The column with the label or, for multi-label models, the list of labels; or one column for
        each label, true for the samples that have it. Labels are the model's names of the classes.
        If no label is such a name, labels are class numbers.
    max_tokens : int, default 512
        Maximum length of a text, in tokens, including special tokens; longer texts are truncated.
    calibration : Data, optional
        Samples of the same form that calibrate ``int8="static"``, at most 200. None uses a fifth
        of the test data, at most 200 samples, which are not scored.
    metrics : sequence of Metric, CorpusMetric or str, default ("accuracy", "f1")
        Quality scores.
    sample_size : int, default 200
        Number of samples to measure and score, drawn with a seed; ``--infperf-full`` uses all.

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
    label: str | Sequence[str] = "label"
    max_tokens: int = 512
    metrics: Sequence[AnyMetric | str] = ("accuracy", "f1")
    sample_size: int = 200

    @property
    def decoding(self) -> Decoding:
        return {"max_tokens": self.max_tokens}

    def samples(self, folder: Path) -> Samples:
        labels = [self.label] if isinstance(self.label, str) else [*self.label]
        table = self.table(folder, labels)
        return Samples(self.inputs(table), table.labels(self.label))

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
        As `TextCodec`, and also if the model has fewer than two labels.
    """

    labels: Mapping[int, str]
    """Labels by the index of their logit."""
    has_several: bool
    """Whether a sample can have several labels."""

    def __init__(self, model: Path, max_tokens: int) -> None:
        super().__init__(model, max_tokens)
        self.labels = read_labels(
            self.config, self.config_path, instead="use TextRegression, or correct id2label"
        )
        self.has_several = self.config.get("problem_type") == "multi_label_classification"
        self._answers: Mapping[int, str] = self.labels

    def answer_like(self, references: Sequence[Label], data: str) -> None:
        """Return names or numbers as outputs, whichever the references use.

        Parameters
        ----------
        references : sequence of str or list of str
            The labels of the test data.
        data : str
            The name of the test data, for messages.

        Raises
        ------
        UserError
            If a reference has a label that the model does not have, or if only one of the data
            and the model has lists of labels.
        """
        lists = [label for label in references if isinstance(label, list)]
        if lists and not self.has_several:
            raise UserError(
                f"{data} has lists of labels, such as {lists[0]}, but the model returns one label: "
                f"a multi-label model needs problem_type "
                f'"multi_label_classification" in {self.config_path}'
            )
        if self.has_several and len(lists) < len(references):
            raise UserError(
                "the model returns several labels (problem_type in "
                f"{self.config_path}), but {data} has one label for each sample: write lists, or "
                'name the columns of the labels, as in label=("toxic", "rude")'
            )
        found = {name for label in references for name in _as_list(label)}
        self._answers = answers_like(found, self.labels, data, self.config_path)

    def decode(self, results: Any, features: Any) -> list[Any]:
        require_one_value_each(results, self.labels, "text", self.config_path)
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


def _as_list(label: Label) -> list[str]:
    return label if isinstance(label, list) else [label]
