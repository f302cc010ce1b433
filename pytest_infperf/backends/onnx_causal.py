"""ONNX graphs of causal language models, exported by optimum and run token by token.

The graph is one step of the decoding: it maps new tokens and the keys and values of earlier ones to
logits. `ORTModelForCausalLM` of optimum runs it, and `generate` of transformers selects the tokens.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pytest_infperf.backends import decoding, onepass, onnx_export, onnx_file, torch_padding
from pytest_infperf.backends.causal import require_causal
from pytest_infperf.backends.torch_generate import TorchContinue
from pytest_infperf.errors import BuildError, UserError, first_line
from pytest_infperf.suite.backend import Material
from pytest_infperf.suite.task import Decoding
from pytest_infperf.suite.tokenizer import open_tokenizer

_TASK = "text-generation-with-past"
_CONFIGS = ("config.json", "generation_config.json")


def export(material: Material, folder: Path) -> None:
    """Write the float32 graph of the model and its configuration to `folder`.

    Raises BuildError if the model has a modeling.py or optimum-onnx cannot export it, and UserError
    if optimum-onnx is not installed.
    """
    require_causal(material, "Onnx")
    model = material.model
    with onnx_export.without_tracer_warnings():
        try:
            onnx_export.export_with_optimum(model, folder, _TASK)
        except UserError:
            raise
        except Exception as error:  # any error of the model's code or of the exporter
            raise BuildError(
                f"optimum-onnx cannot export {model.name}: {first_line(error)}. Use Torch()"
            ) from error


def build(material: Material, folder: Path, *, int8: bool) -> dict[str, Any]:
    """Write the artifact from the export in `material.source`, and return the evidence."""
    assert material.source
    for path in material.source.iterdir():
        if path.name.startswith(onepass.MODEL) or path.name in _CONFIGS:
            shutil.copy(path, folder)
    evidence: dict[str, Any] = {}
    if int8:
        float_data = onnx_file.data_files(folder / onepass.MODEL)
        evidence["quantization"] = onepass.quantize_dynamically(folder)
        for path in {*float_data} - {*onnx_file.data_files(folder / onepass.MODEL)}:
            path.unlink()
    if decoding.STOP in material.task.decoding:
        open_tokenizer(material.model).save_pretrained(folder)
    return {**evidence, **torch_padding.choose_padding(_open(folder), folder)}


def _open(artifact: Path, options: Any = None) -> Any:
    from optimum.onnxruntime import ORTModelForCausalLM

    return ORTModelForCausalLM.from_pretrained(artifact, session_options=options)


class OnnxContinue(TorchContinue):
    """Runner from prompts to prompts with their continuation, by `generate` of transformers."""

    @classmethod
    def load(cls, artifact: Path, asked: Decoding, options: Any, threads: int) -> OnnxContinue:
        """Return the runner of an artifact, with session options of ONNX Runtime."""
        return cls(
            _open(artifact, options),
            asked,
            threads,
            "cpu",
            pads_left=torch_padding.pads_left(artifact),
            tokenizer=open_tokenizer(artifact) if decoding.STOP in asked else None,
        )
