"""Backend on OpenVINO, in float32 or with NNCF's post-training quantisation."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from pytest_infperf.backends import int8, onepass
from pytest_infperf.backends.onnx import OnnxExport
from pytest_infperf.errors import BuildError, UserError
from pytest_infperf.suite.backend import Backend, Material, Runner
from pytest_infperf.suite.task import Decoding, Task

_MODEL = "model.xml"
_ENVIRONMENT_LOCK = Lock()


@dataclass(frozen=True)
class OpenVino(Backend):
    """OpenVINO on the CPU, in float32 or int8, for models that answer in one pass.

    Building converts the float32 ONNX export of the model to OpenVINO's format. Loading compiles it
    with the performance hint LATENCY; without `int8` it computes in float32 also on CPUs whose
    default is bfloat16. Requires the extra ``pytest-infperf[openvino]``. OpenVINO's usage reports
    are switched off.

    Parameters
    ----------
    int8 : bool, default False
        Whether weights and activations are quantised to int8 by NNCF: channel alignment, ranges by
        minimum and maximum and fast bias correction, calibrated on 200 samples.
    model, id, threads, cpus
        As in `Backend`; the id defaults to ``"openvino"`` or ``"openvino-int8"``. With
        ``threads=None``, OpenVINO chooses their number.

    Raises
    ------
    BuildError
        If the task generates text. Raised when the artifact is built.
    UserError
        If a required distribution is not installed; for `int8` also if nncf is not.

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
    int8: bool = False

    requires: ClassVar[tuple[str, ...]] = ("openvino",)
    extra: ClassVar[str | None] = "openvino"

    @property
    def default_id(self) -> str:
        return "openvino-int8" if self.int8 else "openvino"

    @property
    def calibrates(self) -> bool:
        return self.int8

    def built_from(self) -> Backend | None:
        return OnnxExport()

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        assert material.source
        if material.task.generates:
            raise BuildError(
                f"OpenVino cannot run {material.model.name}: it runs models that answer in one "
                "pass, and this task generates text. Use Onnx(), CTranslate2() or Torch()"
            )
        with without_telemetry():
            import openvino

            model = openvino.convert_model(material.source / onepass.MODEL)
            evidence: dict[str, Any] = {}
            if self.int8:
                model, evidence = _quantize(model, material)
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
        return OpenVinoForward(compiled, task.decoding)

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        return int8.doubts() if self.int8 else []


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Keep OpenVINO and NNCF from reporting their use over the network.

    The import of OpenVINO and its conversion of a model start a thread that forks the process to
    send the report, in the middle of a measurement; workers have died of it. CI=true is the only
    switch that the library has for one process (`disable_in_ci` of openvino_telemetry); `opt_in_out
    --opt_out` would decide for all of the user's programs. The decision lasts after the import:
    only another conversion reads the variable again.
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


def _quantize(model: Any, material: Material) -> tuple[Any, dict[str, Any]]:
    try:
        import nncf
    except ImportError:
        raise UserError(
            'OpenVino(int8=True) needs nncf: pip install "pytest-infperf[openvino]"'
        ) from None
    queries = material.features()
    quantized = nncf.quantize(model, nncf.Dataset(queries), subset_size=len(queries))
    fakes = sum(node.get_type_name() == "FakeQuantize" for node in quantized.get_ops())
    return quantized, {
        "quantization": {
            "method": "static",
            "calibration_queries": len(queries),
            "operators": {"FakeQuantize": fakes},
        }
    }


class OpenVinoForward:
    """Runner of one forward pass: maps arrays by name to the first output of the model.

    The output is memory of the runtime, valid until the next query.
    """

    def __init__(self, compiled: Any, decoding: Decoding) -> None:
        self._request = compiled.create_infer_request()
        self._names = [port.any_name for port in compiled.inputs]
        self.decoding = decoding
        self.threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))

    def infer(self, features: Mapping[str, Any]) -> Any:
        inputs = {name: features[name] for name in self._names}
        self._request.infer(inputs, share_inputs=True)
        return self._request.get_output_tensor(0).data
