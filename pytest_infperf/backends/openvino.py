"""OpenVINO backend, in float32 or with NNCF's post-training quantisation."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from pytest_infperf.artifacts.models import find_file
from pytest_infperf.backends import int8, onepass, onnx_file
from pytest_infperf.backends.binding import Binding, Tensor, bind_opened
from pytest_infperf.backends.onnx import OnnxExport
from pytest_infperf.errors import BuildError, UserError, first_line
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.runner import Runner
from pytest_infperf.suite.task import Decoding, Task

_MODEL = "model.xml"
_ENVIRONMENT_LOCK = Lock()


@dataclass(frozen=True)
class OpenVino(Backend):
    """OpenVINO on the CPU, in float32 or int8, for one-pass models.

    Building converts the float32 ONNX export of the model, or `file`, to OpenVINO's format. Loading
    compiles it with the performance hint LATENCY. Without `int8`, the model runs in float32, also
    on CPUs with bfloat16 as default. OpenVINO's usage reports are turned off. Requires the extra
    ``pytest-infperf[openvino]``.

    Parameters
    ----------
    file : str, optional
        A graph that was exported elsewhere: ``model.xml`` with its ``model.bin``, or an ONNX graph.
        It is found and matched with the task as in `Onnx`. None exports the model.
    output : str, optional
        The output of `file` with the results. None means the only output, or the usual one of the
        task, such as `logits`.
    int8 : bool, default False
        Whether weights and activations are quantised to int8 by NNCF: channel alignment, ranges by
        minimum and maximum and fast bias correction, calibrated on the task's `calibration`.
    model, id, threads, cpus
        As in `Backend`; the id defaults to ``"openvino"`` with ``-file`` and ``-int8`` appended.
        With ``threads=None``, OpenVINO chooses the number of threads.

    Raises
    ------
    BuildError
        If the task generates text, OpenVINO cannot open `file`, its inputs do not match the task's
        features or have a fixed size, or its output is unknown. Raised when the artifact is built.
    UserError
        If a required distribution is not installed, including nncf for `int8`; if `file` does not
        exist or has a different format; or if `output` is given without `file`.

    References
    ----------
    "Basic Quantization Flow" in OpenVINO's documentation,
    https://docs.openvino.ai/2025/openvino-workflow/model-optimization-guide/quantizing-models-post-training/basic-quantization-flow.html

    Examples
    --------
    >>> from pytest_infperf import OpenVino
    >>> OpenVino(int8=True).variant_id
    'openvino-int8'
    """

    _: KW_ONLY
    file: str | None = None
    output: str | None = None
    int8: bool = False

    requires: ClassVar[tuple[str, ...]] = ("openvino", "onnx")
    extra: ClassVar[str | None] = "openvino"

    def __post_init__(self) -> None:
        onnx_file.require_file_of(self)

    @property
    def default_id(self) -> str:
        return "openvino" + ("-file" if self.file else "") + ("-int8" if self.int8 else "")

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
        if path.suffix == ".onnx":
            return [path, *onnx_file.data_files(path)]
        if path.suffix != ".xml":
            raise UserError(
                f"OpenVino(file={self.file!r}): name the .xml of a model in OpenVINO's format, or "
                "an .onnx file"
            )
        return [path, find_file(path.with_suffix(".bin").name, path.parent, folder)]

    @property
    def calibrates(self) -> bool:
        return self.int8

    def built_from(self) -> Backend | None:
        return None if self.file else OnnxExport()

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        if material.task.generates:
            raise BuildError(
                f"OpenVino cannot run {material.model.name}: it runs one-pass models, but this "
                "task generates text. Use Onnx(), CTranslate2() or Torch(), or OpenVinoGenAI() for "
                "causal language models"
            )
        with without_telemetry():
            import openvino

            if self.file:
                path = find_file(self.file, material.model, material.folder or material.data)
                model = _open(path)
                binding = _bind(path, model, material, self.output)
                binding.write(folder)
            else:
                assert material.source
                model = openvino.convert_model(material.source / onepass.MODEL)
                binding = _own_binding(folder, model)
            evidence = binding.evidence
            if self.int8:
                model, quantized = _quantize(model, binding, material)
                evidence |= quantized
        openvino.save_model(model, folder / _MODEL, compress_to_fp16=False)
        return evidence

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        with without_telemetry():
            import openvino
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if not self.int8:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        compiled = openvino.Core().compile_model(artifact / _MODEL, "CPU", settings)
        return OpenVinoForward(compiled, _own_binding(artifact, compiled), task.decoding)

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        return int8.doubts() if self.int8 else []


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Prevent OpenVINO and NNCF from sending usage reports.

    The import of OpenVINO and the conversion of a model start a thread that forks the process to
    send the report. This disturbs measurements, and has crashed workers. The library's only switch
    for a single process is CI=true (`disable_in_ci` of openvino_telemetry); `opt_in_out --opt_out`
    applies to all programs of the user. The variable is read during the import and each conversion.
    """
    with _ENVIRONMENT_LOCK:
        before = os.environ.get("CI")
        os.environ["CI"] = "true"
        try:
            yield
        finally:
            if before is None:
                os.environ.pop("CI", None)
            else:
                os.environ["CI"] = before


