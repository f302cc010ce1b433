"""Quantisation to int8 with torchao, which replaces torch.ao."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
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
    library = import_torchao('quantizer="torchao"')
    resolve_parametrizations(module)
    library.quantize_(module, library.Int8DynamicActivationInt8WeightConfig())
    kinds = count_quantized(module)
    if not kinds:
        raise BuildError(
            'torchao found no layer to quantise with int8="dynamic": it quantises Linear. Remove '
            "int8 from this variant"
        )
    return module, {
        "quantization": {"method": "dynamic", "engine": "torchao"},
        "quantized_modules": kinds,
    }


def import_torchao(setting: str) -> Any:
    """Return torchao's module of quantisation. Raises UserError if it is not installed."""
    try:
        return import_module("torchao.quantization")
    except ImportError:
        raise UserError(f'{setting} needs torchao: pip install "pytest-infperf[torchao]"') from None


def count_quantized(module: Any) -> dict[str, int]:
    """Return the number of layers with quantised weights by class, and prepare them for saving."""
    base = import_module("torchao.utils").TorchAOBaseTensor
    layers = [part for part in module.modules() if isinstance(getattr(part, "weight", None), base)]
    for layer in layers:
        vars(layer).pop("extra_repr", None)  # torchao's description, which cannot be saved
    return dict(Counter(type(layer).__name__ for layer in layers))
