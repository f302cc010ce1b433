"""Train a causal language model of the Llama architecture on English sentences, on a CPU."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pytest_infperf.backends.torch_module import import_transformers
from recipes.training import Average, Budget, arguments, fit, mixed_precision

NAME = "llama-sentences"
DATA = "train.en: one English sentence in each line, without those of the test set"
_PIECES = 4096
_CONTEXT = 256
_ROW = 128
"""Number of tokens of a training example."""
_ROWS_A_BATCH = 16
_HELD_OUT = 2000
"""Number of sentences on which the perplexity is printed, and which are not trained on."""


def tokenizer(sentences: Sequence[str], folder: Path) -> Any:
    """Train a SentencePiece BPE model with bytes for unknown characters, and write a tokenizer.

    llama.cpp, onnxruntime-genai and OpenVINO convert the file tokenizer.model.
    """
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=_PIECES,
        character_coverage=0.9995,
        byte_fallback=True,
        normalization_rule_name="identity",
        split_digits=True,
        minloglevel=1,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
    )
    (folder / "tokenizer.vocab").unlink()
    transformers = import_transformers()
    words = transformers.LlamaTokenizerFast(
        vocab_file=str(folder / "tokenizer.model"),
        pad_token="</s>",
        model_max_length=_CONTEXT,
        add_prefix_space=True,  # as SentencePiece, so that joined sentences are joined tokens
        legacy=False,
    )
    words.save_pretrained(str(folder))
    return words


def model(words: Any, *, hidden: int = 256, layers: int = 4) -> Any:
    """Return a model of random weights."""
    transformers = import_transformers()
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=hidden,
        intermediate_size=hidden * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=hidden // 64,
        max_position_embeddings=_CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return transformers.LlamaForCausalLM(config)


def texts(sentences: Sequence[str], words: Any) -> Iterator[list[int]]:
    """Yield token ids of `_ROW` tokens of sentences in random order, pass after pass.

    Each begins with the start token and a whole sentence.
    """
    ids = words(list(sentences), add_special_tokens=False)["input_ids"]
    row = [words.bos_token_id]
    while True:
        random.shuffle(ids)
        for sentence in ids:
            row += sentence
            if len(row) >= _ROW:
                yield row[:_ROW]
                row = [words.bos_token_id]


def _losses(
    module: Any, rows: Iterator[list[int]], device: str, rows_a_batch: int
) -> Iterator[Callable[[], Tensor]]:
    while True:
        batch = torch.tensor([next(rows) for _ in range(rows_a_batch)], device=device)
        yield lambda batch=batch: module(input_ids=batch, labels=batch).loss  # type: ignore[misc]


def perplexity(module: Any, sentences: Sequence[str], words: Any, device: str) -> float:
    """Return the perplexity of a token, in texts as those of the training."""
    rows = texts([*sentences], words)
    number = max(1, sum(map(len, words(list(sentences))["input_ids"])) // _ROW)
    with torch.inference_mode(), mixed_precision(device):
        batches = [torch.tensor([next(rows)], device=device) for _ in range(number)]
        losses = [float(module(input_ids=batch, labels=batch).loss) for batch in batches]
    return math.exp(sum(losses) / len(losses))


def train(
    data: Path,
    out: Path,
    budget: Budget,
    device: str,
    *,
    hidden: int = 256,
    rows_a_batch: int = _ROWS_A_BATCH,
) -> list[float]:
    """Train and write the model, and return the loss of each step."""
    sentences = sorted(set((data / "train.en").read_text("utf-8").splitlines()) - {""})
    random.shuffle(sentences)
    held_out, sentences = sentences[:_HELD_OUT], sentences[_HELD_OUT:] or sentences
    folder = out / NAME
    words = tokenizer(sentences, folder)
    module = model(words, hidden=hidden).to(device)
    average = Average(module)
    losses = _losses(module, texts(sentences, words), device, rows_a_batch)
    history = fit(
        module,
        losses,
        budget,
        peak=2e-3,
        warm_up=200,
        name=NAME,
        weight_decay=0.1,
        after_step=average.update,
    )
    average.apply()
    print(f"{NAME}: perplexity {perplexity(module, held_out, words, device):.2f}", flush=True)
    module.half().save_pretrained(str(folder))
    return history


def main() -> None:
    options = arguments(__doc__ or "", DATA, seconds=1260)
    train(options.data, options.out, options.budget, options.device)


if __name__ == "__main__":
    main()
