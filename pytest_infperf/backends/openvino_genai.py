"""OpenVINO GenAI backend, for causal language models."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from importlib.metadata import PackageNotFoundError, version
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Literal

from pytest_infperf.backends import causal, converted, decoding
from pytest_infperf.backends.openvino import without_telemetry
from pytest_infperf.errors import BuildError, UserError
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.runner import Receive, Runner
from pytest_infperf.suite.task import Decoding, Task

_MODEL = "openvino_model.xml"
_TOKENIZER = "openvino_tokenizer.xml"
_SETTINGS = "decoding.json"
_FOLLOWED = ("min_new_tokens", "repetition_penalty", "do_sample", *decoding.SAMPLING)
_CONVERTER = "optimum-cli export openvino --task text-generation-with-past"
_TYPES = {"fp32": ("f32",), "int8": ("i8", "u8"), "int4": ("i4", "u4")}
"""OpenVINO's names of the types of weights, by precision."""


@dataclass(frozen=True)
class OpenVinoGenAI(Backend):
    """OpenVINO GenAI on the CPU, for causal language models.

    Building converts a model of transformers with optimum-intel, which must be installed for it, or
    copies `folder`. The evidence counts the weights of each type. The runtime decodes greedily or
    samples, and delivers each token as soon as it exists. Activations are float32, also on CPUs
    with bfloat16 as default. Prefix caching is off, because queries repeat prompts. OpenVINO's
    usage reports are turned off. Requires the extra ``pytest-infperf[openvino-genai]``.

    The decoding follows `min_new_tokens`, `repetition_penalty`, sampling with `temperature`,
    `top_k` and `top_p`, and stop texts. A model whose generation_config.json has another setting
    with an effect is refused.

    Parameters
    ----------
    precision : {"fp32", "int8", "int4"}, default "fp32"
        Type to which the weights are converted, as `--weight-format` of optimum-intel.
    folder : str, optional
        A model that was converted elsewhere, such as ``"export/openvino"``: a folder with
        ``openvino_model.xml`` and ``openvino_tokenizer.xml``, in the model's folder or else in the
        suite's. The model's folder must contain the tokenizer and the configuration of the same
        model. By default, the model is converted.
    model, id, threads, cpus
        As in `Backend`; the id defaults to ``"openvino-genai"`` with ``-folder``, ``-int8`` or
        ``-int4`` appended. With ``threads=None``, the runtime uses the physical cores.

    Raises
    ------
    BuildError
        If the task is not one of causal language models, optimum-intel cannot convert the model or
        quantises no weights, or a setting of decoding is not followed. Raised when the artifact is
        built.
    UserError
        If a required distribution is not installed, including optimum-intel without `folder`;
        `folder` does not exist or has no model; or `precision` is unknown or given with `folder`.

    References
    ----------
    https://openvinotoolkit.github.io/openvino.genai/

    Examples
    --------
    >>> from pytest_infperf import OpenVinoGenAI
    >>> OpenVinoGenAI(precision="int4").variant_id
    'openvino-genai-int4'
    """

    _: KW_ONLY
    precision: Literal["fp32", "int8", "int4"] = "fp32"
    folder: str | None = None

    requires: ClassVar[tuple[str, ...]] = ("openvino-genai", "openvino", "transformers")
    optional: ClassVar[tuple[str, ...]] = ("optimum-intel", "nncf")
    extra: ClassVar[str | None] = "openvino-genai"

    def __post_init__(self) -> None:
        if self.precision not in _TYPES:
            raise UserError(
                f"OpenVinoGenAI(precision={self.precision!r}): choose one of {list(_TYPES)}"
            )
        if self.folder and self.precision != "fp32":
            raise UserError(
                f"OpenVinoGenAI(folder={self.folder!r}, precision={self.precision!r}): the folder "
                "runs in the precision to which it was converted: remove precision"
            )

    @property
    def default_id(self) -> str:
        kind = f"-{self.precision}" if self.precision != "fp32" else ""
        return "openvino-genai" + ("-folder" if self.folder else kind)

    def files(self, model: Path, folder: Path) -> list[Path]:
        return converted.files(self._find(self.folder, model, folder)) if self.folder else []

    @staticmethod
    def _find(name: str, model: Path, folder: Path) -> Path:
        remedy = f"write one with `{_CONVERTER} --model MODEL FOLDER`"
        needs = [_MODEL, _TOKENIZER]
        return converted.find("OpenVinoGenAI", name, model, folder, needs=needs, remedy=remedy)

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        causal.require_causal(material, "OpenVinoGenAI")
        settings = causal.settings_of(
            material.model,
            material.task.decoding,
            (*_FOLLOWED, decoding.SEED, decoding.STOP),
            "OpenVINO GenAI",
        )
        if self.folder:
            suite = material.folder or material.data
            converted.copy(self._find(self.folder, material.model, suite), folder)
        else:
            self._convert(material.model, folder)
        document = {"decoding": dict(settings.decoding), "ends": list(settings.ends)}
        (folder / _SETTINGS).write_text(json.dumps(document))
        weights = _weights(folder)
        if not self.folder and not any(weights.get(kind) for kind in _TYPES[self.precision]):
            raise BuildError(
                f"optimum-intel converted no weights of {material.model.name} to "
                f"{self.precision}: remove precision"
            )
        return {"weights": weights}

    def _convert(self, model: Path, folder: Path) -> None:
        try:
            version("optimum-intel")
        except PackageNotFoundError:
            raise UserError(
                f"OpenVinoGenAI() converts {model.name} with optimum-intel, which is not "
                f"installed: convert it in another environment with `{_CONVERTER} --model MODEL "
                "FOLDER`, and name the result with folder=..."
            ) from None
        with without_telemetry():
            reason = converted.convert(
                "optimum.commands.optimum_cli", "export", "openvino", "--model", str(model),
                "--task", "text-generation-with-past", "--weight-format", self.precision,
                str(folder),
            )  # fmt: skip
        if reason:
            raise BuildError(
                f"optimum-intel cannot convert {model.name} to {self.precision}: {reason}. Use "
                "Onnx() or Torch()"
            )

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        document = json.loads((artifact / _SETTINGS).read_text())
        stop = json.loads(str(task.decoding.get(decoding.STOP, "[]")))
        return OpenVinoContinue(artifact, document["decoding"], document["ends"], stop, threads)


