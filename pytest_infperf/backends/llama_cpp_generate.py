"""Runner of llama.cpp, from prompts to prompts with their continuation.

llama-cpp-python keeps what it computed for the previous prompt, and does not compute a common
beginning again. The runner discards it, so that a repeated prompt takes as long as a new one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pytest_infperf.backends import decoding
from pytest_infperf.backends.stop_texts import StopTexts
from pytest_infperf.errors import UserError
from pytest_infperf.suite.runner import Receive
from pytest_infperf.suite.task import Decoding


class LlamaCppContinue:
    """Runner from prompts to prompts with their continuation, as token ids.

    The prompts of a batch run one by one.

    Parameters
    ----------
    llama : llama_cpp.Llama
        The model.
    asked : mapping
        The decoding settings of the task.
    ends : sequence of int
        Tokens that end an output.
    context : int
        The maximum length of a prompt with its output, in tokens.
    stops : StopTexts, optional
        Texts that end an output.
    """

    def __init__(
        self,
        llama: Any,
        asked: Decoding,
        *,
        ends: Sequence[int],
        context: int,
        stops: StopTexts | None,
    ) -> None:
        import llama_cpp

        self._api = llama_cpp
        self._llama = llama
        self._context = context
        self._ends = frozenset(ends)
        self._stops = stops
        self._longest = int(asked["max_new_tokens"])
        self._shortest = int(asked.get("min_new_tokens", 0))
        self._sampler = _Sampler(llama, asked, ends)
        self.threads = max(llama.n_threads, llama.n_threads_batch)
        seed = asked.get(decoding.SEED)
        self.decoding = decoding.described({**decoding.options(asked), decoding.SEED: seed})

    def infer(self, features: Sequence[Sequence[int]]) -> list[list[int]]:
        return [self._continued(prompt) for prompt in features]

    def stream(self, features: Sequence[Sequence[int]], receive: Receive) -> list[list[int]]:
        return [self._continued(prompt, receive) for prompt in features]

    def _continued(self, prompt: Sequence[int], receive: Receive | None = None) -> list[int]:
        self._require_room(len(prompt), self._longest)
        self._llama.reset()
        self._sampler.reset()
        written: list[int] = []
        new = list(prompt)
        while len(written) < self._longest:
            self._llama.eval(new)
            token = self._sampler.sample(may_end=len(written) >= self._shortest)
            written.append(token)
            if receive is not None:
                receive([token])
            if token in self._ends or (self._stops is not None and self._stops.end(written)):
                break
            new = [token]
        return [*prompt, *written]

    def log_probabilities(self, sequences: Sequence[Sequence[int]]) -> list[Any]:
        """Return the natural logarithms of the probabilities of each next token.

        Parameters
        ----------
        sequences : sequence of sequence of int
            Token ids.

        Returns
        -------
        list of ndarray
            An array of float32, shape [tokens, vocabulary], for each sequence. Row i is the
            distribution after token i.

        Raises
        ------
        UserError
            If a sequence is longer than the context.
        """
        return [self._log_probabilities(list(sequence)) for sequence in sequences]

    def _log_probabilities(self, sequence: list[int]) -> Any:
        import numpy as np
        from scipy.special import log_softmax

        self._require_room(len(sequence), 0)
        self._llama.reset()
        self._api.llama_memory_clear(self._api.llama_get_memory(self._llama.ctx), True)
        size = self._llama.n_batch
        logits = [self._logits(sequence[i : i + size], i) for i in range(0, len(sequence), size)]
        return log_softmax(np.concatenate(logits), axis=1)

    def _logits(self, tokens: Sequence[int], first: int) -> Any:
        """Return the logits after each of the tokens, of which the first has this position."""
        import numpy as np

        api, count = self._api, len(tokens)
        batch = api.llama_batch_init(count, 0, 1)
        try:
            batch.n_tokens = count
            for i, token in enumerate(tokens):
                batch.token[i], batch.pos[i], batch.logits[i] = token, first + i, True
                batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            if failed := api.llama_decode(self._llama.ctx, batch):
                raise RuntimeError(f"llama_decode returned {failed} for {count} tokens")
            shape = (count, self._llama.n_vocab())
            found = np.ctypeslib.as_array(api.llama_get_logits(self._llama.ctx), shape=shape)
            return found.copy()
        finally:
            api.llama_batch_free(batch)

    def _require_room(self, prompt: int, output: int) -> None:
        if prompt + output > self._context:
            raise UserError(
                f"{prompt:,} tokens and {output:,} new ones do not fit into the context of "
                f"{self._context:,}: set LlamaCpp(context=...), or max_prompt_tokens of the task"
            )


class _Sampler:
    """Chooses the next token, with the settings in transformers' order: temperature, top_k, top_p.

    The samplers exist as long as the process.
    """

    def __init__(self, llama: Any, asked: Decoding, ends: Sequence[int]) -> None:
        import llama_cpp as api

        self._sample = api.llama_sampler_sample
        self._reset = api.llama_sampler_reset
        self._context = llama.ctx
        if asked.get("do_sample"):
            self._chain = _chained(
                api.llama_sampler_init_temp(asked["temperature"]),
                api.llama_sampler_init_top_k(asked["top_k"]),
                api.llama_sampler_init_top_p(asked["top_p"], 1),
                api.llama_sampler_init_dist(asked[decoding.SEED]),
            )
        else:
            self._chain = _chained(api.llama_sampler_init_greedy())
        biases = (api.llama_logit_bias * len(ends))(*((end, -math.inf) for end in ends))
        without_end = api.llama_sampler_init_logit_bias(llama.n_vocab(), len(ends), biases)
        self._endless = _chained(without_end, self._chain)

    def reset(self) -> None:
        """Set the seed again."""
        self._reset(self._endless)

    def sample(self, *, may_end: bool) -> int:
        """Return the next token, which is no end token unless `may_end`."""
        token: int = self._sample(self._chain if may_end else self._endless, self._context, -1)
        return token


def _chained(*samplers: Any) -> Any:
    import llama_cpp as api

    chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
    for sampler in samplers:
        api.llama_sampler_chain_add(chain, sampler)
    return chain
