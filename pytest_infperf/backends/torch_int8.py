"""Quantisation to int8 with torch.ao: dynamic, or static with calibrated activations."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

from pytest_infperf.errors import BuildError
from pytest_infperf.suite.backend import Material

_NOT_LAYERS = ("PackedParameter", "LinearPackedParams", "ConvPackedParams", "Dropout")
_READ_WEIGHTS = ("WavLMAttention",)
"""Modules of transformers that read the weights of their Linear layers."""

Quantized = tuple[Any, dict[str, Any]]
"""A quantised module, and the evidence about its quantised layers."""


def quantize_dynamically(module: Any) -> Quantized:
    """Quantise the weights of Linear, LSTM and GRU layers; activations are quantised at run time.

    Raises BuildError if the module has no such layer.
    """
    import torch

    resolve_parametrizations(module)
    _spare_weights_that_are_read(module)
    with warnings.catch_warnings():
        # torch warns that torchao replaces it; torchao's int8 needs torch.compile to be fast.
        warnings.simplefilter("ignore")
        quantize: Any = torch.ao.quantization.quantize_dynamic
        quantized = quantize(module, {torch.nn.Linear, torch.nn.LSTM, torch.nn.GRU})
    return quantized, _evidence(quantized, "dynamic")


def quantize_statically(module: Any, material: Material) -> Quantized:
    """Quantise weights and activations, with activation ranges that are observed on samples.

    FX graph mode is used with the default settings of this host's quantised engine, see
    "post-training static quantization" in https://docs.pytorch.org/docs/stable/quantization.html.
    The samples' references are not used. Raises BuildError if no layer can be quantised.
    """
    import torch
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    queries = [
        {name: torch.from_numpy(values) for name, values in features.items()}
        for features in material.features()
    ]
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        mapping = get_default_qconfig_mapping(torch.backends.quantized.engine)
        prepared = prepare_fx(module, mapping, tuple(queries[0].values()))
        for query in queries:
            prepared(**query)
        quantized = convert_fx(prepared)
        for node in quantized.graph.nodes:
            node.type = None  # scripting does not know the name that it has in the generated code
        quantized.recompile()
        # Modules of fused layers cannot be unpickled; torch's documentation advises to script them.
        scripted = torch.jit.script(quantized)
    return scripted, {
        **_evidence(quantized, "static"),
        "calibration_queries": len(queries),
    }


def resolve_parametrizations(module: Any) -> None:
    """Replace computed weights, such as the normalised ones of wav2vec2, by their values.

    A module that computes its weights cannot be saved as a whole.
    """
    from torch.nn.utils import parametrize

    for part in module.modules():
        if parametrize.is_parametrized(part):
            for name in list(part.parametrizations):
                parametrize.remove_parametrizations(part, name, leave_parametrized=True)
            # weight_norm leaves a local function in these hooks, which cannot be saved either.
            part._load_state_dict_pre_hooks.clear()


def _spare_weights_that_are_read(module: Any) -> None:
    """Keep Linear layers in float32 if another module reads their weights.

    The attention of WavLM passes the weights to a function of torch. `torch.nn.MultiheadAttention`
    does the same and has Linear layers of a class that is not quantised.
    """
    from torch import nn
    from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

    for part in module.modules():
        if type(part).__name__ in _READ_WEIGHTS:
            for layer in part.children():
                if type(layer) is nn.Linear:
                    layer.__class__ = NonDynamicallyQuantizableLinear


def _evidence(quantized: Any, method: str) -> dict[str, Any]:
    import torch

    kinds = Counter(
        type(module).__name__
        for module in quantized.modules()
        if "quantized" in type(module).__module__
        and not type(module).__name__.startswith(_NOT_LAYERS)
    )
    if not kinds:
        raise BuildError(
            f'torch found no layer to quantise with int8="{method}": "dynamic" quantises Linear, '
            'LSTM and GRU layers, "static" also convolutions. Remove int8 from this variant'
        )
    return {
        "quantization": {"method": method, "engine": torch.backends.quantized.engine},
        "quantized_modules": dict(kinds),
    }
