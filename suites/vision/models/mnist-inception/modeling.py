"""A small Inception-v3 (Szegedy et al. 2016): blocks A, A, B, C, C at a quarter of the width."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

Scaled = Callable[[int], int]


class Cell(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, kernel: int | tuple[int, int], **how: Any):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, bias=False, **how),
            nn.BatchNorm2d(outputs, eps=1e-3),
            nn.ReLU(inplace=True),
        )


class InceptionA(nn.Module):
    def __init__(self, inputs: int, pooled: int, scaled: Scaled) -> None:
        super().__init__()
        self.b1 = Cell(inputs, scaled(64), 1)
        self.b5 = nn.Sequential(
            Cell(inputs, scaled(48), 1), Cell(scaled(48), scaled(64), 5, padding=2)
        )
        self.b3 = nn.Sequential(
            Cell(inputs, scaled(64), 1),
            Cell(scaled(64), scaled(96), 3, padding=1),
            Cell(scaled(96), scaled(96), 3, padding=1),
        )
        self.bp = Cell(inputs, scaled(pooled), 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.bp(functional.avg_pool2d(x, 3, 1, 1))
        return torch.cat([self.b1(x), self.b5(x), self.b3(x), pooled], 1)


class InceptionB(nn.Module):
    def __init__(self, inputs: int, scaled: Scaled) -> None:
        super().__init__()
        self.b3 = Cell(inputs, scaled(384), 3, stride=2)
        self.bd = nn.Sequential(
            Cell(inputs, scaled(64), 1),
            Cell(scaled(64), scaled(96), 3, padding=1),
            Cell(scaled(96), scaled(96), 3, stride=2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b3(x), self.bd(x), functional.max_pool2d(x, 3, 2)], 1)


class InceptionC(nn.Module):
    def __init__(self, inputs: int, inner: int, scaled: Scaled) -> None:
        super().__init__()
        q, outputs = scaled(inner), scaled(192)
        self.b1 = Cell(inputs, outputs, 1)
        self.b7 = nn.Sequential(Cell(inputs, q, 1), _row(q, q), _column(q, outputs))
        self.bd = nn.Sequential(
            Cell(inputs, q, 1), _column(q, q), _row(q, q), _column(q, q), _row(q, outputs)
        )
        self.bp = Cell(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.bp(functional.avg_pool2d(x, 3, 1, 1))
        return torch.cat([self.b1(x), self.b7(x), self.bd(x), pooled], 1)


def _row(inputs: int, outputs: int) -> Cell:
    return Cell(inputs, outputs, (1, 7), padding=(0, 3))


def _column(inputs: int, outputs: int) -> Cell:
    return Cell(inputs, outputs, (7, 1), padding=(3, 0))


class SmallInception(nn.Module):
    def __init__(self, width: float, classes: int = 10, dropout: float = 0.2) -> None:
        super().__init__()

        def scaled(channels: int) -> int:
            return int(channels * width)

        first = scaled(64) + scaled(64) + scaled(96) + scaled(32)
        second = scaled(64) + scaled(64) + scaled(96) + scaled(64)
        reduced = scaled(384) + scaled(96) + second
        last = 4 * scaled(192)
        self.stem = nn.Sequential(
            Cell(1, scaled(64), 3, padding=1),
            Cell(scaled(64), scaled(128), 3, padding=1),
            nn.MaxPool2d(2),
        )
        self.blocks = nn.Sequential(
            InceptionA(scaled(128), 32, scaled),
            InceptionA(first, 64, scaled),
            InceptionB(second, scaled),
            InceptionC(reduced, 128, scaled),
            InceptionC(last, 192, scaled),
        )
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(last, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Map [batch, 1, 28, 28] to logits [batch, classes]."""
        return self.fc(self.drop(self.blocks(self.stem(image)).mean((2, 3))))


def load(folder: Path) -> SmallInception:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    model = SmallInception(config["width"])
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict(
        {name: v.float() if v.is_floating_point() else v for name, v in weights.items()}
    )
    return model
