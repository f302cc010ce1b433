"""A tiny Whisper with random weights, of several languages or of English only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SPECIAL = [
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>",
    "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
]  # fmt: skip
FIRST = 256
"""Token of the first special word; those before are the bytes."""


def tiny_whisper(folder: Path, *, multilingual: bool = True, seconds: int = 30) -> Path:
    """Write the model with its processor, and return its folder.

    It reads recordings of as many seconds.
    """
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    folder.mkdir()
    _write_tokenizer(folder)
    WhisperFeatureExtractor(feature_size=16, chunk_length=seconds).save_pretrained(folder)
    ids = {word: FIRST + number for number, word in enumerate(SPECIAL)}
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    special = {
        "bos_token_id": end, "eos_token_id": end, "pad_token_id": end,
        "decoder_start_token_id": start,
    }  # fmt: skip
    torch.manual_seed(3)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=FIRST + len(SPECIAL) + 1501, num_mel_bins=16, d_model=16,
            encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16,
            init_std=1.0, max_source_positions=50 * seconds, max_target_positions=64, **special,
        )
    )  # fmt: skip
    languages = {
        "lang_to_id": {word: ids[word] for word in ("<|en|>", "<|de|>")},
        "task_to_id": {task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")},
    }
    generation: dict[str, Any] = {
        **special,
        **(languages if multilingual else {}),
        "is_multilingual": multilingual,
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "max_length": 64,
        "begin_suppress_tokens": [32, end],
        "suppress_tokens": [1, 2, *range(start, FIRST + len(SPECIAL) + 1501)],
    }
    model.generation_config = GenerationConfig(**generation)
    model.save_pretrained(folder)
    return folder


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import WhisperTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    (folder / "vocab.json").write_text(json.dumps({c: i for i, c in enumerate(letters)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in SPECIAL])
    tokenizer.save(str(folder / "tokenizer.json"))
    wrapped: Any = WhisperTokenizerFast
    wrapped(
        tokenizer_file=str(folder / "tokenizer.json"),
        vocab_file=str(folder / "vocab.json"),
        merges_file=str(folder / "merges.txt"),
        additional_special_tokens=SPECIAL[1:],
    ).save_pretrained(folder)