def _open(path: Path) -> Any:
    import openvino

    try:
        return openvino.Core().read_model(path)
    except Exception as error:
        raise BuildError(
            f"OpenVINO {openvino.__version__} cannot open {path}: {first_line(error)}"
        ) from error


def _bind(path: Path, model: Any, material: Material, output: str | None) -> Binding:
    import openvino

    compiled = openvino.Core().compile_model(model, "CPU")
    wanted = {*material.codec().axes, output or material.task.answer}
    return bind_opened(
        path,
        material,
        inputs=[_described(port, wanted) for port in model.inputs],
        outputs=[_described(port, wanted) for port in model.outputs],
        output=output,
        run=lambda name, arrays: compiled(arrays)[name],
    )


def _described(port: Any, wanted: Set[str]) -> Tensor:
    """Return the description of an input or output, under a wanted name if it has one."""
    shape = port.get_partial_shape()
    return Tensor(
        next(iter(sorted(port.names & wanted)), "") or port.any_name,
        port.element_type.to_dtype().name,
        ()
        if shape.rank.is_dynamic
        else tuple(None if size.is_dynamic else size.get_length() for size in shape),
    )


def _own_binding(folder: Path, model: Any) -> Binding:
    inputs = [port.any_name for port in model.inputs]
    return Binding.read(folder, inputs, [port.any_name for port in model.outputs])


def _quantize(model: Any, binding: Binding, material: Material) -> tuple[Any, dict[str, Any]]:
    try:
        import nncf
    except ImportError:
        raise UserError(
            'OpenVino(int8=True) needs nncf: pip install "pytest-infperf[openvino]"'
        ) from None
    if _fake_quantizers(model):
        raise BuildError(
            f"the graph for {material.model.name} is already quantised: remove int8=True"
        )
    queries = list(chain.from_iterable(map(binding.feeds, material.features())))
    quantized = nncf.quantize(model, nncf.Dataset(queries), subset_size=len(queries))
    return quantized, {
        "quantization": {
            "method": "static",
            "calibration_queries": len(queries),
            "operators": {"FakeQuantize": _fake_quantizers(quantized)},
        }
    }


def _fake_quantizers(model: Any) -> int:
    return sum(node.get_type_name() == "FakeQuantize" for node in model.get_ops())


class OpenVinoForward:
    """Runner of one forward pass: maps arrays by name to one output of the model.

    The output is in memory of the runtime, and valid until the next query.
    """

    def __init__(self, compiled: Any, binding: Binding, decoding: Decoding) -> None:
        self._request = compiled.create_infer_request()
        self._binding = binding
        self._answer = compiled.output(binding.output)
        self.decoding = decoding
        self.threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))

    def infer(self, features: Mapping[str, Any]) -> Any:
        return self._binding.answer(features, self._run)

    def _run(self, inputs: dict[str, Any]) -> Any:
        self._request.infer(inputs, share_inputs=True)
        return self._request.get_tensor(self._answer).data
