"""A GGUF file with a model of random weights and a tokenizer, which writes the letters a to h."""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.backends.llama_cpp_convert import filled_writer, write
from tests.tasks.tiny_generator import tiny_llama

TEMPLATE = (
    "{% for m in messages %}{{ m.content }} {% endfor %}{% if add_generation_prompt %}h{% endif %}"
)
_SPECIAL = ["<unk>", "<s>", "</s>"]
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_WORDS = ["▁", *"abcdefgh", *(f"▁{letter}" for letter in "abcdefgh")]


def write_tiny_gguf(path: Path, template: str | None = TEMPLATE) -> Path:
    """Write the file, and return its path."""
    import gguf
    import torch

    words = len(_SPECIAL) + len(_BYTES)  # the id of the first word
    module = tiny_llama(words + len(_WORDS))
    with torch.no_grad():  # other tokens than words are never the most probable ones
        module.lm_head.weight[:words] = 0
    kinds = gguf.TokenType
    writer = filled_writer(module, path)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*_SPECIAL, *_BYTES, *_WORDS])
    writer.add_token_scores([0.0] * words + [-float(len(word)) for word in _WORDS])
    writer.add_token_types(
        [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL]
        + [kinds.BYTE] * len(_BYTES)
        + [kinds.NORMAL] * len(_WORDS)
    )
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    if template is not None:
        writer.add_chat_template(template)
    write(writer)
    return path
