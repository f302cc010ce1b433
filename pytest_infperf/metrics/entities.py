"""F1 of named entities, as the shared task of CoNLL-2003 counts them [1]_, in points.

References
----------
.. [1] Tjong Kim Sang, E. F. and De Meulder, F. (2003). Introduction to the CoNLL-2003 Shared Task:
   Language-Independent Named Entity Recognition. CoNLL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_infperf.metrics.sums import f1_of_counts
from pytest_infperf.suite.outputs import UnusableSample, is_absent


class EntityF1:
    """F1 of the entities of all samples, from 0 to 100 points.

    Outputs and references are lists of IOB2 tags, one per token: `B-PER` begins an entity, `I-PER`
    continues it, `O` is outside. An entity is right if its type and both of its ends are. As in the
    script of CoNLL, an `I-PER` that continues no entity of its type begins one.

    Examples
    --------
    >>> from pytest_infperf import EntityF1
    >>> EntityF1().statistics([["B-PER", "O"]], [["B-PER", "I-PER"]]).tolist()
    [[0.0, 1.0, 1.0]]
    """

    name = "entity_f1"
    unit = "points"
    higher_is_better = True

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return the right, predicted and true entities of each sample, shape [samples, 3].

        Raises
        ------
        UnusableSample
            If an output or a reference is no list of IOB2 tags, or their lengths differ.
        """
        rows = []
        for position, (output, reference) in enumerate(zip(outputs, references, strict=True)):
            true = _entities(position, reference, "reference")
            if is_absent(output):
                rows.append((0, 0, len(true)))
                continue
            predicted = _entities(position, output, "output")
            if len(output) != len(reference):
                raise UnusableSample(
                    position,
                    f"its output has {len(output)} tags and its reference {len(reference)}: each "
                    "token has one",
                )
            rows.append((len(predicted & true), len(predicted), len(true)))
        return np.array(rows, dtype=np.float64)

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return F1 in points, from summed statistics of shape [3].

        It is NaN where no entity is predicted or true.
        """
        return f1_of_counts(totals)

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "IOB2, whole entities, micro"


def _entities(position: int, tags: Any, role: str) -> set[tuple[str, int, int]]:
    """Return the type, the first token and the end of each entity."""
    if not isinstance(tags, list | tuple):
        raise UnusableSample(position, f"its {role} is {tags!r}, not a list of IOB2 tags")
    entities = set()
    start, open_type = 0, ""
    for token, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-") if isinstance(tag, str) else ("", "", "")
        if tag != "O" and (prefix not in ("B", "I") or not kind):
            raise UnusableSample(
                position, f"the tag {tag!r} of its {role} is not O, B-type or I-type"
            )
        if prefix == "I" and kind == open_type:
            continue
        if open_type:
            entities.add((open_type, start, token))
        start, open_type = token, kind
    return entities
