"""Classification of the words of sentences, such as named-entity recognition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.suite.codec import ArrayCodec
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding, Task
from pytest_infperf.tasks.data import Data, ReadsCalibration, read, read_conll
from pytest_infperf.tasks.labels import answers_like, read_labels, require_one_value_each
from pytest_infperf.tasks.probabilities import best_classes
from pytest_infperf.tasks.text_codec import FastTokenizer, TextCodec

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload

_OUTSIDE = "O"


@dataclass(frozen=True)
class TokenClassification(ReadsCalibration, Task):
    """Classification of the words of sentences with transformers models.

    Examples are named entities and parts of speech. The model folder contains a `tokenizer.json`
    and a `config.json` whose `id2label` names the tags. The output is a list with a tag for each
    word: the label with the largest logit at the first token of the word, as in the examples of
    transformers. Words beyond `max_tokens` have the tag `O`. Requires ``pytest-infperf[torch]``.

    Parameters
    ----------
    data : Data
        The test data: a CoNLL file, a JSON, JSON Lines or Parquet file relative to the suite's
        folder, a hub dataset, rows, or a function.
    words : str or int, default "words"
        The column with the list of words; for a CoNLL file, its number from 0.
    tags : str or int, default "tags"
        The column with the list of tags; for a CoNLL file, its number, where -1 is the last one.
    names : sequence of str, default ()
        The names of the tags in the order of their numbers, if the data has tag numbers. Hub
        datasets have names.
    max_tokens : int, default 512
        Maximum length of a sentence, in tokens, including special tokens; longer ones are
        truncated.
    calibration : Data, optional
        Samples of the same form that calibrate ``int8="static"``, at most 200. None uses a fifth
        of the test data, at most 200 samples, which are not scored.
    metrics : sequence of Metric, CorpusMetric or str, default ("entity_f1", "token_accuracy")
        Quality scores.
    sample_size : int, default 200
        Number of sentences to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If only one of `words` and `tags` is a number; if the data cannot be read, lacks a column
        or a cell, or a sentence has no words or different numbers of words and tags (when the
        samples are read); if the model folder lacks a file, or the model has fewer than two labels
        or fewer than `max_tokens` positions (when the codec is opened); or if the data has a tag
        that the model does not have (before it is built).

    Examples
    --------
    >>> from pytest_infperf import TokenClassification
    >>> task = TokenClassification(data="data/eng.testb", words=0, tags=-1)
    >>> task.metrics
    ('entity_f1', 'token_accuracy')
    """

    auto_class: ClassVar[str | None] = "AutoModelForTokenClassification"

    _: KW_ONLY
    data: Data
    words: str | int = "words"
    tags: str | int = "tags"
    names: Sequence[str] = ()
    max_tokens: int = 512
    metrics: Sequence[AnyMetric | str] = ("entity_f1", "token_accuracy")
    sample_size: int = 200

    def __post_init__(self) -> None:
        if isinstance(self.words, int) != isinstance(self.tags, int) or (
            isinstance(self.words, int) and not isinstance(self.data, str)
        ):
            raise UserError(
                f"TokenClassification(words={self.words!r}, tags={self.tags!r}): name both columns "
                "of a table, or give the numbers of both columns of a CoNLL file, such as words=0, "
                "tags=-1"
            )

    @property
    def decoding(self) -> Decoding:
        return {"max_tokens": self.max_tokens}

    def samples(self, folder: Path) -> Samples:
        if isinstance(self.words, int) and isinstance(self.tags, int):
            table = read_conll(folder / str(self.data), self.words, self.tags)
            words, tags = table.lists("words"), table.lists("tags")
        else:
            columns = [str(self.words), str(self.tags)]
            table = read(self.data, folder, columns)
            words, tags = map(table.lists, columns)
        for place, row_words, row_tags in zip(table.places, words, tags, strict=True):
            if not row_words or len(row_words) != len(row_tags):
                raise UserError(
                    f"{place}: {len(row_words)} words and {len(row_tags)} tags: a sentence has at "
                    "least one word, and each word has one tag"
                )
        if not self.names and all(tag.isdecimal() for row in tags for tag in row):
            raise UserError(
                f"the tags of {table.source} are numbers: name them in their order, such as "
                'names=("O", "B-PER", "I-PER")'
            )
        name_of = {str(number): name for number, name in enumerate(self.names)}
        return Samples(words, [[name_of.get(tag, tag) for tag in row] for row in tags])

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """Join sentences to `length` words; the codec truncates them to `length` tokens."""
        words: list[str] = []
        while len(words) < length:
            words += inputs[number % len(inputs)]
            number += 1
        return words

    def codec(self, model: Path) -> ArrayCodec:
        return TagCodec(model, self.max_tokens)

    def check(self, samples: Samples, codec: Any) -> None:
        """Check that every tag of the data is one of the model's labels."""
        found = {tag for tags in samples.references for tag in tags}
        named = self.data if isinstance(self.data, str) else "the data"
        answers_like(found, codec.labels, named, codec.config_path)

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import WordsToTags

        return WordsToTags()


class TagCodec(TextCodec):
    """Codec for token classifiers. Results are logits, shape [batch, tokens, labels].

    Raises
    ------
    UserError
        As `TextCodec`, and also if the model has fewer than two labels or no `tokenizer.json`.
    """

    def __init__(self, model: Path, max_tokens: int) -> None:
        super().__init__(model, max_tokens)
        self.labels = read_labels(self.config, self.config_path)
        if not isinstance(self._tokenizer, FastTokenizer):
            raise UserError(
                f"{model} has no tokenizer.json, which maps tokens to words: write it with "
                "AutoTokenizer.from_pretrained(MODEL).save_pretrained(MODEL)"
            )
        self._words = self._tokenizer

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> dict[str, Any]:
        features, first_tokens = self._words.encode_words(inputs, length)
        return {**features, "first_tokens": first_tokens}

    def decode(self, results: Any, features: Any) -> list[Any]:
        require_one_value_each(results, self.labels, "token", self.config_path)
        return [
            self._tags(*sentence)
            for sentence in zip(results, features["first_tokens"], strict=True)
        ]

    def _tags(self, logits: Any, first_tokens: Sequence[int | None]) -> list[str] | None:
        """Return a tag for each word of a sentence; None if a logit is not finite."""
        tokens = [token for token in first_tokens if token is not None]
        tag_of: dict[int | None, str] = {None: _OUTSIDE}
        for token, best in zip(tokens, best_classes(logits[tokens]), strict=True):
            if best is None:
                return None
            tag_of[token] = self.labels[best]
        return [tag_of[token] for token in first_tokens]
