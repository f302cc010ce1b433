"""Codec for speech models of transformers that are trained with CTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.tasks.best_path import best_paths
from pytest_infperf.tasks.speech_processor import open_processor


class CtcCodec:
    """Codec for models such as wav2vec2, HuBERT and WavLM.

    Features are those of the model's feature extractor: `input_values`, float32, shape [batch,
    samples], and `attention_mask` if the model was trained with one. Results are logits, shape
    [batch, steps, letters], decoded by the best path (Graves et al. 2006) without the padding.

    Parameters
    ----------
    model : Path
        The model's folder.
    rate : int
        The sampling rate of the inputs, in hertz.
    normalized : callable
        Normalises an output before it is compared.

    Raises
    ------
    UserError
        If the folder lacks a file, or the model has a different rate.
    """

    def __init__(self, model: Path, rate: int, normalized: Callable[[str], str] = str) -> None:
        from transformers import Wav2Vec2CTCTokenizer

        self._extractor, tokenizer, config = open_processor(model, rate, Wav2Vec2CTCTokenizer)
        names = ["input_values"]
        if self._extractor.return_attention_mask:
            names.append("attention_mask")
        self.axes: Mapping[str, Sequence[str | int]] = dict.fromkeys(names, ("batch", "samples"))
        self._normalized = normalized
        self._rate = rate
        self._layers = list(
            zip(getattr(config, "conv_kernel", ()), getattr(config, "conv_stride", ()), strict=True)
        )
        self._blank = int(tokenizer.pad_token_id)
        self._letters = _letters(tokenizer)
        self.alphabet = "".join(self._letters.values())

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> dict[str, Any]:
        """Return the features of waveforms; `length` has no effect, as `sized` truncates."""
        features = self._extractor(
            list(inputs), sampling_rate=self._rate, padding=True, return_tensors="np"
        )
        return {
            **{name: features[name] for name in self.axes},
            "samples": [len(sound) for sound in inputs],
        }

    def decode(self, results: Any, features: Any) -> list[Any]:
        longest = max(features["samples"])
        steps = [self._steps(count, longest, results.shape[1]) for count in features["samples"]]
        return [
            None if path is None else self._text(path)
            for path in best_paths(results, steps, self._blank)
        ]

    def _steps(self, samples: int, longest: int, steps: int) -> int:
        """Return the number of the batch's steps that belong to a recording."""
        if not self._layers:
            return max(1, round(steps * samples / longest))
        for kernel, stride in self._layers:
            samples = (samples - kernel) // stride + 1
        return max(1, min(steps, samples))

    def _text(self, path: Sequence[int]) -> str:
        letters = "".join(self._letters.get(token, "") for token in path)
        return self._normalized(" ".join(letters.split()))


def _letters(tokenizer: Any) -> dict[int, str]:
    """Return the letters by token: a space for the word delimiter, no special tokens."""
    delimiter = tokenizer.word_delimiter_token
    special = {*tokenizer.all_special_ids} - {tokenizer.convert_tokens_to_ids(delimiter)}
    return {
        token: " " if letter == delimiter else letter
        for letter, token in tokenizer.get_vocab().items()
        if token not in special
    }
