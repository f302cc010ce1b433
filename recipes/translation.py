"""Train a zh-en MarianMT of 6 + 6 layers, and a student of 3 + 1 layers on its translations."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pytest_infperf.backends.torch_module import import_transformers
from recipes.training import ROOT, Average, Budget, arguments, fit, mixed_precision

SHIPPED = ROOT / "suites" / "translation" / "models" / "marian-zh-en-base"
PAIRS = (
    "train.zh and train.en, translations of each other line by line: Tatoeba-Challenge zho-eng and "
    "captions of 3AM, without pairs of which a side is in the test set"
)
DATA = (
    f"{PAIRS}; and source.spm, a joint SentencePiece model (trained on both files if it is missing)"
)
_PIECES = 8000
_LENGTHS = (12, 16, 24, 32, 48)
_TOKENS_A_BATCH = 20_000
_SAMPLED = 0.3
"""Alpha of subword regularisation (Kudo 2018), which every second pass uses."""
_SEGMENTATIONS = 8
"""Number of segmentations of the data: the most probable one, and sampled ones."""
_SENTENCES_AT_ONCE = 512

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Vocabulary:
    """The token ids of the shipped models: SentencePiece's pieces in order, then padding."""

    model: Path
    processor: Any

    @property
    def pad(self) -> int:
        return int(self.processor.get_piece_size())

    @property
    def size(self) -> int:
        return self.pad + 1

    @property
    def end(self) -> int:
        return int(self.processor.piece_to_id("</s>"))

    def encode(self, texts: Sequence[str], *, sampled: bool = False) -> list[list[int]]:
        sampling: dict[str, Any] = {"enable_sampling": True, "alpha": _SAMPLED, "nbest_size": -1}
        ids = self.processor.encode(list(texts), **(sampling if sampled else {}))
        return [[*pieces, self.end] for pieces in ids]

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        special = (self.pad, self.end)
        texts = [self.processor.decode([i for i in row if i not in special]) for row in rows]
        return list(texts)


def vocabulary(data: Path, out: Path) -> Vocabulary:
    import sentencepiece

    model = data / "source.spm"
    if not model.is_file():
        out.mkdir(parents=True, exist_ok=True)
        model = out / "source.spm"
        sentencepiece.SentencePieceTrainer.train(
            input=[str(data / "train.zh"), str(data / "train.en")],
            model_prefix=str(model.with_suffix("")),
            vocab_size=_PIECES,
            character_coverage=0.9995,
            eos_id=0,
            unk_id=1,
            bos_id=-1,
        )
        model.with_suffix(".model").rename(model)
    return Vocabulary(model, sentencepiece.SentencePieceProcessor(model_file=str(model)))


def read(data: Path) -> Pairs:
    sides = [(data / name).read_text("utf-8").splitlines() for name in ("train.zh", "train.en")]
    return list(zip(*sides, strict=True))


def padded(
    rows: Sequence[Sequence[int]], pad: int, device: str, length: int | None = None
) -> Tensor:
    """Return token ids [row, `length`]; the default length is that of the longest row."""
    longest = length or max(map(len, rows))
    return torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows], device=device)


