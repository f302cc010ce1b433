"""ONNX Runtime backend, with optional fusion and quantisation.

An encoder-decoder model for texts becomes one graph from token ids to decoded token ids
(`seq2seq`), and a causal language model a graph of one step of decoding (`onnx_causal`). Every
other model is a graph of one forward pass (`onepass`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pytest_infperf.artifacts.models import find_file
from pytest_infperf.backends import (
    causal,
    int8,
    onepass,
    onnx_causal,
    onnx_export,
    onnx_file,
    seq2seq,
    torch_speech,
)
from pytest_infperf.backends.binding import Binding
from pytest_infperf.backends.first_token import first_token
from pytest_infperf.errors import BuildError, UserError
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.runner import Runner
from pytest_infperf.suite.task import Decoding, Task


@dataclass(frozen=True)
class OnnxExport(Backend):
    """The float32 export from which `Onnx` and `OpenVino` variants are built."""

    requires: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime", "torch", "transformers")
    optional: ClassVar[tuple[str, ...]] = ("optimum", "optimum-onnx")
    extra: ClassVar[str | None] = "onnx"

    @property
    def default_id(self) -> str:
        return "onnx-export"

    @property
    def leaves_no_trace(self) -> bool:
        return True

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        if material.task.auto_class == torch_speech.AUTO_CLASS:
            onnx_export.export_with_optimum(
                material.model, folder, "automatic-speech-recognition-with-past"
            )
        elif material.task.auto_class == causal.AUTO_CLASS:
            onnx_causal.export(material, folder)
        elif material.task.generates:
            seq2seq.export(material.model, folder)
        else:
            onepass.export(material, folder)
        return {}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        raise BuildError("an ONNX export cannot be run as a variant: use Onnx()")


@dataclass(frozen=True)
class Onnx(Backend):
    """ONNX Runtime on the CPU, with an exported graph or the graph in `file`.

    Without `file`, all variants of a model are built from one float32 export, traced by torch. An
    encoder-decoder model for texts becomes one graph that includes the decoding loop, greedy or
    with beam search, and generates the same tokens as `generate` of transformers. The evidence
    counts the fused operators and names the quantisation. Causal language models and Whisper are
    run step by step by `ORTModelForCausalLM` and `ORTModelForSpeechSeq2Seq` of optimum, with
    `generate` of transformers, and cannot be fused. Requires the extra ``pytest-infperf[onnx]``,
    and ``pytest-infperf[optimum]`` for causal language models, Whisper and, with transformers 4,
    for classifiers without an encoder.

    Parameters
    ----------
    file : str, optional
        A graph that was exported elsewhere, such as ``"onnx/model.onnx"``: a path in the model's
        folder or else in the suite's. A file of a hub id is downloaded. External data is
        supported. The graph's inputs are matched with the features of the task by name, then by
        shape and type, and cast between integer or floating-point types. For one-pass models only.
        None exports the model.
    output : str, optional
        The output of `file` with the results. None means the only output, or the usual one of the
        task, such as `logits`.
    fused : bool, default False
        Whether operators are fused: in encoders of the BERT family by ONNX Runtime's transformer
        optimiser, in MarianMT models by a graph built from fused operators, and in other models by
        the runtime's extended graph optimisations.
    int8 : {"dynamic", "static"} or None, default None
        Quantisation of the weights to int8; None keeps float32. "dynamic" computes the ranges of
        activations at run time. "static" stores ranges that are calibrated on the task's
        `calibration`, in QDQ format with a scale per channel, for one-pass models only. Weights
        are limited to 7 bits on x86 without int8 dot products.
    model, id, threads, cpus
        As in `Backend`; the id defaults to ``"onnx"`` with ``-file``, ``-fused`` and ``-int8``
        appended.
        With ``threads=None``, ONNX Runtime uses the physical cores.

    Raises
    ------
    BuildError
        If the model cannot be exported, ``fused=True`` fuses no operator, the task generates text
        and ``int8="static"`` or `file` is given, or the graph does not implement one of the
        model's generation settings; if ONNX Runtime cannot run `file`, its inputs do not match the
        features or have a fixed size, or its output is unknown. Raised when the artifact is built.
    UserError
        If a required distribution is not installed, `file` does not exist or is not an ONNX graph,
        or `output` is given without `file`.

    References
    ----------
    Quantisation: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    Transformer optimiser: https://onnxruntime.ai/docs/performance/transformers-optimization.html
    Graph optimisations:
    https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html

    Examples
    --------
    >>> from pytest_infperf import Onnx
    >>> Onnx(fused=True, int8="dynamic").variant_id
    'onnx-fused-int8'
    >>> Onnx(file="export/model.onnx", id="ours").variant_id
    'ours'
    """

    _: KW_ONLY
    file: str | None = None
    output: str | None = None
    fused: bool = False
    int8: Literal["dynamic", "static"] | None = None

    requires: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")
    extra: ClassVar[str | None] = "onnx"

    def __post_init__(self) -> None:
        onnx_file.require_file_of(self)

    @property
    def default_id(self) -> str:
        parts = {"-file": self.file, "-fused": self.fused, "-int8": self.int8}
        return "onnx" + "".join(suffix for suffix, chosen in parts.items() if chosen)

    @property
    def needs_model(self) -> bool:
        return self.file is None

    @property
    def model_files(self) -> tuple[str, ...]:
        return (self.file,) if self.file else ()

    def files(self, model: Path, folder: Path) -> list[Path]:
        if not self.file:
            return []
        path = find_file(self.file, model, folder)
        return [path, *onnx_file.data_files(path)]

    @property
    def calibrates(self) -> bool:
        return self.int8 == "static"

    @property
    def leaves_no_trace(self) -> bool:
        return not (self.file or self.calibrates)

    def built_from(self) -> Backend | None:
        return None if self.file else OnnxExport()

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        if self.file:
            return self._build_from_file(material, self.file, folder)
        assert material.source
        if material.task.auto_class == torch_speech.AUTO_CLASS:
            return self._build_speech(material.source, folder)
        if material.task.auto_class == causal.AUTO_CLASS:
            return self._build_causal(material, folder)
        if material.task.generates:
            return self._build_generating(material, material.source, folder)
        for path in material.source.iterdir():
            if path.name.startswith(_MODEL) or path.name == _CONFIG:
                shutil.copy(path, folder)
        return self._optimise(material, folder)

    def _build_from_file(self, material: Material, file: str, folder: Path) -> dict[str, Any]:
        if material.task.generates:
            raise BuildError(
                f"Onnx(file={file!r}) is for one-pass models, but this task generates text and "
                f"requires a decoding loop: remove file, so that {material.model.name} is exported "
                "with it"
            )
        path = find_file(file, material.model, material.folder or material.data)
        binding = onnx_file.bind(path, material, self.output)
        binding.write(folder)
        if not (self.fused or self.int8):
            onnx_file.copy(path, folder / _MODEL)
            return binding.evidence
        onnx_file.copy_as_one_file(path, folder / _MODEL)
        if (material.model / _CONFIG).is_file():
            shutil.copy(material.model / _CONFIG, folder)
        if self.int8 and (present := onepass.int8_operators(folder)):
            raise BuildError(
                f"{path} is quantised already ({', '.join(present)}): remove int8={self.int8!r}"
            )
        try:
            return {**binding.evidence, **self._optimise(material, folder)}
        except UserError:
            raise
        except Exception as error:
            raise BuildError(
                f"{self.default_id} cannot be built from {path}: {error!r}. Remove fused or int8, "
                "or export the graph in float32 and without optimisations"
            ) from error

    def _optimise(self, material: Material, folder: Path) -> dict[str, Any]:
        evidence: dict[str, Any] = {}
        if self.fused:
            evidence["fused_operators"] = self._require_fusions(onepass.fuse(folder), material)
        elif self.int8:
            evidence["can_be_fused"] = onepass.can_be_fused(folder)
        if self.int8 == "dynamic":
            evidence["quantization"] = onepass.quantize_dynamically(folder)
        elif self.int8 == "static":
            evidence["quantization"] = onepass.quantize_statically(material, folder)
        return evidence

    def _build_generating(self, material: Material, source: Path, folder: Path) -> dict[str, Any]:
        if self.int8 == "static":
            raise BuildError(
                'int8="static" is for one-pass models, but this task generates text: use '
                'int8="dynamic"'
            )
        work = folder / "work"
        shutil.copytree(source, work)
        evidence: dict[str, Any] = {}
        if self.fused:
            fused = seq2seq.fuse(material.model, work)
            evidence["fused_operators"] = self._require_fusions(fused, material)
        elif self.int8:
            evidence["can_be_fused"] = seq2seq.can_be_fused(material.model)
        if self.int8:
            evidence["quantization"] = seq2seq.quantize(work)
        generation = seq2seq.Generation.from_config(
            material.model, material.task.decoding, first_token(material)
        )
        seq2seq.compose(work, generation).rename(folder / _MODEL)
        shutil.rmtree(work)
        settings = {"pad_id": generation.pad_id, "decoding": generation.decoding}
        (folder / _SETTINGS).write_text(json.dumps(settings))
        return evidence

    def _build_speech(self, source: Path, folder: Path) -> dict[str, Any]:
        if self.fused or self.int8 == "static":
            raise BuildError(
                "Onnx() runs speech models with a decoder, such as Whisper, only in float32 or "
                'with int8="dynamic": remove fused and int8="static"'
            )
        for path in source.iterdir():
            if path.suffix.startswith(".onnx") or path.name in _SPEECH_CONFIGS:
                shutil.copy(path, folder)
        return {"quantization": seq2seq.quantize(folder)} if self.int8 else {}

    def _build_causal(self, material: Material, folder: Path) -> dict[str, Any]:
        if self.fused or self.int8 == "static":
            raise BuildError(
                'Onnx() runs causal language models only in float32 or with int8="dynamic": remove '
                'fused and int8="static", or use OnnxGenAI(), whose graph has fused operators'
            )
        return onnx_causal.build(material, folder, int8=bool(self.int8))

    def _require_fusions(self, fused: dict[str, int], material: Material) -> dict[str, int]:
        if not any(fused.values()):
            raise BuildError(
                f"no operator of {self.file or material.model.name} could be fused: ONNX Runtime's "
                "optimiser finds no pattern, or the graph is already fused. Remove fused=True"
            )
        return fused

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        if task.auto_class in (torch_speech.AUTO_CLASS, causal.AUTO_CLASS):
            return _optimum_runner(artifact, task, options, threads)
        session = onnxruntime.InferenceSession(
            artifact / _MODEL, options, providers=["CPUExecutionProvider"]
        )
        if not task.generates:
            inputs = [value.name for value in session.get_inputs()]
            outputs = [value.name for value in session.get_outputs()]
            binding = Binding.read(artifact, inputs, outputs)
            return OnnxForward(session, binding, task.decoding, threads)
        settings = json.loads((artifact / _SETTINGS).read_text())
        return OnnxGenerate(session, settings["pad_id"], settings["decoding"], threads)

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        if not self.int8:
            return []
        return [*int8.doubts(), *int8.graph_doubts(evidence)]


_MODEL = onepass.MODEL
_CONFIG = "config.json"
_SETTINGS = "decoding.json"
_SPEECH_CONFIGS = (_CONFIG, "generation_config.json")


def _optimum_runner(artifact: Path, task: Task, options: Any, threads: int | None) -> Runner:
    import torch

    if threads is not None:
        torch.set_num_threads(threads)  # torch computes the features and selects the tokens
    used = threads or _default_threads()
    if task.auto_class == causal.AUTO_CLASS:
        return onnx_causal.OnnxContinue.load(artifact, task.decoding, options, used)
    from optimum.onnxruntime import ORTModelForSpeechSeq2Seq

    model = ORTModelForSpeechSeq2Seq.from_pretrained(artifact, session_options=options)
    return torch_speech.TorchTranscribe(model, task.decoding, used)


class OnnxGenerate:
    """Runner from token ids to token ids: one call of the runtime per query, loop included."""

    def __init__(self, session: Any, pad_id: int, decoding: Decoding, threads: int | None) -> None:
        self._session = session
        self._pad = pad_id
        self.decoding = decoding
        self.threads = threads or _default_threads()

    def infer(self, features: Sequence[Sequence[int]]) -> list[list[int]]:
        import numpy as np

        longest = max(map(len, features))
        shape = (len(features), longest)
        ids = np.full(shape, self._pad, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        for row, sentence in enumerate(features):
            ids[row, : len(sentence)] = sentence
            mask[row, : len(sentence)] = 1
        (sequences,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        results: list[list[int]] = sequences.tolist()
        return results


class OnnxForward:
    """Runner of one forward pass: maps arrays by name to one output of the graph."""

    def __init__(
        self, session: Any, binding: Binding, decoding: Decoding, threads: int | None
    ) -> None:
        self._session = session
        self._binding = binding
        self._answer = [binding.output]
        self.decoding = decoding
        self.threads = threads or _default_threads()

    def infer(self, features: Mapping[str, Any]) -> Any:
        return self._binding.answer(features, self._run)

    def _run(self, inputs: dict[str, Any]) -> Any:
        (answer,) = self._session.run(self._answer, inputs)
        return answer


def _default_threads() -> int:
    """Return ONNX Runtime's default: the number of physical cores."""
    import psutil

    return psutil.cpu_count(logical=False) or 1
