"""llama.cpp backend, for GGUF files and for models that are converted to GGUF."""

from __future__ import annotations

import json
import shutil
from dataclasses import KW_ONLY, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from pytest_infperf.artifacts.models import find_file
from pytest_infperf.backends import decoding, llama_cpp_convert, llama_cpp_file
from pytest_infperf.backends.llama_cpp_generate import LlamaCppContinue
from pytest_infperf.backends.stop_texts import StopTexts
from pytest_infperf.backends.torch_module import import_modeling, load_torch_module
from pytest_infperf.errors import BuildError, UserError
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.runner import Runner
from pytest_infperf.suite.task import Task
from pytest_infperf.suite.tokenizer import open_tokenizer

Quantization = Literal[
    "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1",
    "q4_0", "q3_k_l", "q3_k_m", "q3_k_s", "q2_k",
]  # fmt: skip
"""Types of weights that need no importance matrix, by llama.cpp's names."""

_MODEL = "model.gguf"
_SETTINGS = "llama_cpp.json"
_TOKENIZER = "tokenizer"


@dataclass(frozen=True)
class LlamaCpp(Backend):
    """llama.cpp on the CPU, for the task `TextGeneration`.

    It runs a GGUF file with the tokenizer and the chat template in it, or a model of transformers
    that is converted and quantised here. Every prompt is computed completely, also one that begins
    like the previous one. The prompts of a batch run one by one. Only the settings of the task are
    applied, and the end tokens of the model. Requires the extra ``pytest-infperf[llama-cpp]``, and
    ``pytest-infperf[llama-cpp,torch]`` to convert a model.

    Parameters
    ----------
    file : str, optional
        A GGUF file that was made elsewhere, such as ``"models/chat-q4_k_m.gguf"``: a path in the
        model's folder or else in the suite's. A file of a hub id is downloaded. No other file of a
        model is needed. None converts the model of transformers, which must be of the type llama,
        mistral, qwen2 or qwen3.
    quantization : str, optional
        The type of the weights of a converted model, by llama.cpp's name: ``"q8_0"``,
        ``"q4_k_m"``, ``"f16"`` and others without an importance matrix. None keeps float32.
    context : int, default 4096
        The maximum length of a prompt with its output, in tokens, but at most that of the model.
        Memory is reserved for it.
    model, id, threads, cpus
        As in `Backend`; the id defaults to ``"llama-cpp"`` with ``-file`` or the quantisation
        appended. With ``threads=None``, llama-cpp-python uses half of the cores for single tokens
        and all for prompts.

    Raises
    ------
    BuildError
        If the task is another one, the model cannot be converted or quantised, or `file` is a part
        of a split model. Raised when the artifact is built.
    UserError
        If a required distribution is not installed; if arguments exclude each other or are
        invalid; if `file` does not exist, cannot be opened or has no tokenizer; or if a prompt
        with its output is longer than the context.

    References
    ----------
    Types of weights: https://github.com/ggml-org/llama.cpp/blob/master/tools/quantize/README.md

    Examples
    --------
    >>> from pytest_infperf import LlamaCpp
    >>> LlamaCpp(quantization="q4_k_m").variant_id
    'llama-cpp-q4_k_m'
    >>> LlamaCpp(file="models/chat-q4_k_m.gguf", id="ours").variant_id
    'ours'
    """

    _: KW_ONLY
    file: str | None = None
    quantization: Quantization | None = None
    context: int = 4096

    requires: ClassVar[tuple[str, ...]] = ("llama-cpp-python",)
    optional: ClassVar[tuple[str, ...]] = ("gguf", "torch", "transformers")
    extra: ClassVar[str | None] = "llama-cpp"

    def __post_init__(self) -> None:
        if self.file and self.quantization:
            raise UserError(
                f"LlamaCpp(file={self.file!r}, quantization={self.quantization!r}): the file runs "
                "with the types that it contains: remove quantization, or name another file"
            )
        if self.quantization not in (None, *get_args(Quantization)):
            raise UserError(
                f"LlamaCpp(quantization={self.quantization!r}): choose one of "
                f"{', '.join(get_args(Quantization))}"
            )
        if self.context < 1:
            raise UserError(f"LlamaCpp(context={self.context}) must be at least 1 token")

    @property
    def default_id(self) -> str:
        kind = "file" if self.file else self.quantization
        return f"llama-cpp-{kind}" if kind else "llama-cpp"

    @property
    def needs_model(self) -> bool:
        return self.file is None

    @property
    def has_tokenizer(self) -> bool:
        return self.file is not None

    def tokenizer(self, model: Path, folder: Path) -> llama_cpp_file.GgufTokenizer:
        assert self.file
        return llama_cpp_file.GgufTokenizer(find_file(self.file, model, folder))

    @property
    def model_files(self) -> tuple[str, ...]:
        return (self.file,) if self.file else ()

    def files(self, model: Path, folder: Path) -> list[Path]:
        return [find_file(self.file, model, folder)] if self.file else []

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        if material.task.auto_class != decoding.CAUSAL:
            raise BuildError(
                f"{self.default_id} continues texts, which is the task TextGeneration, not "
                f"{type(material.task).__name__}: remove the variant"
            )
        if self.file:
            path = find_file(self.file, material.model, material.folder or material.data)
            ends, longest, quantization = _copy(path, folder)
        else:
            ends, longest = self._convert(material, folder)
            quantization = self.quantization or "f32"
        context = min(self.context, longest)
        (folder / _SETTINGS).write_text(json.dumps({"ends": ends, "context": context}))
        return {"quantization": quantization, "context": context}

    def _convert(self, material: Material, folder: Path) -> tuple[list[int], int]:
        """Write the model, and return its end tokens and the context of its training."""
        model = material.model
        missing = [name for name in ("gguf", "torch", "transformers") if find_spec(name) is None]
        if missing:
            raise UserError(
                f"{self.default_id} converts {model.name}, which needs {' and '.join(missing)}: "
                'pip install "pytest-infperf[llama-cpp,torch]", or name a GGUF file with file='
            )
        if import_modeling(model):
            raise BuildError(
                f"LlamaCpp() converts models of transformers, but {model.name} has a modeling.py: "
                'name a GGUF file, LlamaCpp(file="model.gguf")'
            )
        module = load_torch_module(model, decoding.CAUSAL)
        whole = folder / ("float32.gguf" if self.quantization else _MODEL)
        llama_cpp_convert.convert(module, whole)
        if self.quantization:
            llama_cpp_convert.quantize(whole, folder / _MODEL, self.quantization)
            whole.unlink()
        if decoding.STOP in material.task.decoding:
            open_tokenizer(model).save_pretrained(folder / _TOKENIZER)
        end = decoding.of_module(module, {}).get("eos_token_id")
        ends = end if isinstance(end, list) else [] if end is None else [end]
        return ends, module.config.max_position_embeddings

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        path = artifact / _MODEL
        settings = json.loads((artifact / _SETTINGS).read_text())
        llama = llama_cpp_file.opened(
            path, n_ctx=settings["context"], n_threads=threads, n_threads_batch=threads
        )
        stops = None
        if asked := task.decoding.get(decoding.STOP):
            texts = json.loads(str(asked))
            if self.file:
                stops = StopTexts(texts, llama_cpp_file.GgufTokenizer(path, llama).decode)
            else:
                stops = StopTexts.of_folder(texts, artifact / _TOKENIZER)
        return LlamaCppContinue(llama, task.decoding, stops=stops, **settings)


def _copy(path: Path, folder: Path) -> tuple[list[int], int, str]:
    """Copy a file, and return its end tokens, the context of its training and its quantisation."""
    tokenizer = llama_cpp_file.GgufTokenizer(path)
    parts = int(tokenizer.metadata.get("split.count", 1))
    if parts > 1:
        raise BuildError(
            f"{path} is one of {parts} parts of a model: join them with "
            "`llama-gguf-split --merge FIRST_PART WHOLE`"
        )
    shutil.copy(path, folder / _MODEL)
    quantization = llama_cpp_file.quantization_of(tokenizer.metadata)
    return tokenizer.ends, tokenizer.model_max_length, quantization
