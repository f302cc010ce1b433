"""A causal language model of random weights, whose tokens are the letters a to h."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = (
    "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}assistant{% endif %}"
)


def save_tiny_generator(folder: Path, template: str | None = TEMPLATE) -> Path:
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
    config = transformers.GPT2Config(
        vocab_size=len(words), n_layer=2, n_embd=16, n_head=2, n_positions=64,
        initializer_range=1.0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(config).eval().save_pretrained(folder)
    return folder
