"""Codec for Whisper models."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.tasks.speech_processor import open_processor

_MULTILINGUAL, _NO_TIMESTAMPS = "lang_to_id", "no_timestamps_token_id"


class WhisperCodec:
    """Codec for Whisper models, also fine-tuned ones.

    Features are those of the model's feature extractor, `input_features`, float32, shape [batch,
    bins, frames], and `prompt`, the tokens at the start of each text: start, language and task (of
    a multilingual model), and no timestamps, as in `generate` of transformers. Results are token
    ids.

    Parameters
    ----------
    model : Path
        The model's folder.
    rate : int
        The sampling rate of the inputs, in hertz.
    language : str, optional
        The spoken language, such as "en" or "english".
    task : {"transcribe", "translate"}
        Whether the text is in the spoken language or in English.
    max_new_tokens : int
        Maximum length of a text, in tokens.
    normalized : callable
        Normalises an output before it is compared.

    Raises
    ------
    UserError
        If the folder lacks a file, the model has a different rate, lacks the language or the task,
        or cannot generate `max_new_tokens` tokens, or if a multilingual model has no `language`.
    """

    alphabet = None

    def __init__(
        self,
        model: Path,
        rate: int,
        language: str | None,
        task: str,
        max_new_tokens: int,
        normalized: Callable[[str], str] = str,
    ) -> None:
        from transformers import AutoTokenizer

        self._extractor, self._tokenizer, config = open_processor(model, rate, AutoTokenizer)
        self._rate = rate
        self._normalized = normalized
        self._prompt = _prompt(model / "generation_config.json", language, task)
        self.longest_s: float = self._extractor.n_samples / rate
        """Maximum duration of a recording, in seconds."""
        longest = config.max_target_positions
        if max_new_tokens > longest - len(self._prompt):
            raise UserError(
                f"max_new_tokens={max_new_tokens}: {model.name} generates at most "
                f"{longest - len(self._prompt)} tokens"
            )

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> dict[str, Any]:
        """Return the features of waveforms; `length` has no effect, as `sized` truncates.

        Raises UserError if a waveform is too long.
        """
        if (longest := max(map(len, inputs)) / self._rate) > self.longest_s:
            raise UserError(
                f"a recording of {longest:g} s is too long: the model reads {self.longest_s:g} s"
            )
        features = self._extractor(list(inputs), sampling_rate=self._rate, return_tensors="np")
        return {"input_features": features["input_features"], "prompt": self._prompt}

    def decode(self, results: Sequence[Sequence[int]], features: Any) -> list[Any]:
        texts = self._tokenizer.batch_decode(results, skip_special_tokens=True)
        return [self._normalized(text.strip()) for text in texts]


def _prompt(path: Path, language: str | None, task: str) -> list[int]:
    """Return the tokens at the start of each text, from the model's generation_config.json."""
    try:
        settings: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
        start, end = int(settings["decoder_start_token_id"]), int(settings[_NO_TIMESTAMPS])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} must have decoder_start_token_id and {_NO_TIMESTAMPS}: copy the file of the "
            f"base model ({error!r})"
        ) from error
    if _MULTILINGUAL not in settings:
        if language is None and task == "transcribe":
            return [start, end]
        raise UserError(
            f"{path} has no {_MULTILINGUAL}, so the model is not multilingual: remove language and "
            "translate, or copy the file of the base model"
        )
    return [
        start,
        _language_token(settings[_MULTILINGUAL], language, path),
        int(settings["task_to_id"][task]),
        end,
    ]


def _language_token(known: Mapping[str, int], language: str | None, path: Path) -> int:
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    codes: Mapping[str, str] = TO_LANGUAGE_CODE
    if language is not None:
        name = language.lower()
        token = f"<|{codes.get(name, name)}|>"
        if token in known:
            return int(known[token])
    names = sorted(token.strip("<|>") for token in known)
    if language is None:
        raise UserError(
            f"{path.parent.name} has {len(names)} languages: set that of the recordings, "
            f"such as language={'en' if 'en' in names else names[0]!r}"
        )
    near = get_close_matches(language.lower(), [*names, *codes], 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"
    raise UserError(f"{path.parent.name} has no language {language!r}; {hint}")
