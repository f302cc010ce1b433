"""Train an RNN with attention to translate, on the data and vocabulary of `recipes.translation`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pytest_infperf.backends.torch_module import import_modeling
from recipes.training import ROOT, Budget, arguments, config_of, fit, write_folder
from recipes.translation import DATA, batches, losses, read, vocabulary, write_vocabulary

SHIPPED = ROOT / "suites" / "translation" / "models" / "rnn-zh-en"
_TOKENS_A_BATCH = 16_000


def train(
    data: Path,
    out: Path,
    budget: Budget,
    device: str,
    *,
    hidden: int | None = None,
    tokens: int = _TOKENS_A_BATCH,
) -> list[float]:
    code, config = import_modeling(SHIPPED), config_of(SHIPPED)
    assert code
    words = vocabulary(data, out)
    ids: dict[str, Any] = {
        "vocab_size": words.size,
        "pad_token_id": words.pad,
        "eos_token_id": words.end,
        "decoder_start_token_id": words.pad,
    }
    config |= ids | ({"hidden_size": hidden} if hidden else {})
    model = code.RnnAttention(config, dropout=0.25).to(device)
    nn.init.normal_(model.embed.weight, 0, 0.06)

    def logits(x: Tensor, before: Tensor) -> Tensor:
        values: Tensor = model(x, (x != words.pad).long(), before)
        return values

    source = batches(read(data), words, device, tokens=tokens)
    history = fit(
        model,
        losses(logits, source, words, smoothing=0.1),
        budget,
        peak=1.5e-3,
        warm_up=300,
        name="rnn-zh-en",
        betas=(0.9, 0.999),
    )
    folder = out / "rnn-zh-en"
    write_folder(model, folder, SHIPPED, config)
    write_vocabulary(words, folder)
    return history


def main() -> None:
    options = arguments(__doc__ or "", DATA, seconds=240)
    train(options.data, options.out, options.budget, options.device)


if __name__ == "__main__":
    main()
