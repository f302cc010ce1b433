"""OpenVINO on the exported ONNX graph, in fp32 or quantised with calibration (NNCF)."""

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
    """For models that answer in one pass. Without int8 it computes in fp32, also on CPUs whose
    default is bfloat16."""

    _: KW_ONLY
    int8: bool = False
    """Static, calibrated on samples; needs nncf."""

    requires: ClassVar[tuple[str, ...]] = ("openvino", "onnx", "torch", "transformers")
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
            raise BuildError("OpenVino runs models that answer in one pass, and this one generates")
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
    """One pass through a compiled model: arrays by name in, its first output out."""

    def __init__(self, compiled: Any, decoding: Decoding) -> None:
        self._request = compiled.create_infer_request()
        self._names = [port.any_name for port in compiled.inputs]
        self.decoding = decoding
        self.threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))

    def infer(self, features: Mapping[str, Any]) -> Any:
        inputs = {name: features[name] for name in self._names}
        # The outputs are the runtime's own memory, good until the next query.
        self._request.infer(inputs, share_inputs=True)
        return self._request.get_output_tensor(0).data
