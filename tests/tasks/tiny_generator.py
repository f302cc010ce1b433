"""A causal language model of random weights, whose tokens are the letters a to h."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

TEMPLATE = (
    "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}assistant{% endif %}"
)


def save_tiny_generator(
    folder: Path, template: str | None = TEMPLATE, family: Literal["gpt2", "llama"] = "gpt2"
) -> Path:
    """Write the model and its tokenizer, and return the folder."""
    import torch
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
    torch.manual_seed(5)
    sizes: dict[str, Any] = {
        "gpt2": {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 64},
        "llama": {
            "num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 64,
            "num_attention_heads": 2, "max_position_embeddings": 64,
        },
    }  # fmt: skip
    config = transformers.AutoConfig.for_model(
        family, vocab_size=len(words), initializer_range=1.0, bos_token_id=0, eos_token_id=0,
        **sizes[family],
    )  # fmt: skip
    transformers.AutoModelForCausalLM.from_config(config).eval().save_pretrained(folder)
    return folder
