"""Train softmax regression on MNIST, and a small Inception on images shifted by up to 2 pixels."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from pytest_infperf.backends.torch_module import import_modeling
from pytest_infperf.tasks.vision import read_idx
from recipes.training import ROOT, Budget, arguments, config_of, fit, write_folder

SHIPPED = ROOT / "suites" / "vision" / "models"
DATA = "MNIST's train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"
_BATCH = 512
_MOST_SHIFT = 2


def read(data: Path, config: dict[str, float], device: str) -> tuple[Tensor, Tensor]:
    """Return normalised images [n, 1, 28, 28] and their classes."""
    images = torch.from_numpy(read_idx(data / "train-images-idx3-ubyte.gz").copy())
    labels = torch.from_numpy(read_idx(data / "train-labels-idx1-ubyte.gz").copy())
    pixels = (images.float() / 255 - config["mean"]) / config["std"]
    return pixels.unsqueeze(1).to(device), labels.long().to(device)


def losses(
    model: nn.Module, images: Tensor, labels: Tensor, *, shifted: bool
) -> Iterator[Callable[[], Tensor]]:
    while True:
        chosen = torch.randint(0, len(images), (_BATCH,), device=images.device)
        batch = images[chosen]
        if shifted:
            shift = [random.randint(-_MOST_SHIFT, _MOST_SHIFT) for _ in range(2)]
            batch = torch.roll(batch, shift, (2, 3))
        yield lambda b=batch, y=labels[chosen]: functional.cross_entropy(model(b), y)  # type: ignore[misc]


def train(name: str, data: Path, out: Path, budget: Budget, device: str) -> list[float]:
    """Train `mnist-softmax` or `mnist-inception` and write it to a folder of that name."""
    shipped = SHIPPED / name
    code, config = import_modeling(shipped), config_of(shipped)
    assert code
    is_inception = name == "mnist-inception"
    model = code.SmallInception(config["width"]) if is_inception else code.SoftmaxRegression()
    model.to(device)
    images, labels = read(data, config, device)
    batches = losses(model, images, labels, shifted=is_inception)
    history = fit(model, batches, budget, peak=2e-3, warm_up=1, name=name)
    write_folder(model, out / name, shipped, config)
    return history


def main() -> None:
    options = arguments(__doc__ or "", DATA, seconds=75)
    budget = options.budget
    train("mnist-softmax", options.data, options.out, budget.share(0.25), options.device)
    train("mnist-inception", options.data, options.out, budget, options.device)


if __name__ == "__main__":
    main()
