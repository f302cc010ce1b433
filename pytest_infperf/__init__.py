"""The public names, each imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_infperf.backends.ctranslate2 import CTranslate2
    from pytest_infperf.backends.fake import Fake, Slowed
    from pytest_infperf.backends.onnx import Onnx
    from pytest_infperf.backends.openvino import OpenVino
    from pytest_infperf.backends.torch import Torch
    from pytest_infperf.errors import BuildError, GateBroken, UserError, WorkerError
    from pytest_infperf.gates.result import Result
    from pytest_infperf.records.record import Measure, Record
    from pytest_infperf.run.run import Run
    from pytest_infperf.run.variant import Variant
    from pytest_infperf.suite.backend import Backend, Material, Runner
    from pytest_infperf.suite.loads import (
        ClosedLoop,
        MultiStream,
        Offline,
        OpenLoop,
        Server,
        SingleStream,
        Soak,
    )
    from pytest_infperf.suite.payload import About, Answer, Payload
    from pytest_infperf.suite.serving import Serving
    from pytest_infperf.suite.suite import Suite, Sweep
    from pytest_infperf.suite.task import ArrayCodec, Codec, Metric, Samples, Task
    from pytest_infperf.tasks.classification import TextClassification
    from pytest_infperf.tasks.echo import Echo
    from pytest_infperf.tasks.speech import SpeechRecognition
    from pytest_infperf.tasks.translation import Translation
    from pytest_infperf.tasks.vision import ImageClassification

_HOMES = {
    "pytest_infperf.backends.ctranslate2": ("CTranslate2",),
    "pytest_infperf.backends.fake": ("Fake", "Slowed"),
    "pytest_infperf.backends.onnx": ("Onnx",),
    "pytest_infperf.backends.openvino": ("OpenVino",),
    "pytest_infperf.backends.torch": ("Torch",),
    "pytest_infperf.errors": ("BuildError", "GateBroken", "UserError", "WorkerError"),
    "pytest_infperf.suite.loads": (
        "ClosedLoop", "MultiStream", "Offline", "OpenLoop", "Server", "SingleStream", "Soak",
    ),
    "pytest_infperf.records.record": ("Measure", "Record"),
    "pytest_infperf.run.run": ("Run",),
    "pytest_infperf.suite.payload": ("About", "Answer", "Payload"),
    "pytest_infperf.serving.server.settings": ("Serving",),
    "pytest_infperf.suite.suite": (
        "ArrayCodec", "Backend", "Codec", "Material", "Metric", "Runner", "Samples", "Suite",
        "Sweep", "Task",
    ),
    "pytest_infperf.tasks.classification": ("TextClassification",),
    "pytest_infperf.tasks.echo": ("Echo",),
    "pytest_infperf.tasks.speech": ("SpeechRecognition",),
    "pytest_infperf.tasks.translation": ("Translation",),
    "pytest_infperf.tasks.vision": ("ImageClassification",),
    "pytest_infperf.run.variant": ("Result", "Variant"),
}  # fmt: skip

__all__ = [
    "About", "Answer", "ArrayCodec", "Backend", "BuildError", "CTranslate2", "ClosedLoop", "Codec",
    "Echo", "Fake", "GateBroken", "ImageClassification", "Material", "Measure", "Metric",
    "MultiStream", "Offline", "Onnx", "OpenLoop", "OpenVino", "Payload", "Record", "Result", "Run",
    "Runner", "Samples", "Server", "Serving", "SingleStream", "Slowed", "Soak",
    "SpeechRecognition", "Suite", "Sweep", "Task", "TextClassification", "Torch", "Translation",
    "UserError", "Variant", "WorkerError",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
