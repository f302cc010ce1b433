"""The length of outputs, in percent of the references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class LengthRatio:
    name: str = "length_ratio"
    unit: str = "points"
    higher_is_better: bool = True

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        import numpy as np

        lengths = [(len(o), len(r)) for o, r in zip(outputs, references, strict=True)]
        return np.array(lengths, dtype=np.float64)

    def score(self, totals: NDArray[np.float64]) -> float:
        return float(100 * totals[0] / totals[1])

    def signature(self) -> str:
        return "characters"
