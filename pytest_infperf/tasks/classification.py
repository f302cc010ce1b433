"""Text classification with the model's own tokenizer and labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.suite.task import ArrayCodec, Decoding, Metric, Samples, Task
from pytest_infperf.tasks.probabilities import softmax

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


@dataclass(frozen=True)
class TextClassification(Task):
    """Classification of texts by models of transformers with a fast tokenizer.

    Model folders have a `tokenizer.json` and a `config.json` whose `id2label` names the classes. An
    answer is the label with the largest logit. Requires the extra ``pytest-infperf[torch]``.

    Parameters
    ----------
    data : str
        JSON Lines file in UTF-8, relative to the suite's folder: one object per line with a `text`
        and its `label`.
    max_tokens : int, default 512
        Length at which texts are truncated, in tokens, special tokens included.
    metrics : sequence of Metric or str, default ("accuracy", "f1")
        Quality scores.
    sample_size : int, default 200
        Samples that are measured and scored, drawn with a seed; ``--infperf-full`` takes all.

    Raises
    ------
    UserError
        If `data` cannot be read or a line has another form (when the samples are read), or if the
        model folder lacks a file (when the codec is opened).

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
    metrics: Sequence[Metric | str] = ("accuracy", "f1")
    sample_size: int = 200

    @property
    def decoding(self) -> Decoding:
        return {"max_tokens": self.max_tokens}

    def samples(self, folder: Path) -> Samples:
        path = folder / self.data
        texts, labels = [], []
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read the test data {path}: {error}") from error
        for number, line in enumerate(lines, 1):
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

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import TextToLabel

        return TextToLabel()


class TextCodec:
    """Codec with the model's fast tokenizer, used directly instead of through transformers.

    Features are int64, shape [batch, tokens], padded to the longest text of a query. Results are
    logits, shape [batch, labels]. Raises UserError if the model folder lacks a file.
    """

    def __init__(self, model: Path, max_tokens: int) -> None:
        from tokenizers import Tokenizer

        if missing := [n for n in ("tokenizer.json", "config.json") if not (model / n).is_file()]:
            raise UserError(
                f"{model} has no {' and no '.join(missing)}: TextClassification needs a model of "
                "transformers with a fast tokenizer"
            )
        config = json.loads((model / "config.json").read_text("utf-8"))
        self._tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        self._max_tokens = max_tokens
        self._tokenizer.enable_truncation(max_tokens)
        pad_id = int(config.get("pad_token_id") or 0)
        self._tokenizer.enable_padding(pad_id=pad_id, pad_token=self._tokenizer.id_to_token(pad_id))
        self._labels = {int(number): label for number, label in config["id2label"].items()}
        self._attributes = {"input_ids": "ids", "attention_mask": "attention_mask"}
        if config.get("type_vocab_size"):
            self._attributes["token_type_ids"] = "type_ids"
        self.axes: Mapping[str, Sequence[str | int]] = dict.fromkeys(
            self._attributes, ("batch", "tokens")
        )

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
        return [self._labels[int(number)] for number in results.argmax(axis=-1)]

    def probabilities(self, results: Any) -> list[dict[str, float]]:
        """Return the probability of each label, for each sample."""
        names = [self._labels[number] for number in range(results.shape[-1])]
        return [dict(zip(names, row, strict=True)) for row in softmax(results).tolist()]
