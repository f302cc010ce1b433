"""The tasks and variants that `infperf init` can write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True)
class VariantTemplate:
    """How a suite writes a variant."""

    call: str
    """Call of the backend, such as `Onnx(fused=True)`."""
    package: str
    """Module that must be importable for the variant to be built."""


VARIANTS: Mapping[str, VariantTemplate] = {
    "torch": VariantTemplate("Torch()", "torch"),
    "torch-int8": VariantTemplate('Torch(int8="dynamic")', "torch"),
    "torch-bf16": VariantTemplate('Torch(dtype="bfloat16")', "torch"),
    "onnx": VariantTemplate("Onnx()", "onnxruntime"),
    "onnx-fused": VariantTemplate("Onnx(fused=True)", "onnxruntime"),
    "onnx-int8": VariantTemplate('Onnx(int8="dynamic")', "onnxruntime"),
    "onnx-fused-int8": VariantTemplate('Onnx(fused=True, int8="dynamic")', "onnxruntime"),
    "ctranslate2": VariantTemplate("CTranslate2()", "ctranslate2"),
    "ctranslate2-int8": VariantTemplate("CTranslate2(int8=True)", "ctranslate2"),
    "openvino": VariantTemplate("OpenVino()", "openvino"),
    "openvino-int8": VariantTemplate("OpenVino(int8=True)", "openvino"),
}
"""By the id that the variant gets."""


@dataclass(frozen=True)
class TaskTemplate:
    """How a suite writes a task, and which data the task needs."""

    class_name: str
    data: Mapping[str, str]
    """Description of each file or folder, by the task's keyword, which is also an option."""
    variants: Sequence[str]
    """Ids of the variants to write by default, the baseline first."""
    batch: int = 32
    """Batch size of the tests of quality and throughput, in samples."""
    columns: Sequence[str] = ()
    """Keywords of the task that take a column of the file `data`; they are options too."""
    architectures: str = ""
    """How the names of the architectures of transformers for the task end."""
    marker: str = ""
    """File of a model's folder that shows the task, such as one of sentence-transformers."""
    """Module that must be importable for variants of ONNX Runtime to be built."""

    @property
    def available(self) -> list[str]:
        """Ids of the default variants that can be built here."""
        return [
            name
            for name in self.variants
            if find_spec(VARIANTS[name].package)
            and (not name.startswith("onnx") or find_spec("torch"))
        ]


TASKS: Mapping[str, TaskTemplate] = {
    "translation": TaskTemplate(
        "Translation",
        {
            "source": "text file with one sentence per line",
            "reference": "text file with their translations",
        },
        ("torch", "torch-int8", "onnx-fused-int8", "ctranslate2-int8"),
        architectures="MTModel",
    ),
    "classification": TaskTemplate(
        "TextClassification",
        {"data": "CSV, TSV, JSON, JSON Lines or Parquet file with texts and their labels"},
        ("torch", "torch-int8", "onnx-fused-int8", "openvino"),
        batch=8,
        columns=("text", "label"),
        architectures="ForSequenceClassification",
    ),
    "embedding": TaskTemplate(
        "Embedding",
        {"data": "CSV, TSV, JSON, JSON Lines or Parquet file with texts"},
        ("torch", "torch-int8"),
        batch=8,
        columns=("text",),
        marker="modules.json",
    ),
    "vision": TaskTemplate(
        "ImageClassification",
        {"images": "IDX file of images", "labels": "IDX file of their labels"},
        ("torch", "onnx", "openvino", "openvino-int8"),
    ),
    "speech": TaskTemplate(
        "SpeechRecognition",
        {"data": "CSV, TSV, JSON Lines or Parquet file with paths of recordings and their words"},
        ("torch", "torch-int8", "onnx", "openvino"),
        batch=1,
        columns=("audio", "text"),
        architectures="ForCTC",
    ),
}
