"""What all recipes share: their arguments, the schedule of the learning rate, and model folders."""

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
_LEAST_SHARE = 0.02
"""Of the peak learning rate, at the end."""


@dataclass(frozen=True)
class Budget:
    """How long to train: seconds or steps, whichever is given."""

    seconds: float | None = None
    steps: int | None = None

    def share(self, fraction: float) -> Budget:
        return Budget(
            None if self.seconds is None else self.seconds * fraction,
            None if self.steps is None else max(1, int(self.steps * fraction)),
        )


def arguments(purpose: str, data: str, seconds: float) -> Namespace:
    """What every recipe takes; `data` says in words what has to lie in the folder."""
    parser = ArgumentParser(description=purpose)
    parser.add_argument("--data", type=Path, required=True, help=data)
    parser.add_argument("--out", type=Path, required=True, help="where model folders are written")
    parser.add_argument("--seconds", type=float, default=seconds, help="default: %(default)s")
    parser.add_argument("--steps", type=int, help="train for so many steps, not seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    given.budget = Budget(None if given.steps else given.seconds, given.steps)
    seed(given.seed)
    return given


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
    """Train with AdamW, a warm-up and half a cosine; the loss of each step.

    Each item of `losses` computes the loss of one batch, on a GPU in mixed precision. The warm-up
    takes a tenth of the steps at most.
    """
    if budget.steps is not None:
        warm_up = min(warm_up, max(1, budget.steps // 10))
    parameters = [p for p in module.parameters() if p.requires_grad]
    device = parameters[0].device.type
    optimiser = torch.optim.AdamW(
        parameters, peak, betas=betas, weight_decay=weight_decay, fused=device == "cuda"
    )
    seen: list[Tensor] = []
    start = told = 0.0
    module.train()
    for step, loss_of_batch in enumerate(losses):
        if not step:  # what is made ready for the first batch is no training
            start = told = monotonic()
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
        seen.append(loss.detach())  # as a tensor: to read it waits for the device
        if monotonic() - told > 20:
            told = monotonic()
            print(f"{name}: step {step}, loss {float(seen[-1]):.3f}, {done:.0%}", flush=True)
    module.eval()
    return [float(loss) for loss in seen]


def mixed_precision(device: str) -> torch.autocast:
    """Matrices in bfloat16 on a GPU; nothing changes on a CPU."""
    return torch.autocast("cuda", torch.bfloat16, enabled=device.startswith("cuda"))


def _done(budget: Budget, seconds: float, steps: int) -> float:
    if budget.steps is not None:
        return steps / budget.steps
    assert budget.seconds
    return seconds / budget.seconds


def _schedule(done: float, step: int, warm_up: int) -> float:
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return min(1.0, (step + 1) / warm_up) * (cosine * (1 - _LEAST_SHARE) + _LEAST_SHARE)


class Average:
    """A moving average of the weights, which translates better than the last ones do."""

    def __init__(self, module: nn.Module) -> None:
        self._trained = [p.detach() for p in module.parameters()]
        self._kept = [p.clone() for p in self._trained]

    @torch.no_grad()
    def update(self, step: int) -> None:
        share = min(0.998, (step + 1) / (step + 10))
        torch._foreach_lerp_(self._kept, self._trained, 1 - share)

    @torch.no_grad()
    def apply(self) -> None:
        for kept, now in zip(self._kept, self._trained, strict=True):
            now.copy_(kept)


def write_folder(module: nn.Module, folder: Path, shipped: Path, config: dict[str, Any]) -> None:
    """A model folder with code of its own, like the shipped one: weights in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    save_torch_module(module.half().cpu(), shipped, folder)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def config_of(shipped: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((shipped / "config.json").read_text("utf-8"))
    return config
