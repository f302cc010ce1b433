"""Backend on ONNX Runtime, with optional fusion and quantisation.

A model that generates text becomes one graph from token ids to decoded token ids (`seq2seq`). Every
other model is a graph of one forward pass (`onepass`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pytest_infperf.backends import int8, onepass, seq2seq
from pytest_infperf.backends.first_token import first_token
from pytest_infperf.errors import BuildError
from pytest_infperf.suite.backend import Backend, Material, Runner
from pytest_infperf.suite.task import Decoding, Task

_REQUIRES = ("onnx", "onnxruntime", "optimum", "optimum-onnx", "torch", "transformers")


@dataclass(frozen=True)
class OnnxExport(Backend):
    """The float32 export that `Onnx` and `OpenVino` variants are built from."""

    requires: ClassVar[tuple[str, ...]] = _REQUIRES
    extra: ClassVar[str | None] = "optimum"

    @property
    def default_id(self) -> str:
        return "onnx-export"

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        if material.task.generates:
            seq2seq.export(material.model, folder)
        else:
            onepass.export(material, folder)
        return {}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        raise BuildError("an ONNX export cannot be run as a variant: use Onnx()")


@dataclass(frozen=True)
class Onnx(Backend):
    """ONNX Runtime on the CPU, on a graph that this package exports, fuses and quantises.

    All variants of a model start from one float32 export: by optimum for models of transformers, by
    tracing for a model folder with a `modeling.py`. A model that generates text becomes one graph
    with its decoding loop inside, greedy or with beams, which generates the tokens of transformers'
    `generate`. The evidence counts the fused operators and names the quantisation. Requires the
    extra ``pytest-infperf[optimum]``.

    Parameters
    ----------
    fused : bool, default False
        Whether operators are fused: encoders of the BERT family by ONNX Runtime's transformer
        optimiser, a MarianMT model by a graph that is rebuilt from fused operators, any other model
        by the runtime's extended graph optimisations.
    int8 : {"dynamic", "static"} or None, default None
        Quantisation of the weights to int8; None keeps float32. "dynamic" computes the ranges of
        activations at run time. "static" stores ranges that are calibrated on 200 samples, in QDQ
        format with a scale per channel; it is for models that answer in one pass. The range is
        reduced to 7 bits on x86 without int8 dot products.
    model, id, threads, cpus
        As in `Backend`; the id defaults to ``"onnx"`` with ``-fused`` and ``-int8`` appended.
        With ``threads=None``, ONNX Runtime uses the physical cores.

    Raises
    ------
    BuildError
        If the model cannot be exported, ``fused=True`` fuses no operator, ``int8="static"`` meets a
        task that generates text, or the model's generation settings include one that the graph does
        not implement. Raised when the artifact is built.
    UserError
        If a required distribution is not installed.

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
    """

    _: KW_ONLY
    fused: bool = False
    int8: Literal["dynamic", "static"] | None = None

    requires: ClassVar[tuple[str, ...]] = _REQUIRES
    extra: ClassVar[str | None] = "optimum"

    @property
    def default_id(self) -> str:
        return "onnx" + ("-fused" if self.fused else "") + ("-int8" if self.int8 else "")

    @property
    def calibrates(self) -> bool:
        return self.int8 == "static"

    def built_from(self) -> Backend | None:
        return OnnxExport()

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        assert material.source
        if material.task.generates:
            return self._build_generating(material, material.source, folder)
        evidence: dict[str, Any] = {}
        for path in material.source.iterdir():
            if path.name.startswith(_MODEL) or path.name == "config.json":
                shutil.copy(path, folder)
        if self.fused:
            evidence["fused_operators"] = self._require_fusions(onepass.fuse(folder), material)
        if self.int8 == "dynamic":
            evidence["quantization"] = onepass.quantize_dynamically(folder)
        elif self.int8 == "static":
            evidence["quantization"] = onepass.quantize_statically(material, folder)
        return evidence

    def _build_generating(self, material: Material, source: Path, folder: Path) -> dict[str, Any]:
        if self.int8 == "static":
            raise BuildError(
                'int8="static" is for models that answer in one pass, and this task generates '
                'text: use int8="dynamic"'
            )
        if first_token(material) is not None:
            raise BuildError(
                "the ONNX graph begins with any token, and this task has a target_language: use "
                "Torch() or CTranslate2()"
            )
        work = folder / "work"
        shutil.copytree(source, work)
        evidence: dict[str, Any] = {}
        if self.fused:
            evidence["fused_operators"] = self._require_fusions(seq2seq.fuse(work), material)
        if self.int8:
            evidence["quantization"] = seq2seq.quantize(work)
        generation = seq2seq.Generation.from_config(material.model, material.task.decoding)
        seq2seq.compose(work, generation).rename(folder / _MODEL)
        shutil.rmtree(work)
        settings = {"pad_id": generation.pad_id, "decoding": generation.decoding}
        (folder / _SETTINGS).write_text(json.dumps(settings))
        return evidence

    @staticmethod
    def _require_fusions(fused: dict[str, int], material: Material) -> dict[str, int]:
        if not any(fused.values()):
            raise BuildError(
                f"no operator of {material.model.name} could be fused: ONNX Runtime's optimiser "
                "knows no pattern in the graph. Remove fused=True"
            )
        return fused

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            artifact / _MODEL, options, providers=["CPUExecutionProvider"]
        )
        if not task.generates:
            return OnnxForward(session, task.decoding, threads)
        settings = json.loads((artifact / _SETTINGS).read_text())
        return OnnxGenerate(session, settings["pad_id"], settings["decoding"], threads)

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        if not self.int8:
            return []
        return [*int8.doubts(), *int8.graph_doubts(evidence, fused=self.fused)]


_MODEL = onepass.MODEL
_SETTINGS = "decoding.json"


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
    """Runner of one forward pass: maps arrays by name to the first output of the graph."""

    def __init__(self, session: Any, decoding: Decoding, threads: int | None) -> None:
        self._session = session
        self._names = [value.name for value in session.get_inputs()]
        self._answer = [session.get_outputs()[0].name]
        self.decoding = decoding
        self.threads = threads or _default_threads()

    def infer(self, features: Mapping[str, Any]) -> Any:
        (answer,) = self._session.run(self._answer, {name: features[name] for name in self._names})
        return answer


def _default_threads() -> int:
    """Return ONNX Runtime's default: the number of physical cores."""
    import psutil

    return psutil.cpu_count(logical=False) or 1
