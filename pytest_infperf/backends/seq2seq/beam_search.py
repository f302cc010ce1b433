"""The search over the beams of a batch of sentences, independent of the model that scores tokens.

In the model's steps, values have one row per beam, and the beams of a sentence are adjacent rows.
In the search, values have one row per sentence. `ended` contains the scores of the best ended
sequences of a sentence. Only the best of these sequences is stored itself, as `best` with its
`length`. A sentence is `open` while a running beam can still reach a better score than the worst in
`ended`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pytest_infperf.backends.seq2seq.generation import Generation
from pytest_infperf.backends.seq2seq.graph import GraphBuilder
from pytest_infperf.backends.seq2seq.steps import Names, is_any

_ABSENT = -1e9
"""Score of a beam that does not exist."""


class _Candidates(NamedTuple):
    """Continuations of each sentence, the most likely first.

    Each has a score, a token and the row of the beam that it continues.
    """

    scores: str
    tokens: str
    rows: str


class BeamSearch:
    """Builder of the nodes of the search: before, inside and after the loop over tokens."""

    def __init__(self, builder: GraphBuilder, generation: Generation) -> None:
        self._builder = builder
        self._generation = generation
        beams = generation.beams
        self._sentences = builder.node("Shape", "input_ids", start=0, end=1)
        count = builder.node("Squeeze", self._sentences)
        number = builder.node("Range", builder.constant(0), count, builder.constant(1))
        number = builder.node("Unsqueeze", number, builder.constant([1]))
        self._first_row = builder.node("Mul", number, builder.constant(beams))
        numbers = builder.node("Expand", number, builder.constant([1, beams]))
        self._sentence_of_row = _flatten(builder, numbers)

    def repeat_per_beam(self, values: Names) -> dict[str, str]:
        """Append the values of each sentence, repeated for each of its beams."""
        rows = self._sentence_of_row
        return {name: self._builder.node("Gather", value, rows) for name, value in values.items()}

    def initial_state(self) -> dict[str, str]:
        """Append the state before the first step; only the first beam exists."""
        beams, start_id = self._generation.beams, self._generation.start_id
        token = self._builder.node(
            "Reshape", self._per_sentence([start_id] * beams), self._builder.constant([-1, 1])
        )
        return {
            "input_ids": token,
            "sequences": token,
            "scores": self._per_sentence([0.0] + [_ABSENT] * (beams - 1), "float32"),
            "ended": self._per_sentence([_ABSENT] * beams, "float32"),
            "best": self._per_sentence([start_id]),
            "length": self._per_sentence([1]),
            "open": self._per_sentence([True], "bool"),
        }

    def state_types(self) -> dict[str, Any]:
        from onnx import TensorProto, helper

        ids, score, flag = TensorProto.INT64, TensorProto.FLOAT, TensorProto.BOOL
        beams = self._generation.beams
        type_of = helper.make_tensor_type_proto
        return {
            "input_ids": type_of(ids, ["row", 1]),
            "sequences": type_of(ids, ["row", "length"]),
            "scores": type_of(score, ["sentence", beams]),
            "ended": type_of(score, ["sentence", beams]),
            "best": type_of(ids, ["sentence", "length"]),
            "length": type_of(ids, ["sentence", 1]),
            "open": type_of(flag, ["sentence", 1]),
        }

    def advance(
        self, builder: GraphBuilder, state: Names, logits: str, position: str
    ) -> tuple[dict[str, str], str, str]:
        """Append the selection of one more token for the beams of every sentence.

        `position` counts the steps. Returns the names of the next state, of the rows that its
        beams continue, and of a flag that is true if any sentence is open.
        """
        from onnx import TensorProto

        candidates = self._candidates(builder, state["scores"], logits, position)
        ends = builder.node("Equal", candidates.tokens, builder.constant(self._generation.eos_id))
        if self._generation.forced_eos_id is None:
            last = builder.constant(self._generation.max_new_tokens - 1)
            ends = builder.node("Or", ends, builder.node("Equal", position, last))
        lengths = range(1, 1 + self._generation.max_new_tokens)
        penalties = builder.constant(
            [self._length_penalty(length) for length in lengths], "float32"
        )
        penalty = builder.node("Gather", penalties, position)

        next_state, rows = self._select_running(builder, state, candidates, ends)
        next_state |= self._update_ended(builder, state, candidates, ends, penalty)
        next_state["open"] = self._update_open(builder, state["open"], next_state, penalty)
        open_flags = builder.node("Cast", next_state["open"], to=TensorProto.INT32)
        return next_state, rows, is_any(builder, open_flags)

    def finish(self, final: Names) -> str:
        """Append the forced end of running beams; return the name of the best sequences, padded."""
        builder, generation = self._builder, self._generation
        if generation.forced_eos_id is not None:
            penalty = builder.constant(self._length_penalty(generation.max_new_tokens), "float32")
            score = builder.node("Div", _column(builder, final["scores"], 0), penalty)
            better = builder.node("Greater", score, _column(builder, final["ended"], 0))
            better = builder.node("And", better, final["open"])
            rows = _flatten(builder, self._first_row)
            token = self._per_sentence([generation.forced_eos_id])
            final = self._replace_best(builder, final, better, rows, token)
        longest = builder.node("ReduceMax", final["length"], keepdims=0)
        longest = builder.node("Unsqueeze", longest, builder.constant([0]))
        zero, one = builder.constant([0]), builder.constant([1])
        return builder.node("Slice", final["best"], zero, longest, one, output="sequences")

    def _candidates(
        self, builder: GraphBuilder, running: str, logits: str, position: str
    ) -> _Candidates:
        """Append the most likely continuations: two per beam, because each beam can end."""
        generation, count = self._generation, 2 * self._generation.beams
        scores = builder.node("LogSoftmax", logits, axis=-1)
        if generation.suppressed:
            scores = builder.node("Add", scores, builder.constant(generation.mask(), "float32"))
        if generation.first_id is not None:
            certain = [float("-inf")] * generation.vocabulary
            certain[generation.first_id] = 0.0
            is_first = builder.node("Equal", position, builder.constant(0))
            certainty = builder.constant(certain, "float32")
            scores = builder.node("Where", is_first, certainty, scores)
        scores, tokens = _top_k(builder, scores, count)
        split = builder.constant([-1, generation.beams, count])
        running = builder.node("Unsqueeze", running, builder.constant([-1]))
        scores = builder.node("Add", builder.node("Reshape", scores, split), running)
        together = builder.constant([-1, generation.beams * count])
        scores, places = _top_k(builder, builder.node("Reshape", scores, together), count)
        tokens = builder.node("Reshape", tokens, together)
        tokens = builder.node("GatherElements", tokens, places, axis=1)
        beam = builder.node("Div", places, builder.constant(count))
        return _Candidates(scores, tokens, builder.node("Add", beam, self._first_row))

    def _select_running(
        self, builder: GraphBuilder, state: Names, candidates: _Candidates, ends: str
    ) -> tuple[dict[str, str], str]:
        """Append the beams that continue; return their state and the rows that they continue."""
        absent = builder.constant(_ABSENT, "float32")
        scores = builder.node("Where", ends, absent, candidates.scores)
        scores, places = _top_k(builder, scores, self._generation.beams)
        tokens, rows = _gather_candidates(builder, places, candidates)
        column = builder.node("Reshape", tokens, builder.constant([-1, 1]))
        sequences = _append_tokens(builder, state["sequences"], rows, column)
        return {"input_ids": column, "sequences": sequences, "scores": scores}, rows

    def _update_ended(
        self, builder: GraphBuilder, state: Names, candidates: _Candidates, ends: str, penalty: str
    ) -> dict[str, str]:
        """Append the update of the ended sequences by the most likely candidates that end."""
        beams = self._generation.beams
        most_likely = builder.constant([[True] * beams + [False] * beams], "bool")
        counted = builder.node("And", builder.node("And", ends, most_likely), state["open"])
        scores = builder.node("Div", candidates.scores, penalty)
        absent = builder.constant(_ABSENT, "float32")
        scores = builder.node("Where", counted, scores, absent)
        scores = builder.node("Concat", state["ended"], scores, axis=1)
        scores, places = _top_k(builder, scores, beams)
        # The first places belong to sequences that ended before.
        place = builder.node("Sub", _column(builder, places, 0), builder.constant(beams))
        better = builder.node("GreaterOrEqual", place, builder.constant(0))
        place = builder.node("Max", place, builder.constant(0))
        tokens, rows = _gather_candidates(builder, place, candidates)
        return {"ended": scores, **self._replace_best(builder, state, better, rows, tokens)}

    def _replace_best(
        self, builder: GraphBuilder, state: Names, better: str, rows: str, tokens: str
    ) -> dict[str, str]:
        """Append the best sequences: those of `rows` with `tokens` appended where `better`."""
        column = builder.node("Reshape", tokens, builder.constant([-1, 1]))
        sequences = _append_tokens(builder, state["sequences"], rows, column)
        fill = builder.constant(self._generation.pad_id or self._generation.eos_id)
        padded = builder.node("Pad", state["best"], builder.constant([0, 0, 0, 1]), fill)
        length = builder.node("Shape", sequences, start=1, end=2)
        return {
            "best": builder.node("Where", better, sequences, padded),
            "length": builder.node("Where", better, length, state["length"]),
        }

    def _update_open(self, builder: GraphBuilder, is_open: str, state: Names, penalty: str) -> str:
        """Append a test of whether a running beam can still become one of the best.

        Follows the heuristics of transformers for `early_stopping` and `length_penalty`.
        """
        generation = self._generation
        worst = _column(builder, state["ended"], generation.beams - 1)
        if generation.early_stopping is True:
            room = builder.node("Equal", worst, builder.constant(_ABSENT, "float32"))
            return builder.node("And", is_open, room)
        if generation.early_stopping == "never" and generation.length_penalty > 0:
            penalty = builder.constant(self._length_penalty(generation.max_new_tokens), "float32")
        best_reachable = builder.node("Div", _column(builder, state["scores"], 0), penalty)
        return builder.node("And", is_open, builder.node("Greater", best_reachable, worst))

    def _length_penalty(self, length: int) -> float:
        """Return the divisor of the score of a sequence of `length` tokens."""
        return float(length**self._generation.length_penalty)

    def _per_sentence(self, row: list[Any], dtype: str = "int64") -> str:
        """Append a tensor with this row for every sentence."""
        builder = self._builder
        shape = builder.node("Concat", self._sentences, builder.constant([len(row)]), axis=0)
        return builder.node("Expand", builder.constant([row], dtype), shape)


def _top_k(builder: GraphBuilder, values: str, count: int) -> tuple[str, str]:
    """Append the selection of the `count` largest values of the last axis, and their places."""
    names = builder.output_names("TopK", 2)
    largest, places = builder.node_with_outputs("TopK", [values, builder.constant([count])], names)
    return largest, places


def _gather_candidates(builder: GraphBuilder, places: str, candidates: _Candidates) -> list[str]:
    """Append the tokens and rows at these places, flattened in the order of the sentences."""
    return [
        _flatten(builder, builder.node("GatherElements", values, places, axis=1))
        for values in (candidates.tokens, candidates.rows)
    ]


def _append_tokens(builder: GraphBuilder, sequences: str, rows: str, column: str) -> str:
    return builder.node("Concat", builder.node("Gather", sequences, rows), column, axis=1)


def _column(builder: GraphBuilder, values: str, index: int) -> str:
    return builder.node("Gather", values, builder.constant([index]), axis=1)


def _flatten(builder: GraphBuilder, values: str) -> str:
    return builder.node("Reshape", values, builder.constant([-1]))
