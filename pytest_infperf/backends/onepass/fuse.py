"""Fusion of the operators of an exported graph with ONNX Runtime's optimisers.

The transformer optimiser (onnxruntime.transformers) fuses the attention of encoders of the BERT
family. Other graphs are saved after the runtime's extended graph optimisations.
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

from pytest_infperf.backends.onepass.export import MODEL, read_config

_FUSED_DOMAIN = "com.microsoft"
_BERT_LIKE = {"bert", "distilbert", "roberta", "xlm-roberta", "electra", "camembert"}


def fuse(folder: Path) -> dict[str, int]:
    """Replace the graph in the folder by a fused one; return the count of each fused operator.

    Operators that were fused before are not counted.
    """
    config = read_config(folder)
    path = folder / MODEL
    before = _fused_operators(path)
    if config.get("model_type") in _BERT_LIKE:
        _fuse_transformer(path, config)
    else:
        _fuse_with_runtime(path)
    return dict(_fused_operators(path) - before)


def can_be_fused(folder: Path) -> bool:
    """Return whether the transformer optimiser knows the model, and the graph is not fused.

    ONNX Runtime applies its own optimisations to all other graphs when it loads them.
    """
    is_known = read_config(folder).get("model_type") in _BERT_LIKE
    return is_known and not _fused_operators(folder / MODEL)


def _fused_operators(path: Path) -> Counter[str]:
    import onnx

    nodes = onnx.load(path).graph.node
    return Counter(node.op_type for node in nodes if node.domain == _FUSED_DOMAIN)


def _fuse_transformer(path: Path, config: dict[str, Any]) -> None:
    from onnxruntime.transformers import optimizer

    logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
    heads = config.get("num_attention_heads") or config["n_heads"]
    width = config.get("hidden_size") or config["dim"]
    optimized = optimizer.optimize_model(
        str(path), model_type="bert", num_heads=heads, hidden_size=width, opt_level=0
    )
    optimized.save_model_to_file(str(path))


def _fuse_with_runtime(path: Path) -> None:
    import onnxruntime

    fused = path.with_suffix(".fused.onnx")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(fused)
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    fused.replace(path)
