"""Command line, optimiser, learning rate schedule and model folders of all recipes."""

from __future__ import annotations

import json
import math
import random
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pytest_infperf.backends.torch_module import save_torch_module

ROOT = Path(__file__).parents[1]
_LAST_RATE = 0.02
"""Learning rate at the end, as a fraction of the peak."""


@dataclass(frozen=True)
class Budget:
    """Duration of a training: a number of seconds, or of steps if that is given."""

    seconds: float | None = None
    steps: int | None = None

    def share(self, fraction: float) -> Budget:
        return Budget(
            None if self.seconds is None else self.seconds * fraction,
            None if self.steps is None else max(1, int(self.steps * fraction)),
        )


def arguments(purpose: str, data: str, seconds: float) -> Namespace:
    """Parse the options of every recipe, and set the seed.

    `data` describes the files that the folder of `--data` must contain.
    """
    parser = ArgumentParser(description=purpose)
    parser.add_argument("--data", type=Path, required=True, help=data)
    parser.add_argument("--out", type=Path, required=True, help="folder for the model folders")
    parser.add_argument(
        "--seconds",
        type=float,
        default=seconds,
        help="time of the first training (default: %(default)s)",
    )
    parser.add_argument("--steps", type=int, help="number of training steps, instead of --seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    options.budget = Budget(None if options.steps else options.seconds, options.steps)
    seed(options.seed)
    return options


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def fit(
    module: nn.Module,
    losses: Iterator[Callable[[], Tensor]],
    budget: Budget,
    *,
    peak: float,
    warm_up: int,
    name: str,
    weight_decay: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.98),
    after_step: Callable[[int], None] = lambda step: None,
) -> list[float]:
    """Train with AdamW and return the loss of each step.

    The learning rate rises linearly for `warm_up` steps (at most a tenth of a budget of steps) and
    falls along half a cosine. Each item of `losses` computes the loss of one batch, on a GPU in
    mixed precision.
    """
    if budget.steps is not None:
        warm_up = min(warm_up, max(1, budget.steps // 10))
    parameters = [p for p in module.parameters() if p.requires_grad]
    device = parameters[0].device.type
    optimiser = torch.optim.AdamW(
        parameters, peak, betas=betas, weight_decay=weight_decay, fused=device == "cuda"
    )
    history: list[Tensor] = []
    start = last_report = 0.0
    module.train()
    for step, loss_of_batch in enumerate(losses):
        if not step:  # preparing the first batch is not training time
            start = last_report = monotonic()
        done = _done(budget, monotonic() - start, step)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = peak * _schedule(done, step, warm_up)
        with mixed_precision(device):
            loss = loss_of_batch()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        after_step(step)
        history.append(loss.detach())  # a tensor: reading its value waits for the device
        if monotonic() - last_report > 20:
            last_report = monotonic()
            print(f"{name}: step {step}, loss {float(history[-1]):.3f}, {done:.0%}", flush=True)
    module.eval()
    return [float(loss) for loss in history]


def mixed_precision(device: str) -> torch.autocast:
    """Return a context in which a GPU multiplies matrices in bfloat16; a CPU is not affected."""
    return torch.autocast("cuda", torch.bfloat16, enabled=device.startswith("cuda"))


def _done(budget: Budget, seconds: float, steps: int) -> float:
    if budget.steps is not None:
        return steps / budget.steps
    assert budget.seconds
    return seconds / budget.seconds


def _schedule(done: float, step: int, warm_up: int) -> float:
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return min(1.0, (step + 1) / warm_up) * (cosine * (1 - _LAST_RATE) + _LAST_RATE)


class Average:
    """A moving average of the weights, which translates better than the last weights."""

    def __init__(self, module: nn.Module) -> None:
        self._trained = [p.detach() for p in module.parameters()]
        self._average = [p.clone() for p in self._trained]

    @torch.no_grad()
    def update(self, step: int) -> None:
        share = min(0.998, (step + 1) / (step + 10))
        torch._foreach_lerp_(self._average, self._trained, 1 - share)

    @torch.no_grad()
    def apply(self) -> None:
        for average, weights in zip(self._average, self._trained, strict=True):
            weights.copy_(average)


def write_folder(module: nn.Module, folder: Path, shipped: Path, config: dict[str, Any]) -> None:
    """Write a model folder with the code of the shipped one and weights in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    save_torch_module(module.half().cpu(), shipped, folder)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def config_of(shipped: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((shipped / "config.json").read_text("utf-8"))
    return config
