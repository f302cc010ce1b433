"""Conversion of transformers models of the Llama and Qwen families to GGUF.

The file has no tokenizer: the token ids are those of the model's transformers tokenizer.
"""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_infperf.errors import BuildError

_ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""Architecture in GGUF by the `model_type` of transformers."""
_ELSEWHERE = (
    "Convert it with convert_hf_to_gguf.py of llama.cpp, and name the result: "
    'LlamaCpp(file="model.gguf")'
)


def convert(module: Any, path: Path) -> None:
    """Write a model of transformers to a GGUF file, in float32.

    Raises BuildError if its architecture is not supported.
    """
    writer = filled_writer(module, path)
    writer.add_tokenizer_model("none")
    write(writer)


def write(writer: Any) -> None:
    """Write the file of a `GGUFWriter`."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def filled_writer(module: Any, path: Path) -> Any:
    """Return a `GGUFWriter` with the settings and tensors of a model, without a tokenizer.

    Raises BuildError if its architecture is not supported.
    """
    import gguf

    config = module.config
    architecture = _ARCHITECTURES.get(config.model_type)
    if architecture is None:
        raise BuildError(
            f"LlamaCpp() converts models of the types {', '.join(_ARCHITECTURES)}, not "
            f"{config.model_type}. {_ELSEWHERE}"
        )
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(_rope_base(config))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)

    kinds = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(kinds[architecture], config.num_hidden_layers)
    for name, tensor in module.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue  # llama.cpp uses the embeddings
        values = tensor.float().numpy()
        if architecture == "llama" and ".q_proj." in name:
            values = _interleaved(values, heads)
        elif architecture == "llama" and ".k_proj." in name:
            values = _interleaved(values, kv_heads)
        if (known := names.get_name(name, (".weight", ".bias"))) is None:
            raise BuildError(f"LlamaCpp() cannot convert the tensor {name}. {_ELSEWHERE}")
        writer.add_tensor(known, values)
    return writer


def _rope_base(config: Any) -> float:
    """Return the base of the rotary embeddings; transformers 5 has it in `rope_parameters`.

    Raises BuildError if the embeddings are scaled.
    """
    rope: Mapping[str, Any] = {
        **(getattr(config, "rope_scaling", None) or {}),
        **(getattr(config, "rope_parameters", None) or {}),
    }
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind != "default":
        raise BuildError(
            f"LlamaCpp() does not convert models with scaled rotary embeddings ({kind}). "
            f"{_ELSEWHERE}"
        )
    base = rope.get("rope_theta")
    return float(config.rope_theta if base is None else base)


def _interleaved(values: Any, heads: int) -> Any:
    """Return the rows of a projection in llama.cpp's order: both halves of a head alternate."""
    size = len(values) // heads
    split = values.reshape(heads, 2, size // 2, *values.shape[1:])
    return split.swapaxes(1, 2).reshape(values.shape)


def quantize(source: Path, target: Path, name: str) -> None:
    """Write a GGUF file with the weights in another type, such as `q4_k_m`.

    Raises BuildError if llama.cpp cannot quantise it.
    """
    import llama_cpp

    logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name.upper()}")
    failed = llama_cpp.llama_model_quantize(
        os.fsencode(source), os.fsencode(target), ctypes.byref(options)
    )
    if failed:
        raise BuildError(
            f"llama.cpp cannot quantise the model to {name}, possibly because the rows of its "
            "matrices have an unusual size: choose another quantization, such as q8_0"
        )
