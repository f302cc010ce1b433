"""Scores of tags: F1 of named entities as in the shared task of CoNLL-2003 [1]_, and accuracy.

References
----------
.. [1] Tjong Kim Sang, E. F. and De Meulder, F. (2003). Introduction to the CoNLL-2003 Shared Task:
   Language-Independent Named Entity Recognition. CoNLL.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from operator import eq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_infperf.metrics.sums import f1_of_counts
from pytest_infperf.suite.outputs import UnusableSample, is_absent


class EntityF1:
    """F1 of the entities of all samples, from 0 to 100 points.

    Outputs and references are lists of tags, one per token, in one of the schemes IOB1, IOB2 and
    IOBES: `B-PER` begins an entity, `I-PER` continues it, `E-PER` ends it, `S-PER` is an entity of
    one token, and `O` is outside of entities. An entity is correct if its type, start and end are
    correct. As in the CoNLL script and in seqeval, an `I-PER` or `E-PER` that does not continue an
    entity of its type begins one.

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
        """Return the correct, predicted and true entities of each sample, shape [samples, 3].

        Raises
        ------
        UnusableSample
            If an output or a reference is not a list of such tags, or their lengths differ.
        """
        rows = []
        for position, output, true_tags in _tagged(outputs, references):
            true = _entities(position, true_tags, "reference")
            predicted = _entities(position, output or (), "output")
            rows.append((len(predicted & true), len(predicted), len(true)))
        return np.array(rows, dtype=np.float64)

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return F1 in points, from summed statistics of shape [3].

        It is NaN if no entity is predicted or true.
        """
        return f1_of_counts(totals)

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "IOB1, IOB2 or IOBES, whole entities, micro"


class TokenAccuracy:
    """Fraction of tokens whose tag equals the reference's, over all samples, in points.

    Examples
    --------
    >>> from pytest_infperf import TokenAccuracy
    >>> TokenAccuracy().statistics([["B-PER", "O"]], [["B-PER", "I-PER"]]).tolist()
    [[1.0, 2.0]]
    """

    name = "token_accuracy"
    unit = "points"
    higher_is_better = True

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return the correct tags and the tokens of each sample, shape [samples, 2].

        Raises
        ------
        UnusableSample
            If an output or a reference is not a list, or their lengths differ.
        """
        rows = [
            (sum(map(eq, output or (), true)), len(true))
            for _, output, true in _tagged(outputs, references)
        ]
        return np.array(rows, dtype=np.float64)

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the points of summed statistics of shape [2]; NaN without tokens."""
        right, tokens = totals.tolist()
        return 100 * right / tokens if tokens else math.nan

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "equal tags, micro"


def _tagged(
    outputs: Sequence[Any], references: Sequence[Any]
) -> Iterator[tuple[int, Sequence[Any] | None, Sequence[Any]]]:
    """Yield the index of each sample with the tags of its output and of its reference.

    The tags of an absent output are None.
    """
    for position, (output, reference) in enumerate(zip(outputs, references, strict=True)):
        absent = is_absent(output)
        for role, tags in (("reference", reference), ("output", () if absent else output)):
            if not isinstance(tags, list | tuple):
                raise UnusableSample(position, f"its {role} is {tags!r}, not a list of tags")
        if not absent and len(output) != len(reference):
            raise UnusableSample(
                position,
                f"its output has {len(output)} tags and its reference {len(reference)}: each "
                "token has one",
            )
        yield position, None if absent else output, reference


def _entities(position: int, tags: Sequence[Any], role: str) -> set[tuple[str, int, int]]:
    """Return the type, the first token and the end of each entity."""
    entities = set()
    start, open_type = 0, ""
    for token, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-") if isinstance(tag, str) else ("", "", "")
        if tag != "O" and (prefix not in ("B", "I", "E", "S") or not kind):
            raise UnusableSample(
                position,
                f"the tag {tag!r} of its {role} is not O, B-type, I-type, E-type or S-type",
            )
        continues = prefix in ("I", "E") and kind == open_type
        if open_type and not continues:
            entities.add((open_type, start, token))
        if not continues:
            start, open_type = token, kind
        if prefix in ("E", "S"):
            entities.add((open_type, start, token + 1))
            open_type = ""
    return entities
