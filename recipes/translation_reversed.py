"""Train an en-zh MarianMT of 3 + 1 layers, warm-started from the shipped zh-en one, on a CPU."""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.backends.torch_module import load_torch_module
from recipes.training import ROOT, Budget, arguments
from recipes.translation import PAIRS, Vocabulary, fitted, read, write

SHIPPED = ROOT / "suites" / "translation" / "models" / "marian-zh-en-distilled"
NAME = "marian-en-zh"
_TOKENS_A_BATCH = 1_000
"""Number of source tokens of a batch: on a CPU, more and smaller steps learn faster."""


def train(
    data: Path, out: Path, budget: Budget, device: str, *, tokens: int = _TOKENS_A_BATCH
) -> list[float]:
    """Train and write the model, and return the loss of each step.

    Both directions use one vocabulary, so all weights start from those of the other direction.
    """
    import sentencepiece

    source = SHIPPED / "source.spm"
    words = Vocabulary(source, sentencepiece.SentencePieceProcessor(model_file=str(source)))
    model = load_torch_module(SHIPPED, "AutoModelForSeq2SeqLM").to(device)
    pairs = [(english, chinese) for chinese, english in read(data)]
    history = fitted(
        model,
        pairs,
        words,
        budget,
        device,
        peak=5e-4,
        smoothing=0.1,
        name=NAME,
        tokens=tokens,
        warm_up=200,
    )
    write(model, words, out / NAME, languages=("en", "zh"))
    return history


def main() -> None:
    options = arguments(__doc__ or "", PAIRS, seconds=2600)
    train(options.data, options.out, options.budget, options.device)


if __name__ == "__main__":
    main()
