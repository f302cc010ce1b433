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
    onnx_exporter: str = "torch"
    """Module that must be importable for variants of ONNX Runtime to be built."""

    @property
    def available(self) -> list[str]:
        """Ids of the default variants that can be built here."""
        return [
            name
            for name in self.variants
            if find_spec(VARIANTS[name].package)
            and (not name.startswith("onnx") or find_spec(self.onnx_exporter))
        ]


TASKS: Mapping[str, TaskTemplate] = {
    "translation": TaskTemplate(
        "Translation",
        {
            "source": "text file with one sentence per line",
            "reference": "text file with their translations",
        },
        ("torch", "torch-int8", "onnx-fused-int8", "ctranslate2-int8"),
        onnx_exporter="optimum",
    ),
    "classification": TaskTemplate(
        "TextClassification",
        {"data": "file with one JSON object per line, with the keys text and label"},
        ("torch", "torch-int8", "onnx-fused-int8", "openvino"),
        batch=8,
    ),
    "vision": TaskTemplate(
        "ImageClassification",
        {"images": "IDX file of images", "labels": "IDX file of their labels"},
        ("torch", "onnx", "openvino", "openvino-int8"),
    ),
    "speech": TaskTemplate(
        "SpeechRecognition",
        {"recordings": "folder of recordings named DIGIT_SPEAKER_INDEX.wav"},
        ("torch", "torch-int8", "onnx", "openvino"),
        batch=1,
    ),
}
