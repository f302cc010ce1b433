"""Decoding with beams: each step keeps the most likely continuations of every sentence.

The generated tokens equal those of `generate(num_beams=N)` in transformers 4.50 and later,
including its rules for length_penalty, early_stopping, suppressed tokens and the forced end at the
length limit. onnxruntime's BeamSearch operator follows older rules: it does not force an end, and
removes suppressed tokens before it normalises the scores. It also cannot run fused steps.
"""

from __future__ import annotations

from pytest_infperf.backends.seq2seq.beam_search import BeamSearch
from pytest_infperf.backends.seq2seq.generation import Generation
from pytest_infperf.backends.seq2seq.graph import GraphBuilder
from pytest_infperf.backends.seq2seq.steps import Names, Steps


def decode(builder: GraphBuilder, steps: Steps, generation: Generation) -> str:
    """Append the whole decoding to the graph; return the name of the sequences."""
    scope = steps.append_encoder(builder)
    search = BeamSearch(builder, generation)
    state = search.initial_state()
    scope |= search.repeat_per_beam(
        {name: scope[name] for name in steps.context_names if name in scope}
    )

    def advance(
        body: GraphBuilder, inputs: Names, outputs: dict[str, str]
    ) -> tuple[dict[str, str], str]:
        logits = outputs.pop("logits")
        next_state, rows, condition = search.advance(body, inputs, logits, inputs["position"])
        past = {name: body.node("Gather", value, rows) for name, value in outputs.items()}
        return next_state | past, condition

    state |= {name: scope[name] for name in steps.past_names}
    max_steps = generation.max_new_tokens - (generation.forced_eos_id is not None)
    return search.finish(
        steps.append_loop(builder, scope, state, search.state_types(), max_steps, advance)
    )
