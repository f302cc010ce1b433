"""Classifier with one hidden layer, from 13 columns to the logits of three classes."""

from pathlib import Path

import torch
from safetensors.torch import load_file


class Mlp(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(13)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(13, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.layers(self.norm(features))


def load(folder: Path) -> torch.nn.Module:
    module = Mlp()
    module.load_state_dict(load_file(folder / "model.safetensors"))
    return module
