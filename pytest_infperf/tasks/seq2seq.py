"""Encoder-decoder models of transformers, such as T5, M2M100, NLLB and BART."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.suite.codec import Codec
from pytest_infperf.suite.task import Decoding, Task
from pytest_infperf.suite.tokenizer import open_tokenizer

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload

_CHARACTERS_PER_TOKEN = 4
"""Upper bound of the average length of a token in a long text of any language, in characters."""
_LONGEST_INPUT = 512
"""Maximum length of an input if the tokenizer sets no limit, in tokens."""


@dataclass(frozen=True)
class Seq2Seq(Task):
    """Base class of tasks for models that generate a text from a text.

    Parameters
    ----------
    source_language : str, optional
        Language of the inputs, for a multilingual model, as in its tokenizer: "zh" for M2M100,
        "zho_Hans" for NLLB, "zh_CN" for mBART.
    target_language : str, optional
        Language of the outputs, for a multilingual model.
    prefix : str, default ""
        Text that is prepended to each input, such as "translate English to German: " for T5.
    beams : int, default 1
        Number of beams; 1 decodes greedily.
    max_new_tokens : int, default 64
        Maximum length of an output, in tokens.
    """

    generates: ClassVar[bool] = True
    auto_class: ClassVar[str | None] = "AutoModelForSeq2SeqLM"

    _: KW_ONLY
    source_language: str | None = None
    target_language: str | None = None
    prefix: str = ""
    beams: int = 1
    max_new_tokens: int = 64

    @property
    def decoding(self) -> Decoding:
        return {"beams": self.beams, "max_new_tokens": self.max_new_tokens}

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """Join texts until they have at least `length` tokens, which the codec truncates."""
        text = ""
        while len(text) < _CHARACTERS_PER_TOKEN * length:
            text += inputs[number % len(inputs)]
            number += 1
        return text

    def codec(self, model: Path) -> Codec:
        if (model / "source.spm").is_file():
            from pytest_infperf.tasks.marian import MarianCodec

            self._refuse_languages(model)
            return MarianCodec(model, self.prefix)
        return Seq2SeqCodec(model, self.source_language, self.target_language, self.prefix)

    def _refuse_languages(self, model: Path) -> None:
        if self.source_language or self.target_language:
            raise UserError(
                f"{model} is a Marian model, which has one language pair or selects the target "
                'language by a token: set prefix=">>fra<< " instead of source_language and '
                "target_language"
            )

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import TextToText

        return TextToText()


def _states_encoder(model: Path) -> bool:
    """Return whether the configuration in a model's folder states that the model has an encoder."""
    path = model / "config.json"
    config = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return config.get("is_encoder_decoder") is True


class Seq2SeqCodec:
    """Codec that uses the model's transformers tokenizer.

    Features are one list of token ids per text; results are token ids too.

    Parameters
    ----------
    model : Path
        The model's folder.
    source_language, target_language : str, optional
        The languages, as the tokenizer names them.
    prefix : str, default ""
        Text that is prepended to each input.

    Raises
    ------
    UserError
        If the folder has no tokenizer, or the tokenizer lacks a language.
    """

    def __init__(
        self,
        model: Path,
        source_language: str | None = None,
        target_language: str | None = None,
        prefix: str = "",
    ) -> None:
        self._tokenizer = open_tokenizer(model)
        self._special = frozenset(self._tokenizer.all_special_ids)
        self._has_encoder = _states_encoder(model)
        self._prefix = prefix
        limit = self._tokenizer.model_max_length
        self._longest = limit if limit < 10**6 else _LONGEST_INPUT
        if source_language is not None:
            self._language_id(source_language, model)
            self._tokenizer.src_lang = source_language
        self.first_token = (
            None if target_language is None else self._language_id(target_language, model)
        )

    def _language_id(self, language: str, model: Path) -> int:
        """Return the token of a language."""
        tokenizer = self._tokenizer
        known: dict[str, int] = {}
        if hasattr(tokenizer, "lang_code_to_token"):  # M2M100
            known = {
                code: tokenizer.convert_tokens_to_ids(token)
                for code, token in tokenizer.lang_code_to_token.items()
            }
        elif hasattr(tokenizer, "src_lang"):  # NLLB, mBART: the names are tokens
            known = {
                token: tokenizer.convert_tokens_to_ids(token)
                for token in tokenizer.additional_special_tokens
            }
        if language in known:
            return known[language]
        if not known:
            raise UserError(
                f"the tokenizer of {model} has no languages: remove source_language and "
                "target_language, or name the language in prefix="
            )
        near = get_close_matches(language, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
        raise UserError(f"the tokenizer of {model} has no language {language!r}; {hint}")

    def encode(self, inputs: Sequence[str], length: int | None = None) -> list[list[int]]:
        longest = self._longest if length is None else min(length, self._longest)
        texts = [self._prefix + text for text in inputs]
        ids: list[list[int]] = self._tokenizer(texts, truncation=True, max_length=longest)[
            "input_ids"
        ]
        return ids

    def cut(self, inputs: Sequence[str]) -> list[bool]:
        """Return whether each input is truncated."""
        texts = [self._prefix + text for text in inputs]
        return [len(ids) > self._longest for ids in self._tokenizer(texts)["input_ids"]]

    def token_counts(
        self, results: Sequence[Sequence[int]], features: Sequence[Sequence[int]]
    ) -> tuple[int, int]:
        """Return the number of tokens of the inputs and of the outputs, with their end tokens.

        The result of a model without an encoder begins with its input, which does not count as
        output.
        """
        output = 0
        for ids, prompt in zip(results, features, strict=True):
            is_continued = not self._has_encoder and [*ids[: len(prompt)]] == [*prompt]
            generated = ids[len(prompt) :] if is_continued else ids
            output += sum(i not in self._special for i in generated) + 1
        return sum(map(len, features)), output

    def decode(self, results: Sequence[Sequence[int]], features: Any) -> list[Any]:
        texts = self._tokenizer.batch_decode(
            [list(ids) for ids in results],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return [text.strip() for text in texts]
