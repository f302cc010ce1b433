"""ONNX Runtime: one graph from token ids to decoded token ids; fused and quantised on demand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pytest_infperf.backends import int8, seq2seq
from pytest_infperf.errors import BuildError
from pytest_infperf.suite import Backend, Decoding, Runner, Task

_REQUIRES = ("onnx", "onnxruntime", "optimum", "optimum-onnx", "torch", "transformers")


@dataclass(frozen=True)
class OnnxExport(Backend):
    """What optimum exports: the artifact that the ONNX variants are built from."""

    requires: ClassVar[tuple[str, ...]] = _REQUIRES
    extra: ClassVar[str | None] = "optimum"

    @property
    def default_id(self) -> str:
        return "onnx-export"

    def build(self, model: Path, task: Task, folder: Path, source: Path | None) -> dict[str, Any]:
        seq2seq.export(model, folder)
        return {}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        raise BuildError("an export is no variant: use Onnx()")


@dataclass(frozen=True)
class Onnx(Backend):
    _: KW_ONLY
    fused: bool = False
    int8: Literal["dynamic"] | None = None

    requires: ClassVar[tuple[str, ...]] = _REQUIRES
    extra: ClassVar[str | None] = "optimum"

    @property
    def default_id(self) -> str:
        return "onnx" + ("-fused" if self.fused else "") + ("-int8" if self.int8 else "")

    def built_from(self) -> Backend | None:
        return OnnxExport()

    def build(self, model: Path, task: Task, folder: Path, source: Path | None) -> dict[str, Any]:
        assert source
        work = folder / "work"
        shutil.copytree(source, work)
        evidence: dict[str, Any] = {}
        if self.fused:
            evidence["fused_operators"] = seq2seq.fuse(work)
            if not any(evidence["fused_operators"].values()):
                raise BuildError(
                    f"no operator of {model.name} could be fused: the graph has no pattern that "
                    "ONNX Runtime's optimiser knows. Take `fused=True` away, or use another export"
                )
        if self.int8:
            evidence["quantization"] = seq2seq.quantize(work)
        generation = seq2seq.Generation.from_config(model, task.decoding)
        seq2seq.compose(work, generation).rename(folder / _MODEL)
        shutil.rmtree(work)
        settings = {"pad_id": generation.pad_id, "decoding": generation.decoding}
        (folder / _SETTINGS).write_text(json.dumps(settings))
        return evidence

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            artifact / _MODEL, options, providers=["CPUExecutionProvider"]
        )
        settings = json.loads((artifact / _SETTINGS).read_text())
        return OnnxGenerate(session, settings["pad_id"], settings["decoding"], threads)

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        unfused = ["its graph is not fused: fused=True"] if self.int8 and not self.fused else []
        return [*int8.doubts(), *unfused] if self.int8 else []


_MODEL = "model.onnx"
_SETTINGS = "decoding.json"


class OnnxGenerate:
    """One call of the runtime a query: the loop over tokens is in the graph."""

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


def _default_threads() -> int:
    """onnxruntime's own default: the physical cores that it may use."""
    import psutil

    return psutil.cpu_count(logical=False) or 1
