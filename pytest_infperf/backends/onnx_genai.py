"""ONNX Runtime GenAI backend, for causal language models."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pytest_infperf.backends import causal, converted, decoding, int8
from pytest_infperf.backends.stop_texts import StopTexts
from pytest_infperf.errors import BuildError, UserError
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.runner import Receive, Runner
from pytest_infperf.suite.task import Decoding, Task
from pytest_infperf.suite.tokenizer import open_tokenizer

_CONFIG = "genai_config.json"
_SETTINGS = "decoding.json"
_FOLLOWED = ("min_new_tokens", "repetition_penalty", "do_sample", *decoding.SAMPLING)
_NO_TOKEN = -1
"""Padding, which no prompt contains. In a batch, the runtime ignores tokens at the end of a prompt
that are equal to the padding token, which is often the end token."""
_BUILDER = "onnxruntime_genai.models.builder"


@dataclass(frozen=True)
class OnnxGenAI(Backend):
    """ONNX Runtime GenAI on the CPU, for causal language models.

    Building converts a model of transformers with the model builder of onnxruntime-genai, which
    knows the usual architectures, such as Llama, Qwen, Gemma and Phi. The graph has fused
    operators, which the evidence counts. The runtime decodes greedily or samples, and delivers
    each token as soon as it exists. Prompts of a batch are padded on the right. Requires the extra
    ``pytest-infperf[onnxruntime-genai]``.

    The decoding follows `min_new_tokens`, `repetition_penalty`, sampling with `temperature`,
    `top_k` and `top_p`, and stop texts. A model whose generation_config.json has another setting
    with an effect is refused. With `repetition_penalty`, the prompts of a batch run one by one.

    Parameters
    ----------
    precision : {"fp32", "int8", "int4"}, default "fp32"
        Type of the weights. With "int8" and "int4", matrices are quantised in blocks of weights
        with one scale each; the other tensors are float32.
    folder : str, optional
        A model that was converted elsewhere, such as ``"export/genai"``: a folder with
        ``genai_config.json``, in the model's folder or else in the suite's. The model's folder must
        contain the tokenizer and the configuration of the same model. By default, the model is
        converted.
    model, id, threads, cpus
        As in `Backend`; the id defaults to ``"onnx-genai"`` with ``-folder``, ``-int8`` or
        ``-int4`` appended. With ``threads=None``, the runtime uses half of the logical cores, at
        most 16.

    Raises
    ------
    BuildError
        If the task is not one of causal language models, the model builder cannot convert the
        model or quantises no operator, `folder` is not a conversion of the model, or a setting of
        decoding is not followed. Raised when the artifact is built.
    UserError
        If a required distribution is not installed, `folder` does not exist or has no model, or
        `precision` is unknown or given with `folder`.

    References
    ----------
    Model builder: https://onnxruntime.ai/docs/genai/howto/build-model.html

    Examples
    --------
    >>> from pytest_infperf import OnnxGenAI
    >>> OnnxGenAI(precision="int4").variant_id
    'onnx-genai-int4'
    """

    _: KW_ONLY
    precision: Literal["fp32", "int8", "int4"] = "fp32"
    folder: str | None = None

    requires: ClassVar[tuple[str, ...]] = (
        "onnxruntime-genai", "onnxruntime", "onnx", "onnx-ir", "torch", "transformers",
    )  # fmt: skip
    extra: ClassVar[str | None] = "onnxruntime-genai"

    def __post_init__(self) -> None:
        if self.precision not in _BITS:
            raise UserError(f"OnnxGenAI(precision={self.precision!r}): choose one of {list(_BITS)}")
        if self.folder and self.precision != "fp32":
            raise UserError(
                f"OnnxGenAI(folder={self.folder!r}, precision={self.precision!r}): the folder runs "
                "in the precision to which it was converted: remove precision"
            )

    @property
    def default_id(self) -> str:
        kind = f"-{self.precision}" if self.precision != "fp32" else ""
        return "onnx-genai" + ("-folder" if self.folder else kind)

    def files(self, model: Path, folder: Path) -> list[Path]:
        return converted.files(self._find(self.folder, model, folder)) if self.folder else []

    @staticmethod
    def _find(name: str, model: Path, folder: Path) -> Path:
        return converted.find(
            "OnnxGenAI",
            name,
            model,
            folder,
            needs=[_CONFIG],
            remedy=f"write one with `python -m {_BUILDER} -i MODEL -o FOLDER -p int4 -e cpu`",
        )

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        causal.require_causal(material, "OnnxGenAI")
        settings = causal.settings_of(
            material.model,
            material.task.decoding,
            (*_FOLLOWED, decoding.SEED, decoding.STOP),
            "ONNX Runtime GenAI",
        )
        if self.folder:
            suite = material.folder or material.data
            converted.copy(self._find(self.folder, material.model, suite), folder)
        else:
            self._convert(material.model, folder)
        (folder / _SETTINGS).write_text(json.dumps(dict(settings.decoding)))
        if decoding.STOP in settings.decoding:
            open_tokenizer(material.model).save_pretrained(folder)
        config = _adapt(folder, settings, material.model)
        evidence = _evidence(folder / config["model"]["decoder"]["filename"])
        bits = evidence.get("quantization", {}).get("bits")
        if not self.folder and bits != _BITS[self.precision]:
            raise BuildError(
                f"the model builder quantised no operator of {material.model.name} to "
                f"{self.precision}: remove precision"
            )
        return {**evidence, "padding": _padding(settings.decoding)}

    def _convert(self, model: Path, folder: Path) -> None:
        reason = converted.convert(
            _BUILDER, "-i", str(model), "-o", str(folder), "-e", "cpu", "-p", self.precision,
            "-c", str(folder / "cache"), "--extra_options", "hf_token=false",
        )  # fmt: skip
        shutil.rmtree(folder / "cache", ignore_errors=True)
        if reason:
            remedy = "use Onnx() or Torch()"
            if "from 'transformers'" in reason:
                remedy = (
                    "install transformers 5, or convert the model in another environment and name "
                    "the result with folder=..."
                )
            raise BuildError(
                f"the model builder of onnxruntime-genai cannot convert {model.name} to "
                f"{self.precision}: {reason}; {remedy}"
            )

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        settings = json.loads((artifact / _SETTINGS).read_text())
        stop = None
        if texts := task.decoding.get(decoding.STOP):
            stop = StopTexts.of_folder(json.loads(str(texts)), artifact)
        return GenAIContinue(artifact, settings, threads, stop)

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        return int8.doubts() if evidence.get("quantization") else []


def _padding(settings: Decoding) -> str:
    """Return how the prompts of a batch are padded, for the evidence."""
    if _penalises(settings):
        return "none: the prompts of a batch run one by one, because of repetition_penalty"
    return "right"


def _penalises(settings: Decoding) -> bool:
    """Return whether tokens of the prompt are penalised; the runtime would include padding."""
    return settings.get("repetition_penalty", 1.0) != 1.0


_BITS: Mapping[str, list[int] | None] = {"fp32": None, "int8": [8], "int4": [4]}


def _adapt(folder: Path, settings: causal.Settings, model: Path) -> dict[str, Any]:
    """Set the end tokens and the padding of a converted model, and return its configuration.

    Raises BuildError if it is not a conversion of the model.
    """
    path = folder / _CONFIG
    config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    found = config["model"]["vocab_size"]
    expected = json.loads((model / "config.json").read_text("utf-8")).get("vocab_size", found)
    if found != expected:
        raise BuildError(
            f"{path} has a vocabulary of {found} tokens and {model.name} one of {expected}: "
            "convert this model, or name the one that was converted in model="
        )
    if settings.ends:
        config["model"]["eos_token_id"] = list(settings.ends)
    elif isinstance(config["model"]["eos_token_id"], int):
        config["model"]["eos_token_id"] = [config["model"]["eos_token_id"]]
    config["model"]["pad_token_id"] = _NO_TOKEN
    path.write_text(json.dumps(config), "utf-8")
    return config


def _evidence(graph: Path) -> dict[str, Any]:
    """Return the counts of fused and quantised operators of a graph."""
    import onnx

    nodes = onnx.load(graph, load_external_data=False).graph.node
    counts = Counter(node.op_type for node in nodes if node.domain == "com.microsoft")
    quantized = {name: counts.pop(name) for name in _QUANTIZED if name in counts}
    evidence: dict[str, Any] = {"fused_operators": dict(counts)}
    if quantized:
        bits = {
            attribute.i
            for node in nodes
            if node.op_type in _QUANTIZED
            for attribute in node.attribute
            if attribute.name == "bits"
        }
        evidence["quantization"] = {
            "method": "weights in blocks",
            "bits": sorted(bits),
            "operators": quantized,
        }
    return evidence


_QUANTIZED = ("MatMulNBits", "GatherBlockQuantized")


class GenAIContinue:
    """Runner from prompts to prompts with their continuation.

    Results are token ids: the prompt and the generated tokens.
    """

    def __init__(
        self,
        artifact: Path,
        settings: Decoding,
        threads: int | None,
        stop: StopTexts | None,
    ) -> None:
        import onnxruntime_genai

        config = onnxruntime_genai.Config(str(artifact))
        config.clear_providers()  # a folder that was made elsewhere can name a GPU
        if threads is not None:
            options = {"session_options": {"intra_op_num_threads": threads}}
            config.overlay(json.dumps({"model": {"decoder": options}}))
        self._model = onnxruntime_genai.Model(config)
        self.decoding = settings
        self.threads = threads or _default_threads()
        self._stop = stop
        self._ends = frozenset(_read(artifact)["model"]["eos_token_id"])
        self._longest = int(settings["max_new_tokens"])
        self._shortest = int(settings.get("min_new_tokens", 0))
        self._options = _search_options(settings)

    def infer(self, features: Sequence[Sequence[int]]) -> list[list[int]]:
        return [row for rows in self._batches(features) for row in self._generate(rows, None)]

    def stream(self, features: Sequence[Sequence[int]], receive: Receive) -> list[list[int]]:
        return self._generate(features, receive)

    def _batches(self, prompts: Sequence[Sequence[int]]) -> list[Sequence[Sequence[int]]]:
        return [[prompt] for prompt in prompts] if _penalises(self.decoding) else [prompts]

    def _generate(
        self, prompts: Sequence[Sequence[int]], receive: Receive | None
    ) -> list[list[int]]:
        longest = max(map(len, prompts))
        generator = self._generator(
            prompts,
            max_length=longest + self._longest,
            min_length=longest + self._shortest,
            **self._options,
        )
        results = [[*prompt] for prompt in prompts]
        unfinished = list(range(len(prompts)))
        while unfinished and not generator.is_done():
            generator.generate_next_token()
            tokens = generator.get_next_tokens().tolist()
            if receive:
                receive(tokens[:1])
            for row in unfinished:
                results[row].append(tokens[row])
            unfinished = [
                row
                for row in unfinished
                if not self._is_finished(results[row][len(prompts[row]) :])
            ]
        return results

    def _generator(self, prompts: Sequence[Sequence[int]], **options: Any) -> Any:
        """Return a generator that has read prompts, padded on the right."""
        import numpy as np
        import onnxruntime_genai

        params = onnxruntime_genai.GeneratorParams(self._model)
        params.set_search_options(batch_size=len(prompts), num_beams=1, **options)
        generator = onnxruntime_genai.Generator(self._model, params)
        tokens = np.full((len(prompts), max(map(len, prompts))), _NO_TOKEN, dtype=np.int32)
        for row, prompt in zip(tokens, prompts, strict=True):
            row[: len(prompt)] = prompt
        generator.append_tokens(tokens)
        return generator

    def _is_finished(self, tokens: Sequence[int]) -> bool:
        return tokens[-1] in self._ends or (self._stop is not None and self._stop.end(tokens))

    def log_probabilities(self, sequences: Sequence[Sequence[int]]) -> list[Any]:
        """Return the natural logarithms of the next-token probabilities after each token.

        Parameters
        ----------
        sequences : sequence of sequence of int
            Token ids.

        Returns
        -------
        list of ndarray
            One float32 array per sequence, shape [tokens, vocabulary]. A row is the distribution
            after the token with its index.

        Raises
        ------
        UserError
            If the graph returns the logits of the last token only.
        """
        from scipy.special import log_softmax

        arrays = []
        for sequence in sequences:
            generator = self._generator([sequence], max_length=len(sequence), do_sample=False)
            [logits] = generator.get_output("logits")
            if len(logits) != len(sequence):
                raise UserError(
                    "the graph returns the logits of the last token only: convert the model "
                    "without the option prune_lm_head"
                )
            arrays.append(log_softmax(logits.astype("float32"), axis=-1))
        return arrays


def _read(artifact: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((artifact / _CONFIG).read_text("utf-8"))
    return config


def _search_options(settings: Decoding) -> dict[str, Any]:
    """Return the settings as search options of the runtime, without lengths."""
    options: dict[str, Any] = {
        "do_sample": bool(settings.get("do_sample", False)),
        "repetition_penalty": float(settings.get("repetition_penalty", 1.0)),
    }
    if options["do_sample"]:
        options["temperature"] = float(settings.get("temperature", 1.0))
        options["top_k"] = int(settings.get("top_k", 0))
        options["top_p"] = float(settings.get("top_p", 1.0))
        options["random_seed"] = int(settings.get(decoding.SEED, 0))
    return options


def _default_threads() -> int:
    """Return the runtime's default of `intra_op_num_threads`."""
    import os

    return min(16, max(1, (os.cpu_count() or 1) // 2))
