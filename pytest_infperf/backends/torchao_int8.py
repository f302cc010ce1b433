"""Quantisation to int8 with torchao, which replaces torch.ao."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pytest_infperf.backends.torch_int8 import Quantized, resolve_parametrizations
from pytest_infperf.errors import BuildError, UserError


def quantize(module: Any) -> Quantized:
    """Quantise the weights of Linear layers in place; activations are quantised at run time.

    Weights have a scale per channel, and activations have a scale per token.

    Raises
    ------
    UserError
        If torchao is not installed.
    BuildError
        If the module has no Linear layer.
    """
    try:
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_
        from torchao.utils import TorchAOBaseTensor
    except ImportError:
        raise UserError(
            'quantizer="torchao" needs torchao: pip install "pytest-infperf[torchao]"'
        ) from None
    resolve_parametrizations(module)
    quantize_(module, Int8DynamicActivationInt8WeightConfig())
    layers = [
        part
        for part in module.modules()
        if isinstance(getattr(part, "weight", None), TorchAOBaseTensor)
    ]
    for layer in layers:
        vars(layer).pop("extra_repr", None)  # torchao's description, which cannot be saved
    kinds = Counter(type(layer).__name__ for layer in layers)
    if not kinds:
        raise BuildError(
            'torchao found no layer to quantise with int8="dynamic": it quantises Linear. Remove '
            "int8 from this variant"
        )
    return module, {
        "quantization": {"method": "dynamic", "engine": "torchao"},
        "quantized_modules": dict(kinds),
    }
