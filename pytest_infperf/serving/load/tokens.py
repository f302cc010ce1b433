"""The times of generated tokens of the requests of a load, and why they are not known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pytest_infperf.measure.tokens import TokenTimes
from pytest_infperf.serving.load.traffic import Reply

_NOT_ASKED = "the requests do not ask for streamed responses"


def token_times(replies: Sequence[Reply]) -> TokenTimes:
    """Return the times of the tokens of streamed responses.

    The times between tokens are in the order of their arrival over all responses: what delays one
    response delays the others at the same moment, which intervals must take into account. Token
    counts are 0 if the server did not count the tokens of each response.
    """
    is_counted = not why_uncounted(replies)
    times = TokenTimes()
    arrived: list[tuple[float, float]] = []
    for reply in replies:
        output = (reply.output_tokens or 0) if is_counted else 0
        prompt = (reply.prompt_tokens or 0) if is_counted else 0
        times.add_query(reply.latency_s, prompt, output, reply.first_token_s, [])
        arrived += [(at_s, at_s - before_s) for before_s, at_s in pairwise(reply.arrivals_s or ())]
    times.gaps_s = [gap_s for _, gap_s in sorted(arrived)]
    return times


def why_unknown(replies: Sequence[Reply], *, streams: bool, whole_because: str) -> str:
    """Return why the times of tokens are not known; empty if they are.

    `streams` is whether the requests asked for streamed responses, and `whole_because` why not.
    """
    if not streams:
        return whole_because or _NOT_ASKED
    whole = sum(reply.arrivals_s is None for reply in replies)
    if not whole:
        return ""
    return (
        f"the server did not stream {whole:,} of {len(replies):,} responses, although the requests "
        'have "stream": true'
    )


def why_uncounted(replies: Sequence[Reply]) -> str:
    """Return why the numbers of tokens are not known; empty if they are."""
    uncounted = sum(reply.output_tokens is None for reply in replies)
    if not uncounted:
        return ""
    return (
        f"{uncounted:,} of {len(replies):,} responses had no usage, which counts their tokens, "
        'although the requests have "stream_options": {"include_usage": true}'
    )
