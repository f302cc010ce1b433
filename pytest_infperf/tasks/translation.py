"""Translation with the SentencePiece models and the vocabulary of Marian models."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.suite.task import AnyMetric, Codec, Decoding, Samples, Task
from pytest_infperf.tasks.text_files import read_parallel

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload

_CHARACTERS_PER_PIECE = 4
"""Upper bound of the average length of a piece in a long text of any language, in characters."""
_LANGUAGE_CODE = re.compile(r">>.+?<<")


@dataclass(frozen=True)
class Translation(Task):
    """Translation of sentences by Marian models of transformers, greedily or with beams.

    Model folders have the files of a MarianTokenizer (`source.spm`, `target.spm`, `vocab.json`,
    `tokenizer_config.json`). Requires the extra ``pytest-infperf[torch]``.

    Parameters
    ----------
    source : str
        UTF-8 file with one sentence per line, relative to the suite's folder.
    reference : str or sequence of str
        UTF-8 file whose line i is the translation of line i of `source`, or several such files for
        sentences with several translations.
    beams : int, default 1
        Beams of the search; 1 decodes greedily.
    max_new_tokens : int, default 64
        Longest output, in tokens.
    metrics : sequence of Metric, CorpusMetric or str, default ("bleu", "chrf")
        Quality scores.
    sample_size : int, default 400
        Sentences that are measured and scored, drawn with a seed; ``--infperf-full`` takes all.

    Raises
    ------
    UserError
        If a file cannot be read or is empty, or the files differ in their number of lines (when the
        samples are read), or if the model folder lacks a file (when the codec is opened).

    Examples
    --------
    >>> from pytest_infperf import Translation
    >>> Translation(source="data/test.zho", reference="data/test.eng", beams=4).decoding
    {'beams': 4, 'max_new_tokens': 64}
    """

    generates: ClassVar[bool] = True
    auto_class: ClassVar[str | None] = "AutoModelForSeq2SeqLM"

    _: KW_ONLY
    source: str
    reference: str | Sequence[str]
    beams: int = 1
    max_new_tokens: int = 64
    metrics: Sequence[AnyMetric | str] = ("bleu", "chrf")
    sample_size: int = 400

    @property
    def decoding(self) -> Decoding:
        return {"beams": self.beams, "max_new_tokens": self.max_new_tokens}

    def samples(self, folder: Path) -> Samples:
        if isinstance(self.reference, str):
            inputs, references = read_parallel([folder / self.source, folder / self.reference])
            return Samples(inputs, references)
        paths = [folder / name for name in (self.source, *self.reference)]
        inputs, *translations = read_parallel(paths)
        return Samples(inputs, [list(texts) for texts in zip(*translations, strict=True)])

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """Join sentences until they have at least `length` pieces, which the codec truncates."""
        text = ""
        while len(text) < _CHARACTERS_PER_PIECE * length:
            text += inputs[number % len(inputs)]
            number += 1
        return text

    def codec(self, model: Path) -> Codec:
        return MarianCodec(model)

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import TextToText

        return TextToText()


class MarianCodec:
    """Codec equal to transformers' MarianTokenizer, without its Python work for each piece.

    Features are one list of token ids per sentence, which ends in </s>; results are token ids too.
    Tests compare it with MarianTokenizer. Raises UserError if the model folder lacks a file.
    """

    def __init__(self, model: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        needed = ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json")
        if missing := [name for name in needed if not (model / name).is_file()]:
            raise UserError(
                f"{model} has no {', '.join(missing)}: Translation needs a Marian model, such as "
                "Helsinki-NLP/opus-mt-zh-en"
            )
        settings = json.loads((model / "tokenizer_config.json").read_text("utf-8"))
        self._source = SentencePieceProcessor(model_file=str(model / "source.spm"))
        self._target = SentencePieceProcessor(model_file=str(model / "target.spm"))
        self._ids: dict[str, int] = json.loads((model / "vocab.json").read_text("utf-8"))
        shared = not settings.get("separate_vocabs", False)
        target_ids = (
            self._ids if shared else json.loads((model / "target_vocab.json").read_text("utf-8"))
        )
        special = [settings.get(key, default) for key, default in _SPECIAL_TOKENS.items()]
        self._pieces = {i: piece for piece, i in target_ids.items() if piece not in special}
        self._unknown = self._ids[special[0]]
        self._end = self._ids[special[1]]
        self._longest = int(settings.get("model_max_length") or 512)

    def encode(self, inputs: Sequence[str], length: int | None = None) -> list[list[int]]:
        longest = self._longest if length is None else min(length, self._longest)
        return [self._encode(text, longest) for text in inputs]

    def _encode(self, text: str, longest: int) -> list[int]:
        code = _LANGUAGE_CODE.match(text)
        pieces = self._source.encode(text[code.end() :] if code else text, out_type=str)
        if code:
            pieces.insert(0, code.group())
        ids, unknown = self._ids, self._unknown
        return [*[ids.get(piece, unknown) for piece in pieces[: longest - 1]], self._end]

    def decode(self, results: Sequence[Sequence[int]], features: Any) -> list[Any]:
        pieces = self._pieces
        return [
            self._target.decode_pieces([pieces[i] for i in ids if i in pieces])
            .replace("▁", " ")
            .strip()
            for ids in results
        ]


_SPECIAL_TOKENS = {"unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>"}