def batches(
    pairs: Pairs, words: Vocabulary, device: str, *, tokens: int = _TOKENS_A_BATCH
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of pairs of similar length, in random order, pass after pass.

    All segmentations are on the device before the first batch, so that no step waits for them.
    """
    segmentations = [_by_length(pairs, words, device, sampled=i > 0) for i in range(_SEGMENTATIONS)]
    for number in count():
        batches_of_pass = []
        segmentation = segmentations[0] if number % 2 == 0 else random.choice(segmentations)
        for sources, targets in segmentation:
            order = torch.randperm(len(sources), device=device)
            size = max(1, tokens // sources.shape[1])
            batches_of_pass += [(sources, targets, rows) for rows in torch.split(order, size)]
        random.shuffle(batches_of_pass)
        for sources, targets, rows in batches_of_pass:
            yield sources[rows], targets[rows]


def _by_length(
    pairs: Pairs, words: Vocabulary, device: str, *, sampled: bool
) -> list[tuple[Tensor, Tensor]]:
    """Return token ids of both sides [pair, length] for each length, without longer pairs."""
    sources = words.encode([source for source, _ in pairs], sampled=sampled)
    targets = words.encode([target for _, target in pairs], sampled=sampled)
    numbers_by_length: dict[int, list[int]] = {length: [] for length in _LENGTHS}
    for i, (source, target) in enumerate(zip(sources, targets, strict=True)):
        needed = max(len(source), len(target))
        if fitting := next((length for length in _LENGTHS if needed <= length), None):
            numbers_by_length[fitting].append(i)
    return [
        (
            padded([sources[i] for i in numbers], words.pad, device, length),
            padded([targets[i] for i in numbers], words.pad, device, length),
        )
        for length, numbers in numbers_by_length.items()
        if numbers
    ]


def losses(
    logits: Callable[[Tensor, Tensor], Tensor],
    source: Iterator[tuple[Tensor, Tensor]],
    words: Vocabulary,
    smoothing: float,
) -> Iterator[Callable[[], Tensor]]:
    """Yield the loss of each batch: cross entropy of each target token given the earlier ones.

    The first token follows padding.
    """
    for x, y in source:

        def loss(x: Tensor = x, y: Tensor = y) -> Tensor:
            before = torch.cat([torch.full_like(y[:, :1], words.pad), y[:, :-1]], 1)
            return functional.cross_entropy(
                logits(x, before).float().flatten(0, 1),
                y.flatten(),
                ignore_index=words.pad,
                label_smoothing=smoothing,
            )

        yield loss


def marian(words: Vocabulary, encoder: int, decoder: int, width: int, dropout: float) -> Any:
    transformers = import_transformers()
    heads = max(1, width // 64)
    return transformers.MarianMTModel(
        transformers.MarianConfig(
            vocab_size=words.size,
            d_model=width,
            encoder_layers=encoder,
            decoder_layers=decoder,
            encoder_ffn_dim=4 * width,
            decoder_ffn_dim=4 * width,
            encoder_attention_heads=heads,
            decoder_attention_heads=heads,
            max_position_embeddings=512,
            pad_token_id=words.pad,
            eos_token_id=words.end,
            decoder_start_token_id=words.pad,
            forced_eos_token_id=words.end,
            scale_embedding=True,
            activation_function="swish",
            dropout=dropout,
        )
    )


def fitted(
    model: Any,
    pairs: Pairs,
    words: Vocabulary,
    budget: Budget,
    device: str,
    *,
    peak: float,
    smoothing: float,
    name: str,
    tokens: int,
    warm_up: int = 400,
) -> list[float]:
    def logits(x: Tensor, before: Tensor) -> Tensor:
        mask = (x != words.pad).long()
        values: Tensor = model(
            input_ids=x, attention_mask=mask, decoder_input_ids=before, use_cache=False
        ).logits
        return values

    average = Average(model)
    source = batches(pairs, words, device, tokens=tokens)
    history = fit(
        model,
        losses(logits, source, words, smoothing),
        budget,
        peak=peak,
        warm_up=warm_up,
        name=name,
        after_step=average.update,
    )
    average.apply()
    return history


@torch.inference_mode()
def translated(model: Any, texts: Sequence[str], words: Vocabulary, device: str) -> list[str]:
    """Return the teacher's translations, from which the student learns (Kim and Rush 2016)."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    translations = [""] * len(texts)
    for start in range(0, len(order), _SENTENCES_AT_ONCE):
        numbers = order[start : start + _SENTENCES_AT_ONCE]
        ids = padded(words.encode([texts[i] for i in numbers]), words.pad, device)
        with mixed_precision(device):
            rows = model.generate(
                input_ids=ids,
                attention_mask=(ids != words.pad).long(),
                num_beams=2,
                max_new_tokens=64,
            )
        for i, text in zip(numbers, words.decode(rows.tolist()), strict=True):
            translations[i] = text
    return translations


def warm_started(student: Any, teacher: Any) -> Any:
    """Return the student with weights of the teacher.

    They are those of every other encoder layer, of the first decoder layers and of the embeddings.
    """
    teacher_weights, weights = teacher.state_dict(), student.state_dict()
    for name in weights:
        teacher_name = name
        if ".encoder.layers." in name:
            layer = int(name.split(".layers.")[1].split(".")[0])
            teacher_name = name.replace(f".layers.{layer}.", f".layers.{2 * layer + 1}.")
        source = teacher_weights.get(teacher_name)
        if source is not None and source.shape == weights[name].shape:
            weights[name] = source.clone()
    student.load_state_dict(weights)
    return student


def write(
    model: Any, words: Vocabulary, folder: Path, *, languages: tuple[str, str] = ("zh", "en")
) -> None:
    deepcopy(model).half().cpu().save_pretrained(folder)
    write_vocabulary(words, folder, languages=languages)


def write_vocabulary(
    words: Vocabulary, folder: Path, *, languages: tuple[str, str] = ("zh", "en")
) -> None:
    """Write the files of the tokenizer that MarianTokenizer reads.

    `languages` are those of the inputs and of the outputs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("source.spm", "target.spm"):
        shutil.copy(words.model, folder / name)
    pieces = {words.processor.id_to_piece(i): i for i in range(words.pad)}
    text = json.dumps({**pieces, "<pad>": words.pad}, ensure_ascii=False)
    (folder / "vocab.json").write_text(text, "utf-8")
    shutil.copy(SHIPPED / "special_tokens_map.json", folder)
    settings = json.loads((SHIPPED / "tokenizer_config.json").read_text("utf-8"))
    settings["source_lang"], settings["target_lang"] = languages
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def train(
    data: Path,
    out: Path,
    budget: Budget,
    device: str,
    *,
    width: int = 256,
    layers: int = 6,
    tokens: int = _TOKENS_A_BATCH,
) -> dict[str, list[float]]:
    """Train and write teacher and student; return the losses of both."""
    words, pairs = vocabulary(data, out), read(data)
    teacher = marian(words, layers, layers, width, 0.2).to(device)
    name = "marian-zh-en-base"
    history = {
        "base": fitted(
            teacher,
            pairs,
            words,
            budget,
            device,
            peak=1.2e-3,
            smoothing=0.1,
            name=name,
            tokens=tokens,
        )
    }
    write(teacher, words, out / name)
    translations = translated(teacher, [source for source, _ in pairs], words, device)
    both = [*pairs, *zip((source for source, _ in pairs), translations, strict=True)]
    student = warm_started(marian(words, max(1, layers // 2), 1, width, 0.1), teacher).to(device)
    name = "marian-zh-en-distilled"
    half = budget.share(0.5)
    history["distilled"] = fitted(
        student,
        both,
        words,
        half,
        device,
        peak=1e-3,
        smoothing=0.05,
        name=name,
        tokens=tokens,
    )
    write(student, words, out / name)
    return history


def main() -> None:
    options = arguments(__doc__ or "", DATA, seconds=400)
    train(options.data, options.out, options.budget, options.device)


if __name__ == "__main__":
    main()
