"""Runner of speech models that write token by token, in torch or behind torch's tensors."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pytest_infperf.suite.task import Decoding

AUTO_CLASS = "AutoModelForSpeechSeq2Seq"
"""Name of the class of transformers that opens these models."""
INPUT = "input_features"


def writes_speech(module: Any) -> bool:
    """Return whether a model that generates reads features of recordings."""
    return getattr(module, "main_input_name", "") == INPUT


class TorchTranscribe:
    """Runner from features of recordings to token ids, by the `generate` of transformers."""

    def __init__(self, model: Any, decoding: Decoding, threads: int, device: str = "cpu") -> None:
        # Each call of `generate` would warn of its own logits processors and of no mask.
        logging.getLogger("transformers.generation.utils").setLevel(logging.ERROR)
        self._model = model
        self.decoding = decoding
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

    def infer(self, features: Mapping[str, Any]) -> list[list[int]]:
        import torch

        tensor = torch.from_numpy(features[INPUT]).to(self._device, self._model.dtype)
        with torch.inference_mode():
            sequences = self._model.generate(input_features=tensor, **self._options)
        results: list[list[int]] = sequences.tolist()
        return results
