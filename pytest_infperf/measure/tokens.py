"""Times of generated tokens: of the first one, between them, and their rates.

For a query with n output tokens, of which the first one arrives after `first` seconds and which
ends after `latency` seconds:

- time to first token (`ttft`): `first`. A backend that returns whole outputs delivers the first
  token with the last one, so it is the latency.
- time per output token (`tpot`): (latency - first) / (n - 1), as in MLPerf Inference [1]_ and
  vLLM's benchmark [2]_. A query with one token has none.
- inter-token latency (`itl`): the time between two successive arrivals, over all queries [2]_.
- `output_tokens_rate`: the sum of n divided by the sum of latencies, for one stream.
- `prompt_tokens_rate`: the number of tokens of the prompts divided by the sum of `first`.

The end token counts in n, whether or not a runtime delivers it. Tokens that arrive together, as
with speculative decoding, count as one arrival for `itl` and as several tokens elsewhere. If all
tokens of a longer output arrive together, something on the way has collected them, and the query
has no `tpot`.

References
----------
.. [1] MLPerf Inference rules, "TTFT" and "TPOT":
   https://github.com/mlcommons/inference_policies/blob/master/inference_rules.adoc
.. [2] https://github.com/vllm-project/vllm, vllm/benchmarks/serve.py, `calculate_metrics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pytest_infperf.measure.throughput import NOT_COUNTED, rate
from pytest_infperf.measure.times import mean_and_percentiles
from pytest_infperf.records.catalogue import TOKEN_TIMES, percentiles_of, times_of
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.worker.messages import BlockDone

WHOLE_OUTPUTS = "the backend returns whole outputs, so the times of single tokens are not known"
"""Reason why measures are missing."""
TOGETHER = "the tokens of an output arrived together, so the times between them are not known"


@dataclass
class TokenTimes:
    """The tokens of single queries so far; empty for models that do not generate tokens."""

    latency_s: list[float] = field(default_factory=list)
    """The time of each query, in seconds."""
    first_s: list[float] = field(default_factory=list)
    """The time to the first token of each query, in seconds."""
    per_token_s: list[float] = field(default_factory=list)
    """The time per output token of each query with several tokens, in seconds."""
    gaps_s: list[float] = field(default_factory=list)
    """The times between successive arrivals, in seconds."""
    prompt: list[float] = field(default_factory=list)
    """The number of tokens of each prompt."""
    output: list[float] = field(default_factory=list)
    """The number of tokens of each output."""
    is_whole: bool = False
    """Whether a query returned its output as a whole."""
    is_together: bool = False
    """Whether all tokens of a query arrived together."""

    def add(self, block: BlockDone) -> None:
        """Add the queries of a block."""
        if block.tokens is None:
            return
        streamed = block.token_ns or [[]] * len(block.query_ns)
        for query_ns, (prompt, output), arrivals in zip(
            block.query_ns, block.tokens, streamed, strict=True
        ):
            first_s = arrivals[0] / 1e9 if arrivals else None
            gaps_s = [(b - a) / 1e9 for a, b in pairwise(sorted({*arrivals}))]
            together = arrive_together(arrivals, output)
            self.add_query(query_ns / 1e9, prompt, output, first_s, gaps_s, together=together)

    def add_query(
        self,
        latency_s: float,
        prompt: int,
        output: int,
        first_s: float | None,
        gaps_s: Sequence[float],
        *,
        together: bool = False,
    ) -> None:
        """Add a query.

        Parameters
        ----------
        latency_s : float
            The time of the query, in seconds.
        prompt, output : int
            The number of tokens of the prompt and of the output.
        first_s : float or None
            The time to the first token, in seconds; None if the output was returned as a whole.
        gaps_s : sequence of float
            The times between successive arrivals, in seconds; empty if they are not known.
        together : bool, default False
            Whether all tokens arrived together, so that the time per token is not known.
        """
        self.latency_s.append(latency_s)
        self.prompt.append(prompt)
        self.output.append(output)
        self.is_whole |= first_s is None
        self.first_s.append(latency_s if first_s is None else first_s)
        self.is_together |= together
        if first_s is not None and output > 1 and first_s < latency_s and not together:
            self.per_token_s.append((latency_s - first_s) / (output - 1))
        self.gaps_s += gaps_s

    def measured(self, percentiles: Iterable[str], confidence: float) -> Measured:
        """Return the measures so far.

        Parameters
        ----------
        percentiles : iterable of str
            Measures such as `ttft_p75`, in addition to those that are always reported.
        confidence : float
            The confidence of intervals.
        """
        if not self.latency_s:
            return Measured()
        series = self.series
        measures: dict[str, Measure] = {}
        missing: dict[str, str] = {}
        for times in TOKEN_TIMES:
            asked = [name for name in percentiles if times_of(name) == times]
            if values := series.get(times):
                measures |= mean_and_percentiles(times, values, asked, confidence)
            else:
                names = (*percentiles_of(times), *asked, f"{times}_mean")
                missing |= dict.fromkeys(names, self.why_missing)
        for name, counts, seconds in (
            ("output_tokens_rate", self.output, self.latency_s),
            ("prompt_tokens_rate", self.prompt, self.first_s),
        ):
            if any(counts):
                measures[name] = rate(counts, seconds, confidence, len(seconds), "tokens/s")
            else:
                missing[name] = NOT_COUNTED
        return Measured(measures, missing=missing, token_times_s=series)

    @property
    def series(self) -> dict[str, Sequence[float]]:
        """The known times by kind, such as `ttft`, in seconds."""
        if self.is_whole:
            return {"ttft": self.first_s}
        return {"ttft": self.first_s, "tpot": self.per_token_s, "itl": self.gaps_s}

    @property
    def why_missing(self) -> str:
        """Why other times than those to the first token are missing."""
        if self.is_whole:
            return WHOLE_OUTPUTS
        if self.per_token_s:
            return "the times of the tokens after the first one are not known"
        if not any(self.output):
            return NOT_COUNTED
        return TOGETHER if self.is_together else "no output has a second token"


def arrive_together(arrivals: Sequence[int], output: int) -> bool:
    """Return whether all tokens of an output arrived at once, and not because they are few.

    The end token need not arrive, so an output of two tokens can have one arrival.
    """
    return output > 2 and len({*arrivals}) == 1
