"""Train the shipped DeepSpeech2 further, with weights rounded as dynamic quantisation to int8 will.

Quantisation-aware training (Jacob et al. 2018): the forward pass uses rounded weights, and their
gradient is applied to the weights themselves (straight-through estimator).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.ao.quantization import default_dynamic_qconfig
from torch.func import functional_call

from pytest_infperf.backends.torch_module import load_torch_module
from pytest_infperf.tasks.spectrogram import SpectrogramCodec
from recipes.speech import DATA, MOST_DIGITS, SHIPPED, losses
from recipes.training import Budget, arguments, config_of, fit, write_folder
from suites.speech.utterances import recordings_by_speaker

NAME = "deepspeech2-digits-qat"
_BATCH = 8


def rounded_weights(module: nn.Module) -> dict[str, Tensor]:
    """Return the weights of Linear and LSTM layers, rounded to int8 precision, by name.

    The scale is that of `quantize_dynamic`: one for each weight, symmetric.
    """
    return {
        f"{prefix}.{name}": _round(weight)
        for prefix, layer in module.named_modules()
        if isinstance(layer, nn.Linear | nn.LSTM)
        for name, weight in layer.named_parameters()
        if name.startswith("weight")
    }


def _round(weight: Tensor) -> Tensor:
    observer = default_dynamic_qconfig.weight().to(weight.device)
    observer(weight.detach())
    scale, zero = observer.calculate_qparams()
    return torch.fake_quantize_per_tensor_affine(weight, scale, zero.int(), -128, 127)


def train(
    data: Path, out: Path, budget: Budget, device: str, *, seed: int = 0, batch: int = _BATCH
) -> list[float]:
    config = config_of(SHIPPED)
    model = load_torch_module(SHIPPED, None).to(device)
    model.conv.requires_grad_(False)  # its weights stay in float32
    model.rnn.dropout = 0.2

    def quantised(spectrogram: Tensor) -> Tensor:
        values: Tensor = functional_call(model, rounded_weights(model), (spectrogram,))
        return values

    batches = losses(
        quantised,
        SpectrogramCodec(SHIPPED),
        recordings_by_speaker(data),
        config["alphabet"],
        seed=seed,
        device=device,
        batch=batch,
        digits=MOST_DIGITS,
    )
    history = fit(model, batches, budget, peak=1e-4, warm_up=20, name=NAME)
    write_folder(model, out / NAME, SHIPPED, config)
    return history


def main() -> None:
    options = arguments(__doc__ or "", DATA, seconds=420)
    train(options.data, options.out, options.budget, options.device, seed=options.seed)


if __name__ == "__main__":
    main()
