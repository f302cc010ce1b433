"""The tasks and variants that `infperf init` can write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec


@dataclass(frozen=True)
class VariantTemplate:
    """Template of a variant in suite.py."""

    call: str
    """Call of the backend, such as `Onnx(fused=True)`, with `$file` or `$function` of the suite."""
    package: str = ""
    """Module that must be importable for the variant to be built; empty if none is needed."""

    @property
    def is_available(self) -> bool:
        """Whether the variant can be built here."""
        return not self.package or find_spec(self.package) is not None


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
    "onnx-file": VariantTemplate("Onnx(file=$file)", "onnxruntime"),
    "onnx-file-int8": VariantTemplate('Onnx(file=$file, int8="dynamic")', "onnxruntime"),
    "openvino-file": VariantTemplate("OpenVino(file=$file)", "openvino"),
    "function": VariantTemplate("Function($function)"),
}
"""Templates of variants, by id."""
FILE_VARIANTS = ("onnx-file", "onnx-file-int8", "openvino-file")
"""Ids of the variants of an ONNX file, the baseline first."""


@dataclass(frozen=True)
class TaskTemplate:
    """Template of a task in suite.py, with the data that it needs."""

    class_name: str
    data: Mapping[str, str]
    """Description of each file or folder, by the task's keyword, which is also an option."""
    variants: Sequence[str]
    """Ids of the variants to write by default, the baseline first."""
    batch: int = 32
    """Batch size of the tests of quality and throughput, in samples."""
    columns: Sequence[str] = ()
    """Keywords of the task for columns of the file `data`, which are also options."""
    more_columns: Sequence[str] = ()
    """Keywords for columns that are used only if an option is given."""
    other_data: Mapping[str, str] = field(default_factory=dict)
    """Files that can replace `data`, by keyword, which is also an option."""
    architectures: str | tuple[str, ...] = ""
    """Suffixes of the names of the task's architectures in transformers."""
    marker: str = ""
    """File in a model's folder that identifies the task, such as one of sentence-transformers."""
    graph: tuple[str, str] = ("", "")
    """Names of an input and of an output that identify the task of an ONNX graph."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Other required arguments of the task."""

    @property
    def available(self) -> list[str]:
        """Ids of the default variants that can be built here."""
        return [
            name
            for name in self.variants
            if VARIANTS[name].is_available and (not name.startswith("onnx") or find_spec("torch"))
        ]


COLUMNS: Mapping[str, str] = {
    "text": "the text",
    "label": "the label",
    "pair": "the second text of each pair",
    "score": "the number",
    "words": "the words",
    "tags": "their tags",
    "image": "the image or its path",
    "audio": "the path of the recording",
}
"""Contents of a column of the table, by the task's keyword."""
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
        {"data": "table with texts and their labels"},
        ("torch", "torch-int8", "onnx-fused-int8", "openvino"),
        batch=8,
        columns=("text", "label"),
        more_columns=("pair",),
        architectures="ForSequenceClassification",
        graph=("input_ids", "logits"),
    ),
    "regression": TaskTemplate(
        "TextRegression",
        {"data": "table with texts and a number for each"},
        ("torch", "torch-int8", "onnx-fused-int8", "openvino"),
        batch=8,
        columns=("text", "score"),
        more_columns=("pair",),
    ),
    "tokens": TaskTemplate(
        "TokenClassification",
        {"data": "JSON, JSON Lines or Parquet file with lists of words and of their tags"},
        ("torch", "torch-int8", "onnx-fused-int8", "openvino"),
        batch=8,
        columns=("words", "tags"),
        architectures="ForTokenClassification",
    ),
    "embedding": TaskTemplate(
        "Embedding",
        {"data": "table with texts"},
        ("torch", "torch-int8"),
        batch=8,
        columns=("text",),
        marker="modules.json",
        graph=("input_ids", "last_hidden_state"),
    ),
    "vision": TaskTemplate(
        "ImageClassification",
        {"data": "folder with a subfolder of images for each class, or a table with images"},
        ("torch", "onnx", "openvino", "openvino-int8"),
        columns=("image", "label"),
        other_data={"images": "IDX file of images", "labels": "IDX file of their labels"},
        architectures="ForImageClassification",
        graph=("pixel_values", "logits"),
    ),
    "speech": TaskTemplate(
        "SpeechRecognition",
        {"data": "table with paths of recordings and their words, or a folder with one"},
        ("torch", "torch-int8", "onnx", "openvino"),
        batch=1,
        columns=("audio", "text"),
        architectures=("ForCTC", "WhisperForConditionalGeneration"),
        graph=("input_values", "logits"),
    ),
    "custom": TaskTemplate(
        "Custom",
        {"data": "package.module:function that returns inputs and references"},
        ("function",),
        batch=8,
        settings={"metrics": ["accuracy"]},
    ),
}
"""Tasks by their name in `--task`; the first one that fits a model is used."""
