"""Runner of speech models that generate token by token."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pytest_infperf.backends.decoding import described, of_module
from pytest_infperf.suite.task import Decoding

AUTO_CLASS = "AutoModelForSpeechSeq2Seq"
"""Name of the class of transformers that opens these models."""
INPUT = "input_features"


def writes_speech(module: Any) -> bool:
    """Return whether a generating model transcribes recordings."""
    return getattr(module, "main_input_name", "") == INPUT


def _more_settings(model: Any) -> Decoding:
    """Return the model's settings that affect the tokens, except those of every Whisper model."""
    options = {"num_beams": 1, "max_new_tokens": 1}
    settings = described(of_module(model, options))
    usual = {"beams", "max_new_tokens", "suppress_tokens", "begin_suppress_tokens"}
    return {name: value for name, value in settings.items() if name not in usual}


class TorchTranscribe:
    """Runner that maps features of recordings to token ids with transformers' `generate`."""

    def __init__(self, model: Any, decoding: Decoding, threads: int, device: str = "cpu") -> None:
        # Each call of `generate` would warn about its own logits processors and a missing mask.
        logging.getLogger("transformers.generation.utils").setLevel(logging.ERROR)
        self._model = model
        self.threads = threads
        self._device = device
        self._options = {
            "do_sample": False,
            "num_beams": decoding["beams"],
            "max_new_tokens": decoding["max_new_tokens"],
            "max_length": None,
            "return_timestamps": False,
        }
        if decoding["language"]:
            self._options |= {"language": decoding["language"], "task": decoding["task"]}
        self.decoding: Decoding = {**decoding, **_more_settings(model)}

    def infer(self, features: Mapping[str, Any]) -> list[list[int]]:
        import torch

        tensor = torch.from_numpy(features[INPUT]).to(self._device, self._model.dtype)
        with torch.inference_mode():
            sequences = self._model.generate(input_features=tensor, **self._options)
        results: list[list[int]] = sequences.tolist()
        return results
