"""Scoring of texts with models that have one output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.suite.codec import ArrayCodec
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding
from pytest_infperf.tasks.text_codec import TextCodec
from pytest_infperf.tasks.text_task import TextTask

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


@dataclass(frozen=True)
class TextRegression(TextTask):
    """Scoring of texts, or of pairs of texts, with transformers models that have one output.

    These are sequence classifiers of transformers with one label in `id2label`, for example
    cross-encoders for sentence similarity. The output is the number that the model returns.
    Requires ``pytest-infperf[torch]``.

    Parameters
    ----------
    data : Data
        The test data, as for `TextClassification`.
    text : str, default "text"
        The column with the text.
    pair : str, optional
        The column with a second text.
    score : str, default "label"
        The column with the correct number.
    max_tokens : int, default 512
        Maximum length of a text, in tokens, including special tokens; longer texts are truncated.
    calibration : Data, optional
        Samples of the same form that calibrate ``int8="static"``, at most 200. None uses a fifth
        of the test data, at most 200 samples, which are not scored.
    metrics : sequence of Metric, CorpusMetric or str, default ("pearson", "spearman")
        Quality scores.
    sample_size : int, default 200
        Number of samples to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If the data cannot be read or a score is not a number (when the samples are read), or if
        the model folder lacks a file or the model has several outputs (when the codec is opened).

    Examples
    --------
    >>> from pytest_infperf import TextRegression
    >>> task = TextRegression(data="sts.tsv", text="sentence1", pair="sentence2", score="score")
    >>> task.metrics
    ('pearson', 'spearman')
    """

    auto_class: ClassVar[str | None] = "AutoModelForSequenceClassification"

    _: KW_ONLY
    score: str = "label"
    max_tokens: int = 512
    metrics: Sequence[AnyMetric | str] = ("pearson", "spearman")
    sample_size: int = 200

    @property
    def decoding(self) -> Decoding:
        return {"max_tokens": self.max_tokens}

    def samples(self, folder: Path) -> Samples:
        table = self.table(folder, [self.score])
        return Samples(self.inputs(table), table.numbers(self.score))

    def codec(self, model: Path) -> ArrayCodec:
        return ScoreCodec(model, self.max_tokens)

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks import payloads

        return payloads.PairToScore() if self.pair else payloads.TextToScore()


class ScoreCodec(TextCodec):
    """Codec for models with one output for each text. Results have the shape [batch, 1].

    Raises
    ------
    UserError
        As `TextCodec`, and also if the model has several labels.
    """

    def __init__(self, model: Path, max_tokens: int) -> None:
        super().__init__(model, max_tokens)
        if len(names := self.config.get("id2label") or {0: ""}) != 1:
            raise UserError(
                f"{self.config_path} has {len(names)} labels, but a regression model has one: use "
                "TextClassification"
            )

    def decode(self, results: Any, features: Any) -> list[Any]:
        import numpy as np

        if results.shape[-1] != 1:
            raise UserError(
                f"the model returns {results.shape[-1]} values for each text, but a regression "
                "model must return one"
            )
        return [float(score) if np.isfinite(score) else None for score in results[:, 0]]
