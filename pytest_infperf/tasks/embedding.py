"""Embeddings of texts, with sentence-transformers models and plain encoders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pytest_infperf.errors import UserError
from pytest_infperf.suite.codec import ArrayCodec
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding, Task
from pytest_infperf.tasks.data import ReadsCalibration
from pytest_infperf.tasks.text_codec import TextCodec
from pytest_infperf.tasks.text_task import JoinsTexts, TextTask

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload

Pooling = Literal["mean", "cls", "max"]

_MODULES = "modules.json"
_POOLING_MODES: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}


class EncoderTask(JoinsTexts, ReadsCalibration, Task):
    """Base class of tasks for text encoders."""

    prefix: str = ""
    pooling: Pooling | None
    normalize: bool | None
    max_tokens: int | None

    auto_class: ClassVar[str | None] = "AutoModel"
    answer: ClassVar[str] = "last_hidden_state"

    def codec(self, model: Path) -> ArrayCodec:
        return EmbeddingCodec(model, self)

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import TextToVector

        return TextToVector()


@dataclass(frozen=True)
class Embedding(EncoderTask, TextTask):
    """Embedding of texts with transformers encoders and the pooling of sentence-transformers.

    An output is the vector of a text, or the two vectors of a pair. By default, a
    sentence-transformers folder is pooled and normalised as its modules specify, and a plain
    encoder is pooled by the mean. Requires ``pytest-infperf[torch]``.

    Parameters
    ----------
    data : Data
        The test data: a CSV, TSV, JSON, JSON Lines or Parquet file relative to the suite's folder,
        a hub dataset, rows, or a function.
    text : str, default "text"
        The column with the text.
    pair : str, optional
        The column with a second text, for pairs of known similarity.
    score : str, optional
        The column with the similarity of a pair, on any scale; requires `pair`.
    prefix : str, default ""
        Text that is prepended to each text, such as "query: " for E5.
    pooling : {"mean", "cls", "max"} or None, default None
        How token vectors are combined into one; None uses the model's pooling, or else the mean.
    normalize : bool or None, default None
        Whether vectors have length 1; None uses the model's setting, or else False.
    max_tokens : int or None, default None
        Maximum length of a text, in tokens, including special tokens; longer texts are truncated.
        None uses the model's limit, or else 512.
    calibration : Data, optional
        Samples of the same form that calibrate ``int8="static"``, at most 200. None uses a fifth
        of the test data, at most 200 samples, which are not scored.
    metrics : sequence of Metric, CorpusMetric or str, default ("cosine", "cosine_min")
        Quality scores. "cosine", "cosine_min" and "cosine_fraction" compare vectors with the
        baseline's; "sts_spearman" compares the cosines of pairs with their scores.
    sample_size : int, default 200
        Number of samples to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If `score` is given without `pair`; if the data cannot be read or lacks a column or a cell
        (when the samples are read); or if the model folder lacks a file or has an unknown module
        (when the codec is opened).

    References
    ----------
    Reimers and Gurevych 2019, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks".

    Examples
    --------
    >>> from pytest_infperf import Embedding
    >>> task = Embedding(
    ...     data="sts.tsv", text="a", pair="b", score="similarity",
    ...     metrics=("sts_spearman", "cosine"),
    ... )
    >>> task.decoding
    {'prefix': ''}
    """

    _: KW_ONLY
    score: str | None = None
    prefix: str = ""
    pooling: Pooling | None = None
    normalize: bool | None = None
    max_tokens: int | None = None
    metrics: Sequence[AnyMetric | str] = ("cosine", "cosine_min")
    sample_size: int = 200

    def __post_init__(self) -> None:
        if self.score and not self.pair:
            raise UserError(
                f"Embedding(score={self.score!r}) requires pair=..., the column of the second text"
            )

    @property
    def decoding(self) -> Decoding:
        return {"prefix": self.prefix}

    def samples(self, folder: Path) -> Samples:
        table = self.table(folder, [self.score] if self.score else [])
        texts = self.inputs(table)
        references = table.numbers(self.score) if self.score else [str(text) for text in texts]
        return Samples(texts, references)


class EmbeddingCodec(TextCodec):
    """Codec from texts, or pairs of texts, to vectors.

    Results are the hidden states of the tokens, shape [batch, tokens, size], or vectors if the
    model pools them, shape [batch, size]. A pair is two rows of the batch.

    Parameters
    ----------
    model : Path
        The model's folder.
    task : EncoderTask
        The task.

    Raises
    ------
    UserError
        As `TextCodec`, and also if the folder has an unknown sentence-transformers module.
    """

    def __init__(self, model: Path, task: EncoderTask) -> None:
        modules = dict(_modules(model))
        pooling = modules.get("Pooling")
        self._pooling: Pooling = task.pooling or (_pooling_of(pooling) if pooling else "mean")
        normalizes = "Normalize" in modules if task.normalize is None else task.normalize
        self._normalizes = normalizes
        self._prefix = task.prefix
        super().__init__(model, task.max_tokens or _max_tokens_of(model))

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> dict[str, Any]:
        pairs = [[text] if isinstance(text, str) else list(text) for text in inputs]
        texts = [self._prefix + text for pair in pairs for text in pair]
        return {**super().encode(texts, length), "vectors": [len(pair) for pair in pairs]}

    def decode(self, results: Any, features: Any) -> list[Any]:
        import numpy as np

        pooled = results if results.ndim == 2 else self._pooled(results, features["attention_mask"])
        if self._normalizes:
            lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
            pooled = pooled / np.maximum(lengths, np.finfo(np.float32).tiny)
        vectors = iter(pooled.tolist())
        return [
            next(vectors) if count == 1 else [next(vectors) for _ in range(count)]
            for count in features["vectors"]
        ]

    def _pooled(self, hidden: Any, mask: Any) -> Any:
        """Return one vector for each row, without the tokens of the padding."""
        import numpy as np

        if self._pooling == "cls":
            return hidden[:, 0]
        weights = mask[:, :, None].astype(hidden.dtype)
        if self._pooling == "max":
            return np.where(weights > 0, hidden, -np.inf).max(axis=1)
        return (hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)


def _modules(model: Path) -> Iterator[tuple[str, Path]]:
    """Yield the kind and the folder of each module of a sentence-transformers folder."""
    path = model / _MODULES
    if not path.is_file():
        return
    try:
        listed = [
            (str(module["type"]).rpartition(".")[2], model / str(module["path"]))
            for module in json.loads(path.read_text("utf-8"))
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not a list of sentence-transformers modules ({error!r})"
        ) from error
    for kind, folder in listed:
        if kind not in ("Transformer", "Pooling", "Normalize"):
            raise UserError(
                f"{path} has the unknown module {kind}, so the vectors would be wrong. For this "
                'model, use Function("package.module:load") with sentence_transformers'
            )
        if kind == "Transformer" and folder.resolve() != model.resolve():
            raise UserError(
                f"{path} has its encoder in the subfolder {folder.name}: save the model again with "
                "a current version of sentence-transformers"
            )
        yield kind, folder


def _pooling_of(folder: Path) -> Pooling:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
        modes = [
            name for name, value in config.items() if name.startswith("pooling_mode") and value
        ]
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is not a pooling configuration ({error!r})") from error
    if len(modes) != 1 or modes[0] not in _POOLING_MODES:
        raise UserError(
            f"{path} sets {' and '.join(modes) or 'no pooling mode'}: exactly one of "
            f"{', '.join(_POOLING_MODES)} is supported. Use Function with sentence_transformers"
        )
    return _POOLING_MODES[modes[0]]


def _max_tokens_of(model: Path) -> int:
    """Return the limit of sentence-transformers, or else the encoder's, at most 512."""
    of_sentences = _limit(model / "sentence_bert_config.json", "max_seq_length")
    return of_sentences or min(_limit(model / "config.json", "max_position_embeddings") or 512, 512)


def _limit(path: Path, key: str) -> int | None:
    """Return a number of tokens from a configuration file, or None."""
    if not path.is_file():
        return None
    try:
        limit = json.loads(path.read_text("utf-8")).get(key)
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is not a JSON configuration ({error!r})") from error
    return limit if isinstance(limit, int) and limit > 0 else None
