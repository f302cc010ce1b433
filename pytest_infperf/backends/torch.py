"""PyTorch backend: float32, bfloat16, float16 or int8, in eager mode or compiled."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pytest_infperf.backends import (
    decoding,
    int8,
    torch_compile,
    torch_int8,
    torch_padding,
    torchao_int8,
    torchao_weights,
)
from pytest_infperf.backends.first_token import first_token
from pytest_infperf.backends.torch_generate import TorchContinue, TorchGenerate
from pytest_infperf.backends.torch_module import (
    copy_code,
    import_modeling,
    import_transformers,
    input_names,
    load_torch_module,
    save_torch_module,
)
from pytest_infperf.backends.torch_speech import TorchTranscribe, writes_speech
from pytest_infperf.errors import BuildError, UserError
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.labels import listed
from pytest_infperf.suite.runner import Runner
from pytest_infperf.suite.task import Task
from pytest_infperf.suite.tokenizer import open_tokenizer

_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
_QUANTIZED = "quantized.pt"
_SCRIPTED = "scripted.pt"


@dataclass(frozen=True)
class Torch(Backend):
    """PyTorch in eager mode or compiled, on the CPU or an NVIDIA GPU.

    The model is opened with the task's Auto class of transformers, or with the `modeling.py` of
    its folder. Text is generated with `generate`; other tasks run one forward pass. Requires the
    extra ``pytest-infperf[torch]``.

    Parameters
    ----------
    int8 : {"dynamic", "static", "weights"} or None, default None
        Quantisation to int8; None keeps `dtype`. "dynamic" quantises the weights of Linear, LSTM
        and GRU layers and computes the ranges of activations at run time. "static" also quantises
        convolutions, with ranges that are calibrated on the task's `calibration` (FX graph mode).
        Both are for float32 models. "weights" quantises the weights of Linear layers with torchao;
        activations keep `dtype`. All of them run on the CPU.
    int4 : {"weights"} or None, default None
        Quantisation of the weights of Linear layers to 4 bits with torchao, on the CPU.
        Activations keep `dtype`. Layers whose sizes torch's kernel does not support are left out;
        the evidence counts them.
    group_size : {32, 64, 128}, optional
        Number of weights with a common scale for `int4`; None uses 32.
    quantizer : {"torch", "torchao"}, default "torch"
        Library of ``int8="dynamic"``. "torchao" quantises Linear layers, with a scale per channel
        of the weights and per token of the activations. It requires ``pytest-infperf[torchao]``.
        Use it with ``compile=True``: in eager mode, each arithmetic step is a separate call.
    dtype : {"float32", "bfloat16", "float16"}, default "float32"
        Type of weights and activations.
    compile : bool, default False
        Whether `torch.compile` compiles the forward pass, for one-pass models only. The variant is
        compiled while it is loaded, for queries of any batch and length. A query that requires
        recompilation is an error. The evidence counts the compiled graphs and the graph breaks.
        Requires a C++ compiler.
    device : {"cpu", "cuda"}, default "cpu"
        Device that runs the model. "cuda" requires a CUDA build of torch; its tests are skipped on
        hosts without an NVIDIA driver.
    model, id, threads, cpus, python
        As in `Backend`; the id defaults to ``"torch"`` or ``"cuda"`` with ``-compile``,
        ``-torchao``, ``-int8``, ``-int8-weights``, ``-int4``, ``-bf16`` and ``-fp16`` appended.
        With ``threads=None``, torch chooses the number of threads.

    Raises
    ------
    BuildError
        If the model folder has no `modeling.py` and its task has no Auto class, `int8` or `int4`
        finds no layer to quantise, `int8` is "static" and the task generates text, the CPU lacks an
        operator of the model in `dtype`, or the model generates text or cannot be compiled
        with `compile`. Raised when the artifact is built.
    UserError
        If a required distribution or a C++ compiler is not installed, or if arguments exclude each
        other, such as `int8` and ``dtype="bfloat16"``.

    References
    ----------
    Quantisation: https://docs.pytorch.org/docs/stable/quantization.html,
    https://docs.pytorch.org/ao/stable/
    Compilation: https://docs.pytorch.org/docs/stable/generated/torch.compile.html

    Examples
    --------
    >>> from pytest_infperf import Torch
    >>> Torch(int8="dynamic").variant_id
    'torch-int8'
    >>> Torch(device="cuda", dtype="bfloat16").variant_id
    'cuda-bf16'
    """

    _: KW_ONLY
    int8: Literal["dynamic", "static", "weights"] | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    device: Literal["cpu", "cuda"] = "cpu"
    compile: bool = False
    quantizer: Literal["torch", "torchao"] = "torch"
    int4: Literal["weights"] | None = None
    group_size: Literal[32, 64, 128] | None = None

    requires: ClassVar[tuple[str, ...]] = ("torch", "transformers", "sentencepiece")
    optional: ClassVar[tuple[str, ...]] = ("torchao",)
    extra: ClassVar[str | None] = "torch"

    def __post_init__(self) -> None:
        ao = self.quantizer == "torchao"
        if self.dtype not in _DTYPE_SUFFIXES:
            raise UserError(f"Torch(dtype={self.dtype!r}): choose one of {list(_DTYPE_SUFFIXES)}")
        if self.int4 and self.int8:
            raise UserError(f"Torch(int4={self.int4!r}, int8={self.int8!r}): set one of them")
        if self._weights_only and self.device != "cpu":
            raise UserError(f"Torch quantises weights on the CPU: remove device={self.device!r}")
        if self.group_size and not self.int4:
            raise UserError(f"Torch(group_size={self.group_size}) is a setting of int4")
        if self.group_size not in (None, *torchao_weights.GROUP_SIZES):
            raise UserError(
                f"Torch(group_size={self.group_size!r}): choose one of "
                f"{list(torchao_weights.GROUP_SIZES)}"
            )
        activations = self.int8 and not self._weights_only
        if activations and (self.dtype != "float32" or self.device != "cpu"):
            raise UserError(
                f"Torch(int8={self.int8!r}) quantises a float32 model on the CPU: remove int8, or "
                f"dtype={self.dtype!r} and device={self.device!r}"
            )
        if ao and self.int8 != "dynamic":
            raise UserError('Torch(quantizer="torchao") requires int8="dynamic"')
        if self.compile and activations and not ao:
            raise UserError(
                f"Torch(int8={self.int8!r}, compile=True): torch.compile does not compile torch's "
                'int8 layers; set int8="dynamic", quantizer="torchao"'
            )

    @property
    def _weights_only(self) -> bool:
        return self.int8 == "weights" or self.int4 is not None

    @property
    def default_id(self) -> str:
        suffixes = {
            "-compile": self.compile,
            "-torchao": self.quantizer == "torchao",
            "-int8": self.int8,
            "-weights": self.int8 == "weights",
            "-int4": self.int4,
            _DTYPE_SUFFIXES[self.dtype]: True,
        }
        name = "torch" if self.device == "cpu" else self.device
        return name + "".join(suffix for suffix, chosen in suffixes.items() if chosen)

    @property
    def calibrates(self) -> bool:
        return self.int8 == "static" or self.compile

    @property
    def leaves_no_trace(self) -> bool:
        uses_torchao = self.quantizer == "torchao" or self._weights_only
        return not self.compile and not uses_torchao and self.int8 != "static"

    def missing_hardware(self) -> str:
        if self.device == "cuda" and not _NVIDIA_DRIVER.exists():
            return "this host has no GPU with an NVIDIA driver"
        return ""

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        if self.compile and material.task.generates:
            raise BuildError(
                "Torch(compile=True) is for one-pass models, but this task generates text in steps "
                "of different sizes: remove compile=True"
            )
        evidence = self._write(material, folder)
        if decoding.STOP in material.task.decoding:
            open_tokenizer(material.model).save_pretrained(folder)
        if self.compile:
            torch_compile.write_examples(material, folder)
            runner = self._runner(folder, material.task, None)
            evidence |= torch_compile.compile_now(runner, torch_compile.read_examples(folder))
        elif self.dtype == "float16" and self.device == "cpu":
            self._try(material, folder)
        return evidence

    def _try(self, material: Material, folder: Path) -> None:
        """Run one sample, because not every operator is implemented in float16 on CPUs."""
        sample = material.task.samples(material.data).inputs[0]
        features = material.codec().encode([sample])
        try:
            self._runner(folder, material.task, None).infer(features)
        except RuntimeError as error:
            raise BuildError(
                f"torch cannot run {material.model.name} in {self.dtype} on the CPU: {error}. Use "
                'dtype="bfloat16"'
            ) from error

    def _write(self, material: Material, folder: Path) -> dict[str, Any]:
        import torch

        if self.int8 == "static" and material.task.generates:
            raise BuildError(
                f'int8="static" is for one-pass models, but {material.model.name} generates token '
                'by token: use int8="dynamic"'
            )
        module = load_torch_module(material.model, material.task.auto_class, self.dtype)
        if (first := first_token(material)) is not None:
            module.generation_config.forced_bos_token_id = first
        if not self.int8 and not self.int4:
            save_torch_module(module, material.model, folder)
            return self._padding(module, material.task, folder)
        if self.int8 == "static":
            scripted, evidence = torch_int8.quantize_statically(module, material)
            scripted.save(folder / _SCRIPTED)
            return evidence
        quantized, evidence = self._quantized(module)
        copy_code(material.model, folder)
        torch.save(quantized, folder / _QUANTIZED)
        return {**evidence, **self._padding(quantized, material.task, folder)}

    def _quantized(self, module: Any) -> torch_int8.Quantized:
        if self._weights_only:
            group_size = self.group_size or torchao_weights.GROUP_SIZES[0]
            return torchao_weights.quantize(module, group_size if self.int4 else None)
        if self.quantizer == "torchao":
            return torchao_int8.quantize(module)
        return torch_int8.quantize_dynamically(module)

    @staticmethod
    def _padding(module: Any, task: Task, folder: Path) -> dict[str, Any]:
        return torch_padding.choose_padding(module, folder) if task.generates else {}

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        runner = self._runner(artifact, task, threads)
        if not self.compile:
            return runner
        torch_compile.compile_now(runner, torch_compile.read_examples(artifact))
        return torch_compile.Compiled(runner)

    def _runner(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        module = self._load_module(artifact, task)
        module.to(self.device)
        if self.compile:
            torch_compile.compile_forward(module)
        threads = torch.get_num_threads()
        if not task.generates:
            return TorchForward(module, task, threads, self.device)
        if writes_speech(module):
            return TorchTranscribe(module, task.decoding, threads, self.device)
        if torch_padding.has_no_encoder(module.config):
            stops = decoding.STOP in task.decoding
            return TorchContinue(
                module,
                task.decoding,
                threads,
                self.device,
                pads_left=torch_padding.pads_left(artifact),
                tokenizer=open_tokenizer(artifact) if stops else None,
            )
        return TorchGenerate(module, task.decoding, threads, self.device)

    def _load_module(self, artifact: Path, task: Task) -> Any:
        import torch

        if not self.int8 and not self.int4:
            return load_torch_module(artifact, task.auto_class, self.dtype)
        with warnings.catch_warnings():
            # torch warns that torchao replaces its int8.
            warnings.simplefilter("ignore")
            if self.int8 == "static":
                load: Any = torch.jit.load
                return load(artifact / _SCRIPTED)
            if not import_modeling(artifact):
                import_transformers()
            # The file comes from the artifact cache; weights_only cannot load a whole module.
            return torch.load(artifact / _QUANTIZED, weights_only=False)

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        if self._weights_only:
            return torchao_weights.doubts(evidence)
        if not self.int8:
            return []
        eager = self.quantizer == "torchao" and not self.compile
        return [*int8.doubts(), *int8.module_doubts(evidence), *([int8.NOT_COMPILED] * eager)]


_DTYPE_SUFFIXES = {"float32": "", "bfloat16": "-bf16", "float16": "-fp16"}


class TorchForward:
    """Runner of one forward pass: maps arrays by name to an array.

    Copying the result to the host waits for the device, so the time of a query on a GPU includes
    all of its work.
    """

    def __init__(self, module: Any, task: Task, threads: int, device: str) -> None:
        self._module = module
        self._answer = task.answer
        self.decoding = task.decoding
        self.threads = threads
        self._device = device
        self._inputs = input_names(module)
        parameters = [p.dtype for p in module.parameters() if p.is_floating_point()]
        self._dtype = parameters[0] if parameters else None

    def infer(self, features: Mapping[str, Any]) -> Any:
        import torch

        tensors = {name: self._tensor(features[name]) for name in self._inputs if name in features}
        if not tensors:
            raise UserError(
                f"the forward of the model has the parameters {listed(sorted(self._inputs))}, but "
                f"the task has the features {listed([*features])}: use the same names"
            )
        with torch.inference_mode():
            answer = self._module(**tensors)
        return getattr(answer, self._answer, answer).float().cpu().numpy()

    def _tensor(self, values: Any) -> Any:
        import torch

        tensor = torch.from_numpy(values).to(self._device)
        if self._dtype is not None and tensor.is_floating_point():
            return tensor.to(self._dtype)
        return tensor
