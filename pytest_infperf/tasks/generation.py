"""Text generation: a model continues a prompt, or answers the messages of a chat."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.suite.codec import Codec
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.perplexity import Perplexity, Window
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding, Task
from pytest_infperf.tasks.data import Data, ReadsData, read
from pytest_infperf.tasks.data.lines import read_text
from pytest_infperf.tasks.data.read import require_file
from pytest_infperf.tasks.generation_codec import GenerationCodec, prompt_of
from pytest_infperf.tasks.text_task import JoinsTexts


@dataclass(frozen=True)
class TextGeneration(ReadsData, JoinsTexts, Task):
    """Text generation with causal language models, greedily or by seeded sampling.

    The model and its tokenizer are a folder of transformers. Outputs are the generated texts
    without the prompt. Requires ``pytest-infperf[torch]``.

    Parameters
    ----------
    data : Data
        The test data: a CSV, TSV, JSON, JSON Lines or Parquet file relative to the suite's folder,
        a hub dataset, rows, or a function.
    prompt : str, default "prompt"
        The column with the prompts. A prompt is a text, or the messages of a chat: a list of
        ``{"role": ..., "content": ...}``, to which the tokenizer's chat template is applied.
    reference : str or sequence of str, default "reference"
        The column with the correct output, or several columns if prompts have several.
    max_new_tokens : int, default 64
        Maximum length of an output, in tokens.
    min_new_tokens : int, default 0
        Minimum length of an output, in tokens; outputs of equal lengths make times comparable.
    max_prompt_tokens : int, optional
        Maximum length of a prompt, in tokens. Longer prompts lose their beginning. None uses the
        limit of the tokenizer, if it has one.
    temperature : float, optional
        Samples at this temperature; None decodes greedily.
    top_k : int, optional
        Samples from the k most probable tokens. Requires `temperature`.
    top_p : float, optional
        Samples from the most probable tokens with this total probability. Requires `temperature`.
    seed : int, default 0
        The seed of sampling, set before each query. Runtimes draw different numbers from a seed,
        so sampled outputs are the same only in one runtime and with one batch size.
    stop : sequence of str, default ()
        Texts that end an output, and are not part of it.
    metrics : sequence of Metric, CorpusMetric or str, default ("exact_match", "chrf")
        Quality scores.
    perplexity : Perplexity, optional
        A text on which `perplexity`, `bits_per_byte` and `kl_divergence` are measured, such as
        ``Perplexity("wiki.txt")``.
    sample_size : int, default 100
        Number of samples to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If a setting of decoding is not valid; if the data cannot be read or lacks a column or a
        cell, or the text of `perplexity` does not exist (when the samples are read); or if the
        model folder has no tokenizer, or the tokenizer no chat template (when the codec is opened
        or a chat is encoded).

    Examples
    --------
    >>> from pytest_infperf import TextGeneration
    >>> TextGeneration(data="prompts.jsonl", max_new_tokens=32).decoding
    {'beams': 1, 'max_new_tokens': 32}
    """

    generates: ClassVar[bool] = True
    auto_class: ClassVar[str | None] = "AutoModelForCausalLM"

    _: KW_ONLY
    data: Data
    prompt: str = "prompt"
    reference: str | Sequence[str] = "reference"
    max_new_tokens: int = 64
    min_new_tokens: int = 0
    max_prompt_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    stop: Sequence[str] = ()
    metrics: Sequence[AnyMetric | str] = ("exact_match", "chrf")
    perplexity: Perplexity | None = None
    sample_size: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.min_new_tokens <= self.max_new_tokens or self.max_new_tokens < 1:
            raise UserError(
                f"TextGeneration(min_new_tokens={self.min_new_tokens}, "
                f"max_new_tokens={self.max_new_tokens}): max_new_tokens must be at least 1, and "
                "min_new_tokens from 0 to max_new_tokens"
            )
        if self.temperature is None and (self.top_k is not None or self.top_p is not None):
            raise UserError(
                "TextGeneration(top_k=..., top_p=...): these are settings of sampling, so set "
                "temperature too, or remove them to decode greedily"
            )
        if self.temperature is not None and not self.temperature > 0:
            raise UserError(
                f"TextGeneration(temperature={self.temperature}): a temperature must be above 0; "
                "None decodes greedily"
            )
        if isinstance(self.stop, str) or not all(self.stop):
            raise UserError(
                f"TextGeneration(stop={self.stop!r}) must be a list of texts that are not empty"
            )

    @property
    def decoding(self) -> Decoding:
        settings: dict[str, int | float | str | bool] = {
            "beams": 1,
            "max_new_tokens": self.max_new_tokens,
        }
        if self.min_new_tokens:
            settings["min_new_tokens"] = self.min_new_tokens
        if self.stop:
            settings["stop_strings"] = json.dumps(list(self.stop))
        if self.temperature is not None:
            settings |= {"do_sample": True, "temperature": self.temperature, "seed": self.seed}
            # transformers samples from the 50 most probable tokens unless it is told otherwise
            settings["top_k"] = self.top_k or 0
            settings["top_p"] = 1.0 if self.top_p is None else self.top_p
        return settings

    def samples(self, folder: Path) -> Samples:
        if self.perplexity:
            require_file(folder / self.perplexity.text)
        names = [self.reference] if isinstance(self.reference, str) else [*self.reference]
        table = read(self.data, folder, [self.prompt, *names])
        prompts = [prompt_of(cell, place) for cell, place in table.cells(self.prompt)]
        columns = [table.texts(name) for name in names]
        if isinstance(self.reference, str):
            return Samples(prompts, columns[0])
        return Samples(prompts, [list(texts) for texts in zip(*columns, strict=True)])

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """Join prompts until they have `length` words; the codec truncates them to `length` tokens.

        The messages of chats are joined as texts.
        """
        texts = [
            prompt if isinstance(prompt, str) else " ".join(m["content"] for m in prompt)
            for prompt in inputs
        ]
        return super().sized(texts, number, length)

    def codec(self, model: Path) -> Codec:
        return GenerationCodec(model, self.stop, self.max_prompt_tokens)

    def windows(self, codec: Any, folder: Path) -> Sequence[Window]:
        assert self.perplexity
        text = read_text(folder / self.perplexity.text)
        return self.perplexity.windows(*codec.text_tokens(text, self.perplexity.window))
