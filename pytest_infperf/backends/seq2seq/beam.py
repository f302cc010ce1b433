"""Decodes with beams: each step keeps the likeliest continuations of every sentence.

The tokens are those of transformers' `generate(num_beams=N)` since its version 4.50, with its
rules for length_penalty, early_stopping, suppressed tokens and the forced end at the length
limit. onnxruntime's own BeamSearch operator follows older rules: it forces no end, counts
suppressed tokens out before it normalises, and wants steps of a form that fused ones do not have.
"""

from __future__ import annotations

from pytest_infperf.backends.seq2seq.beam_search import BeamSearch
from pytest_infperf.backends.seq2seq.generation import Generation
from pytest_infperf.backends.seq2seq.graph import GraphBuilder
from pytest_infperf.backends.seq2seq.steps import Names, Steps


def decode(builder: GraphBuilder, steps: Steps, generation: Generation) -> str:
    """Append all of the decoding; the name of the sequences."""
    known = steps.append_encoder(builder)
    search = BeamSearch(builder, generation)
    state = search.initial_state(width=1 if steps.has_first_step else generation.beams)
    more = builder.constant(True, "bool")
    done = 0
    if steps.has_first_step:
        known |= steps.append_first_step(builder, known, state["input_ids"])
        first = builder.constant(0)
        state, _, more = search.advance(builder, state, known["logits"], first, width=1)
        done = 1
    known |= search.repeat_per_beam(
        {name: known[name] for name in steps.context_names if name in known}
    )

    def advance(
        body: GraphBuilder, given: Names, results: dict[str, str]
    ) -> tuple[dict[str, str], str]:
        logits, position = results.pop("logits"), given["position"]
        after, rows, more = search.advance(body, given, logits, position, generation.beams, done)
        past = {name: body.node("Gather", value, rows) for name, value in results.items()}
        return after | past, more

    state |= {name: known[name] for name in steps.past_names}
    count = generation.max_new_tokens - (generation.forced_eos_id is not None) - done
    return search.finish(
        steps.append_loop(builder, known, state, search.state_types(), count, more, advance)
    )
