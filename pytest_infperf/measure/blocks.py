"""The samples of a block's queries, and the detection of blocks that other processes disturbed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_infperf.errors import UserError
from pytest_infperf.records.evidence import RepeatedBlocks
from pytest_infperf.worker.messages import BlockDone

LEAST_BLOCK_NS = 20_000_000
"""Minimum duration of a block, in nanoseconds."""
_FOREIGN_SHARE = 0.05
"""CPU time of other processes above which a block is contaminated, as a fraction of its time."""
_CLOCK_TICKS_NS = 20_000_000
"""Two ticks of the kernel's CPU times: one may be miscounted at each end of a block."""
_MEASURED_AGAIN = 0.2
"""Maximum number of repeated blocks, as a fraction of the blocks that count."""


def quality_sample(available: Sequence[int], size: int | None, seed: int) -> list[int]:
    """Return the numbers of the samples that are measured and scored.

    Parameters
    ----------
    available : sequence of int
        The numbers of the samples that may be scored.
    size : int or None
        The number of samples to draw without repetition; None for all, in order.
    seed : int
        The seed of the draw.

    Raises
    ------
    UserError
        If `size` is less than 1.
    """
    if size is not None and size < 1:
        raise UserError(f"the task's sample_size is {size}, but must be at least 1")
    if size is None or size >= len(available):
        return list(available)
    return random.Random(seed).sample(available, size)


def endless_order(numbers: Sequence[int], seed: int) -> Iterator[int]:
    """Yield the numbers endlessly, in a new random order in each pass."""
    order = list(numbers)
    shuffle = random.Random(seed).shuffle
    while True:
        shuffle(order)
        yield from order


def contaminated(block: BlockDone) -> bool:
    """Return whether other processes used the CPU for over 5 % of the block's time.

    Times below the resolution of the kernel's clock do not count.
    """
    if block.foreign_cpu_ns is None:
        return False
    return block.foreign_cpu_ns > _FOREIGN_SHARE * block.wall_ns + _CLOCK_TICKS_NS


@dataclass
class SecondChances:
    """Decides which contaminated blocks are measured again: at most a fifth of all blocks."""

    measured: int = 0
    """The number of blocks that count."""
    again: int = 0
    """The number of blocks that were measured again."""
    disturbed: int = 0
    """The number of contaminated blocks that count."""

    def counts(self) -> RepeatedBlocks:
        """Return the counts for the record."""
        return RepeatedBlocks(self.measured, self.again, self.disturbed)

    def take(self, *blocks: BlockDone, in_time: bool = True) -> bool:
        """Return True if the blocks count, False if they are to be measured again.

        Parameters
        ----------
        *blocks : BlockDone
            The blocks; either all of them count or none.
        in_time : bool, default True
            Whether there is time to measure them again. If not, the first blocks always count: a
            contaminated block is better than none.
        """
        if any(map(contaminated, blocks)):
            is_allowed = self.again < _MEASURED_AGAIN * (self.measured + 1)
            if is_allowed and (in_time or self.measured):
                self.again += 1
                return False
            self.disturbed += 1
        self.measured += 1
        return True

    def remark(self, noun: str) -> str:
        """Return the remark for a verdict if most of the blocks that count are contaminated."""
        if 2 * self.disturbed <= self.measured:
            return ""
        return f"other processes disturbed {self.disturbed} of {self.measured} {noun}"
