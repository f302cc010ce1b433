"""Export of an encoder-decoder model to ONNX in float32.

Optimum writes three graphs: the encoder, the decoder's first step, and the decoder's next step,
which reads the keys and values of the steps before. A model with a modeling.py provides two modules
to trace: its encoder, which also returns the initial past, and its step.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_infperf.backends import onnx_export
from pytest_infperf.backends.torch_module import import_modeling, load_torch_module
from pytest_infperf.errors import BuildError

ENCODER = "encoder_model.onnx"
FIRST_STEP = "decoder_model.onnx"
NEXT_STEP = "decoder_with_past_model.onnx"


def export(model: Path, folder: Path) -> None:
    """Write the float32 graphs of the model in `model` and its configuration to `folder`.

    Raises BuildError if the model is not an encoder-decoder model.
    """
    config = json.loads((model / "config.json").read_text())
    if not config.get("is_encoder_decoder"):
        raise BuildError(
            f"{model}: a {config.get('model_type', 'model without a type')} is not an"
            " encoder-decoder model: use a model with is_encoder_decoder in its config.json,"
            " such as MarianMT"
        )
    with onnx_export.without_tracer_warnings():
        if import_modeling(model):
            _export_by_tracing(load_torch_module(model, None), folder)
        else:
            onnx_export.export_with_optimum(model, folder, "text2text-generation-with-past")


_TRACED_ROWS = 2
_TRACED_TOKENS = 5


def _export_by_tracing(module: Any, folder: Path) -> None:
    """Export `module.encoder_graph()` and `module.step_graph()` of a model with a modeling.py.

    The encoder maps input_ids and attention_mask, shape [batch, source], to the hidden states and
    the past. A step maps one token per row, the hidden states, the mask and the past to logits,
    shape [batch, 1, vocabulary], and the new past. The first axis of each part of the past is the
    batch.
    """
    import torch

    encoder, step = module.encoder_graph(), module.step_graph()
    ids = torch.ones(_TRACED_ROWS, _TRACED_TOKENS, dtype=torch.int64)
    with torch.no_grad():
        hidden, *past = encoder(ids, ids)
    names = [f"{i}" for i in range(len(past))]
    source = {0: "batch", 1: "source"}
    onnx_export.export_by_tracing(
        encoder,
        (ids, ids),
        folder / ENCODER,
        {"input_ids": source, "attention_mask": source},
        {"last_hidden_state": source, **{f"past_key_values.{i}": {0: "batch"} for i in names}},
    )
    onnx_export.export_by_tracing(
        step,
        (ids[:, :1], hidden, ids, *past),
        folder / NEXT_STEP,
        {
            "input_ids": {0: "batch"},
            "encoder_hidden_states": source,
            "encoder_attention_mask": source,
            **{f"past_key_values.{i}": {0: "batch"} for i in names},
        },
        {"logits": {0: "batch"}, **{f"present.{i}": {0: "batch"} for i in names}},
    )
