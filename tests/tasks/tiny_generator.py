"""Causal language models of random weights, whose tokens are the letters a to h."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}assistant{% endif %}"
)


def save_tiny_generator(folder: Path, template: str | None = TEMPLATE) -> Path:
    """Write a GPT-2 and its tokenizer, and return the folder."""
    import torch
    import transformers

    words = _save_tokenizer(folder, template)
    torch.manual_seed(5)
    config = transformers.GPT2Config(
        vocab_size=words, n_layer=2, n_embd=16, n_head=2, n_positions=64,
        initializer_range=1.0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(config).eval().save_pretrained(folder)
    return folder


def save_tiny_llama(folder: Path, **settings: Any) -> Path:
    """Write a Llama and its tokenizer, and return the folder."""
    tiny_llama(_save_tokenizer(folder, TEMPLATE), **settings).save_pretrained(folder)
    return folder


def tiny_llama(words: int, **settings: Any) -> Any:
    """Return a Llama with a number of tokens; the first one is its end."""
    import torch
    import transformers

    torch.manual_seed(5)
    config = transformers.LlamaConfig(
        vocab_size=words, hidden_size=64, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
        initializer_range=0.3, bos_token_id=0, eos_token_id=0, **settings,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


def _save_tokenizer(folder: Path, template: str | None) -> int:
    """Write the tokenizer, and return its number of tokens."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    # transformers looks for stop texts in tokens after the text "abcdef"
    words = ["<end>", "<unk>", "user", "assistant", *"abcdefgh", "abcdef"]
    vocabulary = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unk>", chat_template=template
    ).save_pretrained(folder)
    return len(words)