def _weights(folder: Path) -> dict[str, int]:
    """Return the number of weights of each type."""
    with without_telemetry():
        import openvino
    sizes: Counter[str] = Counter()
    for node in openvino.Core().read_model(folder / _MODEL).get_ops():
        shape: Any = node.get_output_shape(0) if node.get_type_name() == "Constant" else []
        if len(shape) > 1:
            sizes[node.get_output_element_type(0).get_type_name()] += prod(shape)
    return dict(sizes)


class OpenVinoContinue:
    """Runner from prompts to prompts with their continuation.

    Results are token ids: the prompt and the generated tokens.
    """

    def __init__(
        self,
        artifact: Path,
        settings: Decoding,
        ends: Sequence[int],
        stop: Sequence[str],
        threads: int | None,
    ) -> None:
        with without_telemetry():
            import openvino_genai
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.max_num_batched_tokens = sys.maxsize  # a prompt is read in one piece
        scheduler.enable_prefix_caching = False
        self.decoding = settings
        self.threads = threads or _physical_cores()
        self._config = _generation_config(settings, ends, stop)
        self._pipeline = openvino_genai.LLMPipeline(
            str(artifact),
            "CPU",
            scheduler_config=scheduler,
            PERFORMANCE_HINT="LATENCY",
            INFERENCE_PRECISION_HINT="f32",
            INFERENCE_NUM_THREADS=self.threads,
        )

    def infer(self, features: Sequence[Sequence[int]]) -> list[list[int]]:
        return self._generate(features)

    def stream(self, features: Sequence[Sequence[int]], receive: Receive) -> list[list[int]]:
        return self._generate(features, _streamer(receive))

    def _generate(self, prompts: Sequence[Sequence[int]], *streamer: Any) -> list[list[int]]:
        import numpy as np
        import openvino
        import openvino_genai

        shape = (len(prompts), max(map(len, prompts)))
        tokens, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, prompt in enumerate(prompts):
            tokens[row, -len(prompt) :] = prompt
            mask[row, -len(prompt) :] = 1
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(tokens), openvino.Tensor(mask))
        outputs = self._pipeline.generate(inputs, self._config, *streamer).tokens
        return [[*prompt, *output] for prompt, output in zip(prompts, outputs, strict=True)]


def _streamer(receive: Receive) -> Any:
    import openvino_genai

    class Streamer(openvino_genai.StreamerBase):  # type: ignore[misc]
        def write(self, token: int | Sequence[int]) -> Any:
            receive([token] if isinstance(token, int) else token)
            return openvino_genai.StreamingStatus.RUNNING

        def end(self) -> None:
            """Do nothing: each token has been passed on already."""

    return Streamer()


def _generation_config(settings: Decoding, ends: Sequence[int], stop: Sequence[str]) -> Any:
    import openvino_genai

    config = openvino_genai.GenerationConfig()
    config.apply_chat_template = False
    config.max_new_tokens = int(settings["max_new_tokens"])
    config.min_new_tokens = int(settings.get("min_new_tokens", 0))
    config.repetition_penalty = float(settings.get("repetition_penalty", 1.0))
    if ends:
        config.eos_token_id = ends[0]
        config.stop_token_ids = set(ends)
    if stop:
        config.stop_strings = set(stop)
        config.include_stop_str_in_output = True  # the codec removes it
    config.do_sample = bool(settings.get("do_sample", False))
    if config.do_sample:
        config.temperature = float(settings.get("temperature", 1.0))
        config.top_p = float(settings.get("top_p", 1.0))
        if top_k := int(settings.get("top_k", 0)):
            config.top_k = top_k
        config.rng_seed = int(settings.get(decoding.SEED, 0))
    return config


def _physical_cores() -> int:
    import psutil

    return psutil.cpu_count(logical=False) or 1
