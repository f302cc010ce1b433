"""Softmax regression: one linear layer from pixels to the logits of ten digits."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn


class SoftmaxRegression(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(28 * 28, 10))

    def forward(self, image: Tensor) -> Tensor:
        """Map [batch, 1, 28, 28] to logits [batch, 10]."""
        return super().forward(image)


def load(folder: Path) -> SoftmaxRegression:
    model = SoftmaxRegression()
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict({name: values.float() for name, values in weights.items()})
    return model
