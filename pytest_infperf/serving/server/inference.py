"""Queries of a loaded variant, in the model's thread: samples to features, results to answers."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from pytest_infperf.errors import UserError, brief
from pytest_infperf.serving.server.generation import GeneratedAnswer, Generation
from pytest_infperf.suite.codec import Codec, WritingCodec
from pytest_infperf.suite.payload import Answer
from pytest_infperf.suite.runner import Runner, can_stream


class UnreadableSample(ValueError):
    """A sample that the codec cannot encode."""


class Inference:
    """A loaded variant, with the codec of its model."""

    def __init__(self, codec: Codec, runner: Runner) -> None:
        self._codec = codec
        self.runner = runner

    def answers(self, samples: Sequence[Any]) -> list[Answer]:
        """Return the answers of one query. Raises UnreadableSample if it cannot be encoded."""
        features = self._encode(samples)
        return self._decode(self.runner.infer(features), features, len(samples))

    def generate(self, sample: Any, generation: Generation) -> list[Answer]:
        """Return the answer of a query with one sample; its text and tokens go to `generation`.

        There is none if the request does not wait for it any more. Requires a `WritingCodec`.
        Raises UnreadableSample if the sample cannot be encoded.
        """
        features = self._encode([sample])
        results = None
        try:
            if can_stream(self.runner):
                results = self.runner.stream(features, generation.receive)
            else:
                results = self.runner.infer(features)
        except Exception:
            if not generation.is_over:  # otherwise it ends the query in the middle
                raise
        if generation.is_cut:
            assert isinstance(self._codec, WritingCodec)
            return [generation.cut_answer(self._codec.prompt_tokens(features))]
        if generation.is_over:
            return []
        [answer] = self._decode(results, features, 1)
        generation.complete(answer.output)
        return [answer]

    def _encode(self, samples: Sequence[Any]) -> Any:
        try:
            return self._codec.encode(samples)
        except UserError as error:
            # The message of a library has no paths of this host.
            shown = error.__cause__ if isinstance(error.__cause__, Exception) else error
            raise UnreadableSample(brief(shown)) from error

    def _decode(self, results: Any, features: Any, count: int) -> list[Answer]:
        codec = self._codec
        outputs = codec.decode(results, features)
        if len(outputs) != count:
            raise ValueError(f"the codec decoded {len(outputs)} outputs of {count} samples")
        if isinstance(codec, WritingCodec):
            return [
                self._generated(codec, output, results[i : i + 1], features[i : i + 1])
                for i, output in enumerate(outputs)
            ]
        if not (probabilities := getattr(codec, "probabilities", None)):
            return [Answer(output) for output in outputs]
        return [
            Answer(output, by_label)
            for output, by_label in zip(outputs, probabilities(results), strict=True)
        ]

    def _generated(
        self, codec: WritingCodec, output: Any, results: Any, features: Any
    ) -> GeneratedAnswer:
        prompt_tokens, output_tokens = codec.token_counts(results, features)
        is_longest = output_tokens >= float(self.runner.decoding.get("max_new_tokens", inf))
        has_ended = not is_longest or all(codec.have_ended(results, features))
        return GeneratedAnswer(
            output,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            finish_reason="stop" if has_ended else "length",
        )
