"""Causal language models in CTranslate2, which runs them with its Generator.

The Generator follows the settings of the task, and of the model those that name end tokens and
suppress tokens. It sets the seed of sampling only once in each thread.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.backends import (
    causal,
    ctranslate2_decoding,
    ctranslate2_folder,
    decoding,
)
from pytest_infperf.backends.stop_texts import StopTexts
from pytest_infperf.suite.runner import Receive
from pytest_infperf.suite.task import Decoding

TOKENIZER = "tokenizer"
"""The folder of the tokenizer in an artifact, if texts end an output."""
_FOLLOWED = (
    "bad_words_ids", "do_sample", "eos_token_id", "max_new_tokens", "min_new_tokens", "num_beams",
    "pad_token_id", "suppress_tokens", *decoding.SAMPLING, decoding.SEED, decoding.STOP,
)  # fmt: skip


def settings_of(model: Path, asked: Decoding) -> dict[str, Any]:
    """Return the settings that the Generator follows, with those that a task asks for."""
    settings = causal.merged(model, asked)
    return {name: settings[name] for name in _FOLLOWED if settings.get(name) is not None}


def name_special_tokens(folder: Path) -> None:
    """Replace special tokens that the tokenizer lacks by the empty text.

    CTranslate2 4.8 cannot open a converted model with a null in their place.
    """
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    lacking = {f"{name}_token": "" for name in ("bos", "eos", "unk")}
    given = {name: value for name, value in config.items() if value is not None}
    path.write_text(json.dumps({**lacking, **given}), "utf-8")


def options(settings: Mapping[str, Any], tokens: Sequence[str]) -> dict[str, Any]:
    """Return the options of `Generator.generate_batch` for settings of `settings_of`."""
    chosen: dict[str, Any] = {
        "max_length": settings["max_new_tokens"],
        "min_length": settings.get("min_new_tokens", 0),
        "include_prompt_in_result": False,
        "return_end_token": True,
        "max_batch_size": 0,
        **ctranslate2_decoding.suppressed(settings, tokens),
    }
    if (end := settings.get("eos_token_id")) is not None:
        chosen["end_token"] = end if isinstance(end, list) else [end]
    if settings["do_sample"]:
        chosen |= {
            "sampling_temperature": settings["temperature"],
            "sampling_topk": min(settings["top_k"], len(tokens)),
            "sampling_topp": settings["top_p"],
        }
    return chosen


class CTranslate2Continue:
    """Runner from prompts to prompts with their continuation, as token ids.

    Parameters
    ----------
    generator : ctranslate2.Generator
        The model.
    artifact : Path
        The folder with its vocabulary and, if texts end an output, its tokenizer.
    settings : mapping
        The settings of `settings_of`.
    threads : int
        The number of threads in use.
    """

    def __init__(
        self, generator: Any, artifact: Path, settings: Mapping[str, Any], threads: int
    ) -> None:
        self._generator = generator
        self._tokens = ctranslate2_folder.vocabulary(artifact)
        self._options = options(settings, self._tokens)
        self.decoding = decoding.described(settings)
        self.threads = threads
        stops = settings.get(decoding.STOP)
        self._stops = StopTexts.of_folder(stops, artifact / TOKENIZER) if stops else None

    def infer(self, features: Sequence[Sequence[int]]) -> list[list[int]]:
        return self._generate(features)

    def stream(self, features: Sequence[Sequence[int]], receive: Receive) -> list[list[int]]:
        return self._generate(features, receive)

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
        """
        import ctranslate2
        import numpy as np

        output = self._generator.forward_batch([list(s) for s in sequences], return_log_probs=True)
        rows = np.array(output.to(ctranslate2.DataType.float32))
        return [row[: len(s)] for row, s in zip(rows, sequences, strict=True)]

    def _generate(
        self, features: Sequence[Sequence[int]], receive: Receive | None = None
    ) -> list[list[int]]:
        results: list[list[int]] = [[] for _ in features]
        # CTranslate2 4.8 returns the rest of other prompts as output beside a prompt of one token.
        for single in (True, False):
            numbers = [i for i, row in enumerate(features) if (len(row) == 1) is single]
            if not numbers:
                continue
            outputs = self._generator.generate_batch(
                [[self._tokens[token] for token in features[i]] for i in numbers],
                callback=self._callback(receive),
                **self._options,
            )
            for i, output in zip(numbers, outputs, strict=True):
                results[i] = [*features[i], *output.sequences_ids[0]]
        return results

    def _callback(self, receive: Receive | None) -> Callable[[Any], bool] | None:
        """Return what CTranslate2 calls for each token, and which returns True to end an output."""
        stops = self._stops
        if receive is None and stops is None:
            return None
        written: dict[int, list[int]] = defaultdict(list)

        def pass_on(step: Any) -> bool:
            if receive is not None:
                receive([step.token_id])
            written[step.batch_id].append(step.token_id)
            return stops is not None and stops.end(written[step.batch_id])

        return pass_on
