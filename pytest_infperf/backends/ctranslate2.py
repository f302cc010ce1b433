"""Backend on CTranslate2, an engine with fused kernels and a decoding loop of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_infperf.backends import ctranslate2_decoding, ctranslate2_marian, decoding, int8
from pytest_infperf.backends.first_token import first_token
from pytest_infperf.backends.torch_module import import_modeling
from pytest_infperf.errors import BuildError
from pytest_infperf.suite.backend import Backend, Material, Runner
from pytest_infperf.suite.task import Task

_SETTINGS = "decoding.json"


@dataclass(frozen=True)
class CTranslate2(Backend):
    """CTranslate2 on the CPU, in float32 or int8, for models of transformers that generate text.

    Building converts the model with `ctranslate2.converters.TransformersConverter`; the evidence
    states the quantisation and the embedding that the decoder starts from. Requires the extra
    ``pytest-infperf[ctranslate2]``.

    The settings of the model's generation_config.json are followed as far as CTranslate2 has them:
    those that suppress tokens or repetitions and limit the length, `repetition_penalty` with one
    beam, and `length_penalty` with several. The record's decoding has those that are, and a variant
    that follows others than the baseline is not compared with it. A search with several beams stops
    once as many outputs are complete, like ``early_stopping=True`` of transformers.

    Parameters
    ----------
    int8 : bool, default False
        Whether weights are stored in int8 and activations are quantised at run time.
    model, id, threads, cpus
        As in `Backend`; the id defaults to ``"ctranslate2"`` or ``"ctranslate2-int8"``. With
        ``threads=None``, CTranslate2 uses all cores up to 4.

    Raises
    ------
    BuildError
        If the task does not generate text, the model folder brings a `modeling.py`, or CTranslate2
        cannot convert the model. Raised when the artifact is built.
    UserError
        If a required distribution is not installed.

    References
    ----------
    Klein et al. 2020, "Efficient and High-Quality Neural Machine Translation with OpenNMT".
    Quantisation: https://opennmt.net/CTranslate2/quantization.html

    Examples
    --------
    >>> from pytest_infperf import CTranslate2
    >>> CTranslate2(int8=True).variant_id
    'ctranslate2-int8'
    """

    _: KW_ONLY
    int8: bool = False

    requires: ClassVar[tuple[str, ...]] = (
        "ctranslate2", "torch", "transformers", "sentencepiece",
    )  # fmt: skip
    extra: ClassVar[str | None] = "ctranslate2"

    @property
    def default_id(self) -> str:
        return "ctranslate2-int8" if self.int8 else "ctranslate2"

    @property
    def _compute_type(self) -> str:
        return "int8" if self.int8 else "float32"

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        from ctranslate2.converters import TransformersConverter
        from transformers import AutoModelForSeq2SeqLM

        model = material.model
        if not material.task.generates or import_modeling(model):
            raise BuildError(
                f"CTranslate2 cannot run {model.name}: it needs a task that generates text and a "
                "model of transformers without a modeling.py. Use Torch() or Onnx()"
            )
        try:
            module = AutoModelForSeq2SeqLM.from_pretrained(model)
        except ValueError as error:  # "Unrecognized configuration class": it has no encoder
            raise BuildError(
                f"CTranslate2 cannot run {model.name}: it needs an encoder-decoder model. "
                f"Use Torch() ({error})"
            ) from error
        from_zero = ctranslate2_marian.starts_from_zero(module)
        if not from_zero:
            ctranslate2_marian.keep_padding_token()
        converter = TransformersConverter(str(model))
        try:
            converter.convert(str(folder), quantization=self._compute_type, force=True)
        except ValueError as error:
            raise BuildError(f"CTranslate2 cannot convert {model.name}: {error}") from error
        options = {
            "num_beams": material.task.decoding["beams"],
            "max_new_tokens": material.task.decoding["max_new_tokens"],
        }
        if (first := first_token(material)) is not None:
            options["forced_bos_token_id"] = first
        settings = ctranslate2_decoding.followed(decoding.of_module(module, options))
        (folder / _SETTINGS).write_text(json.dumps(settings))
        return {
            "quantization": self._compute_type,
            "decoder_starts_from": "zero" if from_zero else "padding token",
        }

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        import ctranslate2

        translator = ctranslate2.Translator(
            str(artifact),
            device="cpu",
            compute_type=self._compute_type,
            intra_threads=0 if threads is None else threads,
        )
        vocabulary = json.loads((artifact / "shared_vocabulary.json").read_text("utf-8"))
        settings = json.loads((artifact / _SETTINGS).read_text())
        return CTranslate2Generate(translator, vocabulary, settings, threads)

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        return int8.doubts() if self.int8 else []


class CTranslate2Generate:
    """Runner from token ids to token ids, by way of the token strings that CTranslate2 expects."""

    def __init__(
        self,
        translator: Any,
        vocabulary: list[str],
        settings: Mapping[str, Any],
        threads: int | None,
    ) -> None:
        self._translator = translator
        self._tokens = vocabulary
        self._ids = {token: i for i, token in enumerate(vocabulary)}
        self.decoding = decoding.described(settings)
        self.threads = threads or _default_threads()
        self._options = ctranslate2_decoding.options(settings, vocabulary)
        first = settings.get("forced_bos_token_id")
        self._prefix = None if first is None else [vocabulary[first]]

    def infer(self, features: Sequence[Sequence[int]]) -> list[list[int]]:
        tokens = self._tokens
        sentences = [[tokens[i] for i in row] for row in features]
        prefixes = [self._prefix] * len(sentences) if self._prefix else None
        results = self._translator.translate_batch(
            sentences, target_prefix=prefixes, **self._options
        )
        ids = self._ids
        return [[ids[token] for token in result.hypotheses[0]] for result in results]


def _default_threads() -> int:
    """Return CTranslate2's default: all cores, at most 4 (documented for `intra_threads`)."""
    import os

    return min(4, len(os.sched_getaffinity(0)))
