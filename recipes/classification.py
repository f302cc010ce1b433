"""Train BERT to find solicitations in conversations, and DistilBERT as its student.

The conversations consist of messages of the SMS Spam Collection.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pytest_infperf.backends.torch_module import import_transformers
from recipes.training import ROOT, Budget, arguments, fit

DATA = "SMSSpamCollection of the UCI repository: each line is `ham` or `spam`, a tab and a message"
TEST_SET = ROOT / "suites" / "classification" / "data" / "test.jsonl"
LABELS = {0: "clean", 1: "solicitation"}
_VOCABULARY = 4000
_TOKENS_A_BATCH = 16384
_LENGTHS = (48, 96, 192, 384, 512)
_MOST_WORKERS = 12
_PAD, _UNKNOWN, _CLS, _SEP = 0, 1, 2, 3
_TEMPERATURE = 2.0


@dataclass(frozen=True)
class Messages:
    """Token ids of messages without and with a solicitation."""

    clean: Sequence[Sequence[int]]
    solicitation: Sequence[Sequence[int]]


def read(data: Path) -> list[tuple[str, bool]]:
    """Return messages and whether each is a solicitation, without the messages of the test set."""
    conversations = TEST_SET.read_text("utf-8").splitlines()
    test_text = "\n".join(json.loads(line)["text"] for line in conversations)
    lines = (data / "SMSSpamCollection").read_text("utf-8").splitlines()
    rows = [line.split("\t", 1) for line in lines if "\t" in line]
    return [(text, label == "spam") for label, text in rows if text.strip() not in test_text]


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(lowercase=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts, vocabulary, special_tokens=special, show_progress=False)
    return tokenizer


def encoded(rows: Sequence[tuple[str, bool]], tokenizer: Any) -> Messages:
    ids = [(tokenizer.encode(t, add_special_tokens=False).ids, spam) for t, spam in rows]
    return Messages([i for i, spam in ids if not spam], [i for i, spam in ids if spam])


def conversation(rng: random.Random, messages: Messages, longest: int) -> tuple[list[int], int]:
    """Join random messages until the next does not fit, half of the time with a solicitation."""
    label = int(rng.random() < 0.5)
    hidden = list(rng.choice(messages.solicitation))[: longest - 2] if label else []
    room = longest - 2 - len(hidden)
    parts: list[Sequence[int]] = []
    while len(message := rng.choice(messages.clean)) <= room:
        parts.append(message)
        room -= len(message)
    if label:
        parts.insert(rng.randint(0, len(parts)), hidden)
    parts = parts or [rng.choice(messages.clean)[: longest - 2]]
    return [_CLS, *(token for part in parts for token in part), _SEP], label


def batches(
    messages: Messages, *, seed: int, tokens: int, processes: int = 1
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield token ids [batch, longest] and labels: short conversations at first, then all lengths.

    Each batch is a training step. `processes` is the number of processes that make batches in turn.
    """
    rng = random.Random(seed)
    step = 0
    while True:
        allowed = min(len(_LENGTHS), 1 + step // 200)
        longest = _LENGTHS[rng.randrange(allowed)]
        conversations = [
            conversation(rng, messages, rng.randint(max(16, longest // 2), longest))
            for _ in range(max(2, tokens // longest))
        ]
        ids = torch.full((len(conversations), longest), _PAD)
        for row, (text, _) in enumerate(conversations):
            ids[row, : len(text)] = torch.tensor(text)
        yield ids, torch.tensor([label for _, label in conversations])
        step += processes


class _Stream(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches of one loader process, whose seed depends on the number of the process."""

    def __init__(self, messages: Messages, seed: int, tokens: int) -> None:
        self._messages, self._seed, self._tokens = messages, seed, tokens

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        process = get_worker_info()
        number, count = (process.id, process.num_workers) if process else (0, 1)
        seed = self._seed + number
        return batches(self._messages, seed=seed, tokens=self._tokens, processes=count)


def workers(device: str) -> int:
    """Return the number of processes that make batches; 0 means this process."""
    return min(_MOST_WORKERS, os.cpu_count() or 1) if device.startswith("cuda") else 0


def loader(
    messages: Messages, *, seed: int, tokens: int, device: str
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the `batches` of all loader processes in turn, or of this process if there are none."""
    stream = _Stream(messages, seed, tokens)
    return iter(DataLoader(stream, batch_size=None, num_workers=workers(device)))


def losses(
    model: nn.Module,
    teacher: nn.Module | None,
    source: Iterator[tuple[Tensor, Tensor]],
    device: str,
) -> Iterator[Callable[[], Tensor]]:
    """Yield the loss of each batch: cross entropy with smoothed labels.

    With a teacher, most of the loss is the divergence from its softened predictions (Hinton,
    Vinyals and Dean 2015).
    """
    for cpu_ids, cpu_labels in source:
        ids, labels = cpu_ids.to(device), cpu_labels.to(device)
        mask = (ids != _PAD).long()
        dropped = (torch.rand(ids.shape, device=device) < 0.03) & (ids > 4)
        ids = torch.where(dropped, _UNKNOWN, ids)

        def loss(x: Tensor = ids, m: Tensor = mask, y: Tensor = labels) -> Tensor:
            logits = model(input_ids=x, attention_mask=m).logits
            hard = functional.cross_entropy(logits, y, label_smoothing=0.05)
            if teacher is None:
                return hard
            with torch.no_grad():
                target = teacher(input_ids=x, attention_mask=m).logits
            soft = functional.kl_div(
                functional.log_softmax(logits / _TEMPERATURE, -1),
                functional.softmax(target / _TEMPERATURE, -1),
                reduction="batchmean",
            )
            return 0.3 * hard + 0.7 * _TEMPERATURE**2 * soft

        yield loss


def bert(vocabulary: int, width: int = 256, layers: int = 6) -> Any:
    transformers = import_transformers()
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=max(1, width // 64),
            intermediate_size=4 * width,
            pad_token_id=_PAD,
            id2label=LABELS,
            label2id={label: i for i, label in LABELS.items()},
        )
    )


def distilbert(teacher: Any, layers: int = 3) -> Any:
    """Return a student that starts with every other layer of the teacher (Sanh et al. 2019)."""
    transformers = import_transformers()
    config = teacher.config
    student = transformers.DistilBertForSequenceClassification(
        transformers.DistilBertConfig(
            vocab_size=config.vocab_size,
            dim=config.hidden_size,
            n_layers=layers,
            n_heads=config.num_attention_heads,
            hidden_dim=config.intermediate_size,
            pad_token_id=_PAD,
            id2label=LABELS,
            label2id={label: i for i, label in LABELS.items()},
        )
    )
    weights = teacher.state_dict()
    names = {f"distilbert.embeddings.{part}": f"bert.embeddings.{part}" for part in _EMBEDDINGS}
    for layer in range(layers):
        for student_part, teacher_part in _LAYER.items():
            names[f"distilbert.transformer.layer.{layer}.{student_part}"] = (
                f"bert.encoder.layer.{2 * layer + 1}.{teacher_part}"
            )
    initial = {
        f"{student_name}.{kind}": weights[f"{teacher_name}.{kind}"]
        for student_name, teacher_name in names.items()
        for kind in ("weight", "bias")
        if f"{teacher_name}.{kind}" in weights
    }
    student.load_state_dict(initial, strict=False)
    return student


_EMBEDDINGS = ("word_embeddings", "position_embeddings", "LayerNorm")
_LAYER = {
    "attention.q_lin": "attention.self.query",
    "attention.k_lin": "attention.self.key",
    "attention.v_lin": "attention.self.value",
    "attention.out_lin": "attention.output.dense",
    "sa_layer_norm": "attention.output.LayerNorm",
    "ffn.lin1": "intermediate.dense",
    "ffn.lin2": "output.dense",
    "output_layer_norm": "output.LayerNorm",
}


def write(model: Any, tokenizer: Any, folder: Path) -> None:
    transformers = import_transformers()
    deepcopy(model).half().cpu().save_pretrained(folder)
    fast = transformers.BertTokenizerFast(
        tokenizer_object=tokenizer._tokenizer, model_max_length=512
    )
    fast.save_pretrained(folder)


def train(
    data: Path,
    out: Path,
    budget: Budget,
    device: str,
    *,
    seed: int = 0,
    vocabulary: int = _VOCABULARY,
    width: int = 256,
    layers: int = 6,
    tokens: int = _TOKENS_A_BATCH,
) -> dict[str, list[float]]:
    """Train and write teacher and student; return the losses of both."""
    rows = read(data)
    tokenizer = train_tokenizer([text for text, _ in rows], vocabulary)
    messages = encoded(rows, tokenizer)
    teacher = bert(tokenizer.get_vocab_size(), width, layers).to(device)
    source = loader(messages, seed=seed + 1, tokens=tokens, device=device)
    history = {
        "bert": fit(
            teacher,
            losses(teacher, None, source, device),
            budget,
            peak=4e-4,
            warm_up=300,
            name="bert-solicitation",
        )
    }
    write(teacher, tokenizer, out / "bert-solicitation")
    student = distilbert(teacher, layers // 2).to(device)
    history["distilbert"] = fit(
        student,
        losses(student, teacher, source, device),
        budget.share(0.6),
        peak=3e-4,
        warm_up=300,
        name="distilbert-solicitation",
    )
    write(student, tokenizer, out / "distilbert-solicitation")
    return history


def main() -> None:
    options = arguments(__doc__ or "", DATA, seconds=240)
    train(options.data, options.out, options.budget, options.device, seed=options.seed)


if __name__ == "__main__":
    main()
