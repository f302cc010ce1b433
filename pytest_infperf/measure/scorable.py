"""Outputs in a form that every metric accepts, for any answer of a variant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_infperf.suite.outputs import ABSENT_TEXT, is_finite


@dataclass(frozen=True)
class ScorableOutputs:
    """Outputs in a form that every metric accepts, and the positions of non-finite ones."""

    outputs: Sequence[Any]
    """The outputs; those that are not finite are replaced by wrong ones."""
    not_finite: frozenset[int]
    """The positions of outputs that are not finite."""

    @classmethod
    def of(cls, outputs: Sequence[Any], references: Sequence[Any]) -> ScorableOutputs:
        """Return the outputs to score against the references."""
        not_finite = frozenset(
            position
            for position, (output, reference) in enumerate(zip(outputs, references, strict=True))
            if _is_missing(output, reference) or not is_finite(output)
        )
        scorable = [
            wrong_output(reference) if position in not_finite else output
            for position, (output, reference) in enumerate(zip(outputs, references, strict=True))
        ]
        return cls(scorable, not_finite)

    @property
    def problem(self) -> str:
        """Description of the outputs that are not finite; empty if all are finite."""
        if not self.not_finite:
            return ""
        return (
            f"{len(self.not_finite):,} of {len(self.outputs):,} outputs are not finite (NaN, "
            "infinite or missing)"
        )


def _is_missing(output: Any, reference: Any) -> bool:
    return output is None and reference is not None


def wrong_output(reference: Any) -> Any:
    """Return an output of the reference's type that differs from all references."""
    texts = reference if isinstance(reference, list | tuple) else [reference]
    return ABSENT_TEXT if texts and all(isinstance(text, str) for text in texts) else math.nan
