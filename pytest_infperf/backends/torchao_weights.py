"""Quantisation of the weights of Linear layers with torchao; activations keep their type.

Weights of 8 bits have a scale per output. Weights of 4 bits have a scale and a zero point per group
of inputs [1]_, and are packed for torch's kernel for CPUs.

References
----------
.. [1] https://docs.pytorch.org/ao/stable/workflows/inference.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pytest_infperf.backends.torch_int8 import Quantized, resolve_parametrizations
from pytest_infperf.backends.torchao_int8 import count_quantized, import_torchao
from pytest_infperf.errors import BuildError

GROUP_SIZES = (32, 64, 128)
"""The numbers of inputs with a common scale that torch's kernel supports."""
_OUTPUTS = 16
"""torch packs 4-bit weights of this number of outputs together."""


def quantize(module: Any, group_size: int | None) -> Quantized:
    """Quantise weights in place: to 4 bits in groups of a size, or to 8 bits for None.

    Layers that cannot be quantised keep their type and are counted in the evidence.

    Raises
    ------
    UserError
        If torchao is not installed.
    BuildError
        If no layer can be quantised.
    """
    bits, setting = (8, 'int8="weights"') if group_size is None else (4, 'int4="weights"')
    library = import_torchao(setting)
    resolve_parametrizations(module)
    obstacles = _obstacles(module, group_size)
    left_out = Counter(obstacle for obstacle in obstacles.values() if obstacle)
    if all(obstacles.values()):
        listed = "; ".join(f"{count} x {reason}" for reason, count in left_out.items())
        remedy = "Remove int8 from this variant"
        if group_size:
            remedy = 'Choose another group_size (32, 64 or 128), or int8="weights"'
        raise BuildError(
            f"torchao finds no layer to quantise with {setting}: {listed or 'no Linear'}. {remedy}"
        )
    library.quantize_(
        module,
        _config(library, group_size),
        filter_fn=lambda part, name: obstacles.get(name) == "",
    )
    evidence = {
        "quantization": {
            "method": "weights",
            "engine": "torchao",
            "bits": bits,
            **({"group_size": group_size} if group_size else {}),
        },
        "quantized_modules": count_quantized(module),
    }
    return module, evidence | ({"unquantized_modules": dict(left_out)} if left_out else {})


def _config(library: Any, group_size: int | None) -> Any:
    """Return torchao's configuration, which leaves the settings of torch.compile as they are."""
    if group_size is None:
        return library.Int8WeightOnlyConfig(set_inductor_config=False)
    try:
        prototype = import_module("torchao.prototype.quantization.int4")
        config = prototype.PrototypeInt4WeightOnlyConfig
    except (ImportError, AttributeError) as error:
        raise BuildError(
            f"this version of torchao has its int4 for CPUs elsewhere ({error}): "
            "pip install torchao==0.18.0"
        ) from error
    return config(group_size=group_size, set_inductor_config=False)


def _obstacles(module: Any, group_size: int | None) -> dict[str, str]:
    """Return why each layer with a matrix of weights cannot be quantised; empty if it can.

    Embeddings are not multiplied and not listed.
    """
    from torch import nn

    return {
        name: _obstacle(part, group_size)
        for name, part in module.named_modules()
        if getattr(getattr(part, "weight", None), "ndim", 0) == 2
        and not isinstance(part, nn.Embedding)
    }


def _obstacle(layer: Any, group_size: int | None) -> str:
    from torch import nn

    if type(layer) is not nn.Linear:
        return f"{type(layer).__name__}, which torchao does not quantise"
    if group_size is None:
        return ""
    if layer.in_features % group_size:
        return f"Linear with {layer.in_features} inputs, not a multiple of {group_size}"
    if layer.out_features % _OUTPUTS:
        return f"Linear with {layer.out_features} outputs, not a multiple of {_OUTPUTS}"
    return ""


def doubts(evidence: Mapping[str, Any]) -> list[str]:
    """Return the reasons for layers that are not quantised."""
    left_out = evidence.get("unquantized_modules", {})
    return [f"not quantised: {count} x {reason}" for reason, count in left_out.items()]
