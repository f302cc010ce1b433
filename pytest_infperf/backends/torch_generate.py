"""Runners of models that generate tokens with `generate` of transformers, also as a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_infperf.backends import decoding, torch_padding
from pytest_infperf.suite.runner import Receive
from pytest_infperf.suite.task import Decoding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TorchGenerate:
    """Runner from token ids to token ids by the `generate` of a model with an encoder.

    Batches are padded on the right.
    """

    def __init__(self, model: Any, asked: Decoding, threads: int, device: str) -> None:
        self._model = model
        self.threads = threads
        self._device = device
        self._pad = model.config.pad_token_id
        self._options = decoding.options(asked)
        self.decoding = decoding.described(decoding.of_module(model, self._options))

    def infer(self, features: Sequence[Sequence[int]]) -> list[list[int]]:
        return self._generate(features)

    def stream(self, features: Sequence[Sequence[int]], receive: Receive) -> list[list[int]]:
        return self._generate(features, streamer=Streamer(receive))

    def _generate(self, features: Sequence[Sequence[int]], **more: Any) -> list[list[int]]:
        import torch

        longest = max(map(len, features))
        ids = torch.tensor([[*row, *[self._pad] * (longest - len(row))] for row in features])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in features])
        ids, mask = ids.to(self._device), mask.to(self._device)
        with torch.inference_mode():
            sequences = self._model.generate(
                input_ids=ids, attention_mask=mask, **self._options, **more
            )
        results: list[list[int]] = sequences.tolist()
        return results


class TorchContinue:
    """Runner from prompts to prompts with their continuation, for models without an encoder.

    Results are token ids: the prompt, the generated tokens, and padding to the longest result of
    the batch. They do not depend on the batch.
    """

    def __init__(
        self,
        model: Any,
        asked: Decoding,
        threads: int,
        device: str,
        *,
        pads_left: bool,
        tokenizer: Any = None,
    ) -> None:
        self._model = model
        self.threads = threads
        self._device = device
        self._pads_left = pads_left
        self._pad = torch_padding.padding_id(model.config)
        self._options = {**decoding.options(asked), "pad_token_id": self._pad}
        if decoding.STOP in self._options:
            self._options["tokenizer"] = tokenizer
        self._seed = asked.get(decoding.SEED)
        settings = decoding.of_module(model, self._options)
        self.decoding = decoding.described({**settings, decoding.SEED: self._seed})

    def infer(self, features: Sequence[Sequence[int]]) -> list[list[int]]:
        return self._generate(features)

    def stream(self, features: Sequence[Sequence[int]], receive: Receive) -> list[list[int]]:
        return self._generate(features, streamer=Streamer(receive))

    def log_probabilities(self, sequences: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """Run each sequence alone, so that no padding can change its probabilities."""
        import torch

        results = []
        for sequence in sequences:
            ids = torch.tensor([list(sequence)]).to(self._device)
            with torch.inference_mode():
                [logits] = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            results.append(logits.float().log_softmax(-1).cpu().numpy())
        return results

    def _generate(self, features: Sequence[Sequence[int]], **more: Any) -> list[list[int]]:
        import torch

        if self._seed is not None:
            torch.manual_seed(int(self._seed))
        results: list[list[int]] = []
        for rows, masks in torch_padding.batches(features, self._pad, left=self._pads_left):
            ids, mask = torch.tensor(rows).to(self._device), torch.tensor(masks).to(self._device)
            with torch.inference_mode():
                sequences = self._model.generate(
                    input_ids=ids, attention_mask=mask, **self._options, **more
                )
            results += [
                sequence[row_mask.count(0) :]
                for sequence, row_mask in zip(sequences.tolist(), masks, strict=True)
            ]
        return results


class Streamer:
    """Passes on the tokens that `generate` of transformers puts into it.

    The first tokens are the prompt or, for a decoder with an encoder, the start token.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_prompt = True

    def put(self, tokens: Any) -> None:
        if not self._is_prompt:
            self._receive(tokens.tolist())
        self._is_prompt = False

    def end(self) -> None:
        """Do nothing: each token has been passed on already."""
