"""Text classification with the model's own tokenizer and labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.suite.labels import listed, nearest_label, suggestions
from pytest_infperf.suite.task import AnyMetric, ArrayCodec, Decoding, Samples, Task
from pytest_infperf.tasks.probabilities import best_classes, softmax
from pytest_infperf.tasks.text_files import read_lines

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


@dataclass(frozen=True)
class TextClassification(Task):
    """Classification of texts by models of transformers with a fast tokenizer.

    Model folders have a `tokenizer.json` and a `config.json` whose `id2label` names the classes
    (without it they are LABEL_0, LABEL_1 and so on, as in transformers). An answer is the label
    with the largest logit. Requires the extra ``pytest-infperf[torch]``.

    Parameters
    ----------
    data : str
        JSON Lines file in UTF-8, relative to the suite's folder: one object per line with a `text`
        and its `label`, which is one of the model's. Blank lines are skipped.
    max_tokens : int, default 512
        Length at which texts are truncated, in tokens, special tokens included.
    metrics : sequence of Metric, CorpusMetric or str, default ("accuracy", "f1")
        Quality scores.
    sample_size : int, default 200
        Samples that are measured and scored, drawn with a seed; ``--infperf-full`` takes all.

    Raises
    ------
    UserError
        If `data` cannot be read, is empty or a line has another form (when the samples are read);
        if the model folder lacks a file or the model has fewer than two labels (when the codec is
        opened); or if the data has a label that the model does not have (before it is built).

    Examples
    --------
    >>> from pytest_infperf import TextClassification
    >>> TextClassification(data="data/test.jsonl").decoding
    {'max_tokens': 512}
    """

    auto_class: ClassVar[str | None] = "AutoModelForSequenceClassification"

    _: KW_ONLY
    data: str
    max_tokens: int = 512
    metrics: Sequence[AnyMetric | str] = ("accuracy", "f1")
    sample_size: int = 200

    @property
    def decoding(self) -> Decoding:
        return {"max_tokens": self.max_tokens}

    def samples(self, folder: Path) -> Samples:
        path = folder / self.data
        texts, labels = [], []
        for number, line in enumerate(read_lines(path), 1):
            if not line.strip():
                continue
            try:
                sample = json.loads(line)
                texts.append(str(sample["text"]))
                labels.append(str(sample["label"]))
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f'{path}:{number}: write {{"text": ..., "label": ...}} on each line ({error!r})'
                ) from error
        return Samples(texts, labels)

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """Join texts until they have `length` words, which the codec truncates to tokens."""
        words: list[str] = []
        while len(words) < length:
            words += inputs[number % len(inputs)].split()
            number += 1
        return " ".join(words)

    def codec(self, model: Path) -> ArrayCodec:
        return TextCodec(model, self.max_tokens)

    def check(self, samples: Samples, codec: Any) -> None:
        """Check that every label of the data is one of the model's."""
        names: dict[int, str] = codec.labels
        labels = sorted({*samples.references})
        if unknown := [label for label in labels if label not in names.values()]:
            nearest = {label: _nearest(label, names) for label in unknown}
            raise UserError(
                f"the labels of {self.data} are not those of the model: the data has "
                f"{listed(labels)}, and id2label in {codec.config_path} has "
                f"{listed(names.values())}{suggestions(nearest)}. Write the labels of the data as "
                "the model does, or correct id2label"
            )

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import TextToLabel

        return TextToLabel()


def _nearest(label: str, names: Mapping[int, str]) -> str | None:
    """Return the model's label that was probably meant, by its number or by its text."""
    if label.isdecimal() and int(label) in names:
        return names[int(label)]
    near: str | None = nearest_label(label, names.values())
    return near


class TextCodec:
    """Codec with the model's fast tokenizer, used directly instead of through transformers.

    Features are int64, shape [batch, tokens], padded to the longest text of a query. Results are
    logits, shape [batch, labels]. Raises UserError if the model folder lacks a file, or if its
    config.json cannot be read or has fewer than two labels.
    """

    labels: Mapping[int, str]
    """The labels by the number of their logit."""

    def __init__(self, model: Path, max_tokens: int) -> None:
        from tokenizers import Tokenizer

        if missing := [n for n in ("tokenizer.json", "config.json") if not (model / n).is_file()]:
            raise UserError(
                f"{model} has no {' and no '.join(missing)}: TextClassification needs a model of "
                "transformers with a fast tokenizer"
            )
        self.config_path = model / "config.json"
        config = self._read_config()
        self._tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        self._max_tokens = max_tokens
        self._tokenizer.enable_truncation(max_tokens)
        pad_id = int(config.get("pad_token_id") or 0)
        pad_token = self._tokenizer.id_to_token(pad_id) if pad_id >= 0 else None
        if pad_token is None:
            raise UserError(
                f"{self.config_path}: pad_token_id is {pad_id}, and {model / 'tokenizer.json'} has "
                "no such token: correct pad_token_id"
            )
        self._tokenizer.enable_padding(pad_id=pad_id, pad_token=pad_token)
        self._attributes = {"input_ids": "ids", "attention_mask": "attention_mask"}
        if config.get("type_vocab_size"):
            self._attributes["token_type_ids"] = "type_ids"
        self.axes: Mapping[str, Sequence[str | int]] = dict.fromkeys(
            self._attributes, ("batch", "tokens")
        )

    def _read_config(self) -> dict[str, Any]:
        """Return the model's configuration, and set `labels`, as transformers reads them."""
        try:
            config: dict[str, Any] = json.loads(self.config_path.read_text("utf-8"))
            names = config.get("id2label") or {
                number: f"LABEL_{number}" for number in range(int(config.get("num_labels", 2)))
            }
            self.labels = {int(number): str(label) for number, label in names.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"{self.config_path}: write the configuration of transformers, with the names of "
                f'the labels in "id2label": {{"0": ..., "1": ...}} ({error!r})'
            ) from error
        if sorted(self.labels) != list(range(len(self.labels))) or len(self.labels) < 2:
            raise UserError(
                f"{self.config_path}: id2label has {listed(self.labels.values())} at "
                f"{', '.join(map(str, self.labels))}, and a classifier needs at least two labels "
                "that are numbered from 0"
            )
        return config

    def encode(self, inputs: Sequence[str], length: int | None = None) -> dict[str, Any]:
        import numpy as np

        if length is not None:
            self._tokenizer.enable_truncation(length)
        encodings = self._tokenizer.encode_batch(list(inputs))
        if length is not None:
            self._tokenizer.enable_truncation(self._max_tokens)
        return {
            name: np.array([getattr(encoding, attribute) for encoding in encodings], dtype=np.int64)
            for name, attribute in self._attributes.items()
        }

    def decode(self, results: Any, features: Any) -> list[Any]:
        classes = best_classes(results)
        if results.shape[-1] != len(self.labels):
            raise UserError(
                f"the model answers with {results.shape[-1]} values for each text, and "
                f"{self.config_path} has {len(self.labels)} labels: correct id2label"
            )
        return [None if number is None else self.labels[number] for number in classes]

    def probabilities(self, results: Any) -> list[dict[str, float]]:
        """Return the probability of each label, for each sample."""
        names = [self.labels[number] for number in range(results.shape[-1])]
        return [dict(zip(names, row, strict=True)) for row in softmax(results).tolist()]
