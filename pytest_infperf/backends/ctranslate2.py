"""CTranslate2 backend, an engine with fused kernels and its own decoding loop."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_infperf.artifacts.models import find_file
from pytest_infperf.backends import (
    ctranslate2_causal,
    ctranslate2_decoding,
    ctranslate2_folder,
    ctranslate2_marian,
    ctranslate2_vmap,
    decoding,
    int8,
    torch_speech,
)
from pytest_infperf.backends.first_token import first_token
from pytest_infperf.backends.torch_module import import_modeling, unreadable_weights
from pytest_infperf.errors import BuildError, UserError
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.runner import Receive, Runner
from pytest_infperf.suite.task import Decoding, Task
from pytest_infperf.suite.tokenizer import open_tokenizer

_SETTINGS = "decoding.json"


@dataclass(frozen=True)
class CTranslate2(Backend):
    """CTranslate2 on the CPU, in float32 or int8, for transformers models that generate text.

    These are encoder-decoder models for texts, causal language models, and Whisper. With several
    beams, Whisper's output can differ from that of `generate`, because CTranslate2 excludes
    suppressed tokens before it normalises the scores.
    Building converts the model with `ctranslate2.converters.TransformersConverter`; the evidence
    states the quantisation and the embedding that the decoder starts from. Requires the extra
    ``pytest-infperf[ctranslate2]``.

    The following settings of the model's generation_config.json are applied: those that suppress
    tokens or repetitions and limit the length, `repetition_penalty` with one beam, and
    `length_penalty` with several. The record's decoding lists them. A variant with other settings
    than the baseline is not compared with it. Beam search stops once as many outputs as beams are
    complete, as with ``early_stopping=True`` in transformers.
    For causal language models, only the settings that suppress tokens are applied. Sampling uses
    the task's seed once, when a worker starts, so that a query is repeated with other outputs.

    Parameters
    ----------
    int8 : bool, default False
        Whether weights are stored in int8 and activations are quantised at run time.
    folder : str, optional
        A model that was converted elsewhere, such as ``"export/ct2"``: a folder with ``model.bin``,
        in the model's folder or else in the suite's. It runs in the type to which it was converted,
        or the nearest type of the CPU, which the evidence states. The model's folder must contain
        the tokenizer and configuration of the same model. By default, the model is converted.
    vmap : str, optional
        A vocabulary map, such as ``"vmap.txt"``: a file in `folder`, the model's folder or the
        suite's, in this order. The output layer is then computed only for the tokens that the map
        names for the input, which is faster; other tokens cannot occur in the output. The evidence
        states the size of the map. By default, the output layer is computed for all tokens.
    model, id, threads, cpus
        As in `Backend`; the id defaults to ``"ctranslate2"`` with ``-folder`` or ``-int8``, and
        ``-vmap`` appended. With ``threads=None``, CTranslate2 uses all cores up to 4.

    Raises
    ------
    BuildError
        If the task does not generate text, the model folder has a `modeling.py`, or CTranslate2
        cannot convert the model; if CTranslate2 cannot open `folder`, or the folder's vocabulary is
        not that of the model's tokenizer; if a line of `vmap` is invalid or has a token that is
        not in the vocabulary, or CTranslate2 would look up a token in the wrong place. Raised when
        the artifact is built.
    UserError
        If a required distribution is not installed, `folder` does not exist or has no model,
        `int8` is given with `folder`, or `vmap` does not exist.

    References
    ----------
    Klein et al. 2020, "Efficient and High-Quality Neural Machine Translation with OpenNMT".
    Quantisation: https://opennmt.net/CTranslate2/quantization.html
    Vocabulary maps: "Dynamic vocabulary reduction",
    https://opennmt.net/CTranslate2/translation.html#dynamic-vocabulary-reduction

    Examples
    --------
    >>> from pytest_infperf import CTranslate2
    >>> CTranslate2(int8=True).variant_id
    'ctranslate2-int8'
    >>> CTranslate2(int8=True, vmap="vmap.txt").variant_id
    'ctranslate2-int8-vmap'
    >>> CTranslate2(folder="export/ct2", id="ours").variant_id
    'ours'
    """

    _: KW_ONLY
    int8: bool = False
    folder: str | None = None
    vmap: str | None = None

    requires: ClassVar[tuple[str, ...]] = (
        "ctranslate2", "torch", "transformers", "sentencepiece",
    )  # fmt: skip
    extra: ClassVar[str | None] = "ctranslate2"

    def __post_init__(self) -> None:
        if self.folder and self.int8:
            raise UserError(
                f"CTranslate2(folder={self.folder!r}, int8=True): the folder runs in the type to "
                "which it was converted: remove int8, and convert with "
                "`ct2-transformers-converter --quantization int8`"
            )

    @property
    def default_id(self) -> str:
        kind = "-folder" if self.folder else "-int8" if self.int8 else ""
        return f"ctranslate2{kind}" + ("-vmap" if self.vmap else "")

    @property
    def leaves_no_trace(self) -> bool:
        return True

    @property
    def _compute_type(self) -> str:
        if self.folder:
            return "default"
        return "int8" if self.int8 else "float32"

    @property
    def model_files(self) -> tuple[str, ...]:
        return (self.vmap,) if self.vmap else ()

    def files(self, model: Path, folder: Path) -> list[Path]:
        files = []
        if self.folder:
            files += ctranslate2_folder.files(ctranslate2_folder.find(self.folder, model, folder))
        if self.vmap:
            files.append(self._find_vmap(self.vmap, model, folder))
        return files

    def _find_vmap(self, name: str, model: Path, folder: Path) -> Path:
        if self.folder:
            converted = ctranslate2_folder.find(self.folder, model, folder)
            if (converted / name).is_file():
                return find_file(name, converted, folder)
        return find_file(name, model, folder)

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        model = material.model
        if not material.task.generates or import_modeling(model):
            raise BuildError(
                f"CTranslate2 cannot run {model.name}: it requires a task that generates text and "
                "a transformers model without a modeling.py. Use Torch() or Onnx()"
            )
        causal = material.task.auto_class == decoding.CAUSAL
        if self.vmap and causal:
            raise BuildError(
                f"CTranslate2(vmap={self.vmap!r}): vocabulary maps are for models that "
                f"translate texts, but {model.name} continues texts: remove vmap"
            )
        if self.folder:
            return self._build_from_folder(material, self.folder, folder)
        if causal:
            self._convert(model, folder)
            ctranslate2_causal.name_special_tokens(folder)
            self._write_causal_settings(material, folder)
            return {"quantization": self._compute_type}
        if material.task.auto_class == torch_speech.AUTO_CLASS:
            if self.vmap:
                raise BuildError(
                    f"CTranslate2(vmap={self.vmap!r}): vocabulary maps are for models that "
                    f"translate texts, but {model.name} transcribes speech: remove vmap"
                )
            self._convert(model, folder)
            return {"quantization": self._compute_type}
        from transformers import AutoModelForSeq2SeqLM

        try:
            module = AutoModelForSeq2SeqLM.from_pretrained(model)
        except OSError as error:
            raise unreadable_weights(model, error) from error
        except ValueError as error:  # "Unrecognized configuration class": no encoder
            raise BuildError(
                f"CTranslate2 cannot run {model.name}: it requires an encoder-decoder model. "
                f"Use Torch() ({error})"
            ) from error
        from_zero = ctranslate2_marian.starts_from_zero(module)
        settings, moved = decoding.of_module(module, {}), {}
        if from_zero:
            self._convert(model, folder)
        else:
            with ctranslate2_marian.keeping_padding_token(first=bool(self.vmap)):
                self._convert(model, folder)
            if self.vmap:
                moved = {ctranslate2_marian.MOVED: module.config.pad_token_id}
        settings = self._write_settings(settings, material, folder, **moved)
        return {
            "quantization": self._compute_type,
            "decoder_starts_from": "zero" if from_zero else "padding token",
            **self._add_vmap(settings, material, folder),
        }

    def _convert(self, model: Path, folder: Path) -> None:
        from ctranslate2.converters import TransformersConverter

        converter = TransformersConverter(str(model))
        try:
            converter.convert(str(folder), quantization=self._compute_type, force=True)
        except (ValueError, NotImplementedError) as error:
            raise BuildError(f"CTranslate2 cannot convert {model.name}: {error}") from error

    @staticmethod
    def _write_causal_settings(material: Material, folder: Path) -> None:
        settings = ctranslate2_causal.settings_of(material.model, material.task.decoding)
        (folder / _SETTINGS).write_text(json.dumps(settings))
        if decoding.STOP in settings:
            tokenizer = open_tokenizer(material.model)
            tokenizer.save_pretrained(folder / ctranslate2_causal.TOKENIZER)

    @staticmethod
    def _write_settings(
        settings: Mapping[str, Any], material: Material, folder: Path, **more: Any
    ) -> dict[str, Any]:
        asked = {
            "num_beams": material.task.decoding["beams"],
            "max_new_tokens": material.task.decoding["max_new_tokens"],
        }
        if (first := first_token(material)) is not None:
            asked["forced_bos_token_id"] = first
        followed = {**ctranslate2_decoding.followed({**settings, **asked}), **more}
        (folder / _SETTINGS).write_text(json.dumps(followed))
        return followed

    def _add_vmap(
        self, settings: Mapping[str, Any], material: Material, folder: Path
    ) -> dict[str, Any]:
        if not self.vmap:
            return {}
        path = self._find_vmap(self.vmap, material.model, material.folder or material.data)
        candidates = ctranslate2_vmap.read(path, ctranslate2_folder.vocabulary(folder))
        ctranslate2_vmap.check_places(path, candidates, folder, settings)
        shutil.copy(path, folder / ctranslate2_vmap.FILE)
        return {"vmap": ctranslate2_vmap.evidence(candidates)}

    def _build_from_folder(self, material: Material, name: str, folder: Path) -> dict[str, Any]:
        import ctranslate2

        path = ctranslate2_folder.find(name, material.model, material.folder or material.data)
        ctranslate2_folder.check_vocabulary(path, material.model)
        causal = material.task.auto_class == decoding.CAUSAL
        try:
            opened = _engine(path, causal=causal)
        except (RuntimeError, ValueError) as error:
            raise BuildError(
                f"CTranslate2 {ctranslate2.__version__} cannot open {path}: {error}"
            ) from error
        ctranslate2_folder.copy(path, folder)
        if causal:
            self._write_causal_settings(material, folder)
            return {"quantization": opened.compute_type}
        settings = ctranslate2_folder.generation_settings(material.model)
        settings = self._write_settings(settings, material, folder)
        added = self._add_vmap(settings, material, folder)
        return {"quantization": opened.compute_type, **added}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        import ctranslate2

        if task.auto_class == torch_speech.AUTO_CLASS:
            return CTranslate2Transcribe(artifact, self._compute_type, task.decoding, threads)
        settings = json.loads((artifact / _SETTINGS).read_text())
        causal = task.auto_class == decoding.CAUSAL
        if decoding.SEED in settings:
            ctranslate2.set_random_seed(settings[decoding.SEED])
        engine = _engine(
            artifact,
            causal=causal,
            compute_type=self._compute_type,
            intra_threads=0 if threads is None else threads,
        )
        if causal:
            return ctranslate2_causal.CTranslate2Continue(
                engine, artifact, settings, threads or _default_threads()
            )
        vocabulary = ctranslate2_marian.in_order_of_ids(
            ctranslate2_folder.vocabulary(artifact), settings
        )
        return CTranslate2Generate(engine, vocabulary, settings, threads, use_vmap=bool(self.vmap))

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        stored = str(evidence.get("quantization", ""))
        doubts = int8.doubts() if self.int8 or stored.startswith("int8") else []
        if self.vmap:
            doubts.append(
                "a vocabulary map copies rows of the output layer for each query: it is "
                "faster only if that layer takes much of the time and a query has few candidates"
            )
        return doubts


def _engine(folder: Path, *, causal: bool, **options: Any) -> Any:
    import ctranslate2

    engine = ctranslate2.Generator if causal else ctranslate2.Translator
    return engine(str(folder), device="cpu", **options)


class CTranslate2Generate:
    """Runner that maps token ids to token ids, through the token strings of CTranslate2."""

    def __init__(
        self,
        translator: Any,
        vocabulary: list[str],
        settings: Mapping[str, Any],
        threads: int | None,
        *,
        use_vmap: bool,
    ) -> None:
        self._translator = translator
        self._tokens = vocabulary
        self._ids = {token: i for i, token in enumerate(vocabulary)}
        self.decoding = decoding.described(settings)
        self.threads = threads or _default_threads()
        self._options = {
            **ctranslate2_decoding.options(settings, vocabulary),
            "use_vmap": use_vmap,
        }
        first = settings.get("forced_bos_token_id")
        self._prefix = None if first is None else [vocabulary[first]]

    def infer(self, features: Sequence[Sequence[int]]) -> list[list[int]]:
        return self._translate(features)

    def stream(self, features: Sequence[Sequence[int]], receive: Receive) -> list[list[int]]:
        def pass_on(step: Any) -> bool:
            receive([self._ids[step.token]])
            return False  # True would end the output

        return self._translate(features, callback=pass_on)

    def _translate(self, features: Sequence[Sequence[int]], **more: Any) -> list[list[int]]:
        tokens = self._tokens
        sentences = [[tokens[i] for i in row] for row in features]
        prefixes = [self._prefix] * len(sentences) if self._prefix else None
        results = self._translator.translate_batch(
            sentences, target_prefix=prefixes, **self._options, **more
        )
        ids = self._ids
        return [[ids[token] for token in result.hypotheses[0]] for result in results]


class CTranslate2Transcribe:
    """Runner of Whisper that maps features of recordings to token ids."""

    def __init__(
        self, artifact: Path, compute_type: str, requested: Decoding, threads: int | None
    ) -> None:
        import ctranslate2
        import torch

        if threads is not None:
            torch.set_num_threads(threads)  # torch computes the features of the codec
        self._model = ctranslate2.models.Whisper(
            str(artifact), device="cpu", compute_type=compute_type, intra_threads=threads or 0
        )
        self._array = ctranslate2.StorageView.from_array
        self.decoding = requested
        self.threads = threads or _default_threads()

    def infer(self, features: Mapping[str, Any]) -> list[list[int]]:
        recordings, prompt = features["input_features"], features["prompt"]
        longest = int(self.decoding["max_new_tokens"])
        results = self._model.generate(
            self._array(recordings),
            [prompt] * len(recordings),
            beam_size=self.decoding["beams"],
            # CTranslate2 generates half of it at most, and does not count the prompt's last token.
            max_length=max(2 * longest, longest + len(prompt) - 1),
        )
        return [result.sequences_ids[0] for result in results]


def _default_threads() -> int:
    """Return CTranslate2's default of `intra_threads`: the number of cores, at most 4."""
    import os

    return min(4, len(os.sched_getaffinity(0)))
