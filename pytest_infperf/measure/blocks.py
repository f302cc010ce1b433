"""What blocks of queries are made of, and which of them others disturbed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_infperf.worker.messages import BlockDone

LEAST_BLOCK_NS = 20_000_000
_FOREIGN_SHARE = 0.05
_CLOCK_TICKS_NS = 20_000_000
"""The kernel counts in ticks of 10 ms; two of them may fall to either side of a block."""
_MEASURED_AGAIN = 0.2


def quality_sample(available: int, size: int | None, seed: int) -> list[int]:
    """A seeded sample of sample numbers, without repetition; None takes all, in order."""
    if size is None or size >= available:
        return list(range(available))
    return random.Random(seed).sample(range(available), size)


def endless_order(numbers: Sequence[int], seed: int) -> Iterator[int]:
    """The numbers in a new random order each time round."""
    order = list(numbers)
    shuffle = random.Random(seed).shuffle
    while True:
        shuffle(order)
        yield from order


def contaminated(block: BlockDone) -> bool:
    """Others took over 5 % of the block's time, by what the kernel's ticks can tell."""
    if block.foreign_cpu_ns is None:
        return False
    return block.foreign_cpu_ns > _FOREIGN_SHARE * block.wall_ns + _CLOCK_TICKS_NS


@dataclass
class SecondChances:
    """Contaminated blocks are measured again, at most a fifth of them, and counted."""

    measured: int = 0
    again: int = 0

    def take(self, *blocks: BlockDone) -> bool:
        """True when the blocks count; False when they are to be measured again."""
        if any(map(contaminated, blocks)) and self.again < _MEASURED_AGAIN * (self.measured + 1):
            self.again += 1
            return False
        self.measured += 1
        return True
