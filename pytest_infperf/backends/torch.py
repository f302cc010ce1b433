"""PyTorch eager: fp32, bfloat16, or dynamic int8 of the Linear layers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pytest_infperf.backends import int8
from pytest_infperf.suite import Backend, Decoding, Runner, Task


@dataclass(frozen=True)
class Torch(Backend):
    _: KW_ONLY
    int8: Literal["dynamic"] | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"

    requires: ClassVar[tuple[str, ...]] = ("torch", "transformers", "sentencepiece")
    extra: ClassVar[str | None] = "torch"

    @property
    def default_id(self) -> str:
        return "torch-int8" if self.int8 else _DTYPE_IDS[self.dtype]

    def build(self, model: Path, task: Task, folder: Path, source: Path | None) -> dict[str, Any]:
        import torch
        from transformers import AutoModelForSeq2SeqLM

        loaded = AutoModelForSeq2SeqLM.from_pretrained(model, dtype=getattr(torch, self.dtype))
        if not self.int8:
            loaded.save_pretrained(folder)
            return {}
        with warnings.catch_warnings():
            # torch names torchao as the successor; its int8 needs torch.compile to be fast.
            warnings.simplefilter("ignore")
            quantize: Any = torch.ao.quantization.quantize_dynamic
            quantized = quantize(loaded.eval(), {torch.nn.Linear})
        torch.save(quantized, folder / _QUANTIZED)
        return {
            "quantized_modules": sum(
                isinstance(module, torch.ao.nn.quantized.dynamic.Linear)
                for module in quantized.modules()
            ),
            "quantized_engine": torch.backends.quantized.engine,
        }

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        import torch
        from transformers import AutoModelForSeq2SeqLM

        if threads is not None:
            torch.set_num_threads(threads)
        if self.int8:
            # The file is of our own cache, and a whole module cannot be loaded as weights only.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = torch.load(artifact / _QUANTIZED, weights_only=False)
        else:
            model = AutoModelForSeq2SeqLM.from_pretrained(
                artifact, dtype=getattr(torch, self.dtype)
            )
        return TorchGenerate(model.eval(), task.decoding, torch.get_num_threads())

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        return int8.doubts() if self.int8 else []


_DTYPE_IDS = {"float32": "torch", "bfloat16": "torch-bf16"}
_QUANTIZED = "quantized.pt"


class TorchGenerate:
    """transformers' own `generate`, padded batches in, token ids out."""

    def __init__(self, model: Any, decoding: Decoding, threads: int) -> None:
        self._model = model
        self.decoding = decoding
        self.threads = threads
        self._pad = model.config.pad_token_id
        self._options = {
            "do_sample": False,
            "num_beams": decoding["beams"],
            "max_new_tokens": decoding["max_new_tokens"],
            "max_length": None,
        }

    def infer(self, features: Sequence[Sequence[int]]) -> list[list[int]]:
        import torch

        longest = max(map(len, features))
        ids = torch.tensor([[*row, *[self._pad] * (longest - len(row))] for row in features])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in features])
        with torch.inference_mode():
            sequences = self._model.generate(input_ids=ids, attention_mask=mask, **self._options)
        results: list[list[int]] = sequences.tolist()
        return results
