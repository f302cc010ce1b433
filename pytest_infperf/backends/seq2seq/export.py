"""Export of an encoder-decoder model to ONNX in float32.

Torch traces two modules: the encoder, which also returns the past before the first token, and the
step, which maps one token and the past to logits and the new past. A model with a modeling.py
provides both; for a model of transformers, `graphs_of` makes them.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from pytest_infperf.backends import onnx_export
from pytest_infperf.backends.torch_module import import_modeling, load_torch_module
from pytest_infperf.errors import BuildError, first_line

ENCODER = "encoder.onnx"
STEP = "step.onnx"
AUTO_CLASS = "AutoModelForSeq2SeqLM"

_INPUTS = ("input_ids", "attention_mask")
_CONTEXT = ("encoder_hidden_states", "encoder_attention_mask")
_REMEDY = "use Torch() or CTranslate2()"


def export(model: Path, folder: Path) -> None:
    """Write the float32 graphs of the encoder-decoder model in `model` to `folder`.

    The encoder maps input_ids and attention_mask, shape [batch, source], to the hidden states and
    the past. A step maps one token per row, the hidden states, the mask and the past to logits,
    shape [batch, 1, vocabulary], and the new values of the first tensors of the past; the others
    are the same in every step. The first axis of each tensor of the past is the batch. If it has
    four axes, the third is a length.

    Raises BuildError if the model is not an encoder-decoder model, or cannot be traced.
    """
    config = json.loads((model / "config.json").read_text())
    if not config.get("is_encoder_decoder"):
        raise BuildError(
            f"{model}: a {config.get('model_type', 'model without a type')} is not an"
            " encoder-decoder model: use a model with is_encoder_decoder in its config.json,"
            " such as MarianMT"
        )
    if import_modeling(model):
        module = load_torch_module(model, None)
        encoder, step = module.encoder_graph(), module.step_graph()
    else:
        encoder, step = graphs_of(load_torch_module(model, AUTO_CLASS))
    with onnx_export.without_tracer_warnings():
        try:
            _export_by_tracing(encoder, step, folder)
        except Exception as error:  # any error of the model's code or of the exporter
            raise BuildError(
                f"torch cannot trace {model.name}: {first_line(error)}; {_REMEDY}"
            ) from error
    _require_equal_answers(encoder, step, folder, model)


def graphs_of(model: Any) -> tuple[Any, Any]:
    """Return the encoder and the step of a model of transformers, as modules to trace.

    The past contains the keys and values of each layer's self-attention, followed by those of its
    cross-attention.
    """
    import torch
    from transformers import cache_utils

    model.set_attn_implementation("eager")  # it has the fewest operators
    accepted = inspect.signature(model.forward).parameters
    cache_name = "cache" if "cache" in accepted else "past_key_values"

    caches: Any = cache_utils

    def run_decoder(token: Any, hidden: Any, mask: Any, cache: Any) -> Any:
        answer = model(
            encoder_outputs=(hidden,),
            attention_mask=mask,
            decoder_input_ids=token,
            # One token may attend to the whole past. A mask with four axes is used unchanged, and
            # tracing cannot follow the code that makes one in transformers 4.
            decoder_attention_mask=torch.zeros(1, 1, 1, 1),
            use_cache=True,
            **{cache_name: cache},
        )
        return answer.logits

    def tensors_of(cache: Any) -> list[Any]:
        return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]

    def filled(tensors: Any) -> Any:
        cache = caches.DynamicCache()
        for keys, values in zip(tensors[::2], tensors[1::2], strict=True):
            layer = caches.DynamicLayer()
            layer.keys, layer.values, layer.is_initialized = keys, values, True
            cache.layers.append(layer)
        return cache

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> list[Any]:
            hidden = self.model.get_encoder()(input_ids, attention_mask=attention_mask)[0]
            cache = caches.EncoderDecoderCache(caches.DynamicCache(), caches.DynamicCache())
            run_decoder(input_ids[:, :1], hidden, attention_mask, cache)
            source = tensors_of(cache.cross_attention_cache)
            return [hidden, *(tensor[:, :, :0] for tensor in source), *source]

    class Step(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, token: Any, hidden: Any, mask: Any, *past: Any) -> list[Any]:
            half = len(past) // 2
            cache = caches.EncoderDecoderCache(filled(past[:half]), filled(past[half:]))
            cache.is_updated = dict.fromkeys(range(half // 2), True)
            logits = run_decoder(token, hidden, mask, cache)
            return [logits, *tensors_of(cache.self_attention_cache)]

    return Encoder().eval(), Step().eval()


def _example(encoder: Any, step: Any, rows: int, tokens: int, steps: int) -> tuple[Any, Any]:
    """Return example inputs of the encoder, and of the step after `steps` steps."""
    import torch

    ids = torch.arange(1, rows * tokens + 1).reshape(rows, tokens)
    mask = torch.ones_like(ids)
    mask[0, tokens // 2 :] = rows == 1  # in a batch, the first row is padded
    with torch.no_grad():
        hidden, *past = encoder(ids, mask)
        for _ in range(steps):
            _, *present = step(ids[:, :1], hidden, mask, *past)
            past[: len(present)] = present
    return (ids, mask), (ids[:, :1], hidden, mask, *past)


def _export_by_tracing(encoder: Any, step: Any, folder: Path) -> None:
    # A size of 0 or 1 would be traced as a special case.
    encoder_inputs, step_inputs = _example(encoder, step, rows=2, tokens=5, steps=3)
    past, (_, *present) = step_inputs[3:], step(*step_inputs)
    source = {0: "batch", 1: "source"}
    past_axes = {
        f"past_key_values.{index}": {0: "batch", 2: "length"} if part.dim() == 4 else {0: "batch"}
        for index, part in enumerate(past)
    }
    onnx_export.export_by_tracing(
        encoder,
        encoder_inputs,
        folder / ENCODER,
        dict.fromkeys(_INPUTS, source),
        {"last_hidden_state": source, **past_axes},
    )
    onnx_export.export_by_tracing(
        step,
        step_inputs,
        folder / STEP,
        {"input_ids": {0: "batch"}, **dict.fromkeys(_CONTEXT, source), **past_axes},
        {"logits": {0: "batch"}, **{f"present.{i}": {0: "batch"} for i in range(len(present))}},
    )


def _require_equal_answers(encoder: Any, step: Any, folder: Path, model: Path) -> None:
    examples = [
        _example(encoder, step, rows=1, tokens=7, steps=0),
        _example(encoder, step, rows=3, tokens=4, steps=2),
    ]
    past_names = [f"past_key_values.{index}" for index in range(len(examples[0][1]) - 3)]
    names = [_INPUTS, ("input_ids", *_CONTEXT, *past_names)]
    parts = zip((encoder, step), (ENCODER, STEP), names, zip(*examples, strict=True), strict=True)
    for module, file, input_names, inputs in parts:
        queries = [
            {name: tensor.numpy() for name, tensor in zip(input_names, tensors, strict=True)}
            for tensors in inputs
        ]
        onnx_export.require_equal_answers(module, folder / file, queries, model, _REMEDY)
