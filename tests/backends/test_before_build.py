"""Properties of backends before they build: ids, missing hardware, refusals and artifact keys."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_infperf import BuildError, Onnx, OpenVino, Torch, Translation
from pytest_infperf.artifacts.blueprint import make_blueprint
from pytest_infperf.backends import int8, torch
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.discovery import SuiteAddress

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        (Torch(), "torch"),
        (Torch(int8="static"), "torch-int8"),
        (Torch(device="cuda"), "cuda"),
        (Torch(device="cuda", dtype="bfloat16"), "cuda-bf16"),
        (Onnx(fused=True, int8="static"), "onnx-fused-int8"),
        (OpenVino(int8=True), "openvino-int8"),
    ],
)
def test_ids_name_runtime_and_optimisation(backend: Backend, name: str) -> None:
    assert backend.variant_id == name


def test_a_missing_gpu_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "version"
    monkeypatch.setattr(torch, "_NVIDIA_DRIVER", driver)
    assert "no GPU" in Torch(device="cuda").missing_hardware()
    assert Torch().missing_hardware() == ""
    driver.touch()
    assert Torch(device="cuda").missing_hardware() == ""


@pytest.mark.parametrize("backend", [OpenVino(), Onnx(int8="static")])
def test_a_task_that_generates_is_refused_by_backends_for_one_pass(
    tmp_path: Path, backend: Backend
) -> None:
    task = Translation(source="source", reference="reference")
    material = Material(tmp_path / "model", task, tmp_path, tmp_path / "export")
    with pytest.raises(BuildError, match="this task generates text"):
        backend.build(material, tmp_path)


def test_a_calibrated_artifact_depends_on_the_samples_that_calibrate_it(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "suites" / "vision", tmp_path / "vision", symlinks=True)
    suite = SuiteAddress(str(ROOT), "suites.vision.suite").load()
    model = tmp_path / "vision" / "models" / "mnist-softmax"
    smaller = replace(suite, task=replace(suite.task, images="data/t10k-images-idx3-ubyte.gz"))
    copied_suite = smaller.at(tmp_path / "vision")
    data = tmp_path / "vision" / "data"
    key = make_blueprint(copied_suite, Onnx(int8="static"), model).key
    float32_key = make_blueprint(copied_suite, Onnx(), model).key
    assert key == make_blueprint(suite, Onnx(int8="static"), model).key
    reverse_first_image(data / "t10k-images-idx3-ubyte.gz")
    assert make_blueprint(copied_suite, Onnx(int8="static"), model).key != key
    assert make_blueprint(copied_suite, Onnx(), model).key == float32_key


def reverse_first_image(path: Path) -> None:
    import gzip

    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[16 : 16 + 784] = raw[16 : 16 + 784][::-1]
    path.write_bytes(gzip.compress(bytes(raw)))


@pytest.mark.parametrize(
    ("operators", "word"),
    [({"DynamicQuantizeLSTM": 3}, "LSTM"), ({"ConvInteger": 2}, "calibration")],
)
def test_slow_int8_is_explained_by_its_operators(operators: dict[str, int], word: str) -> None:
    reasons = int8.graph_doubts({"quantization": {"operators": operators}})
    assert len(reasons) == 1
    assert word in reasons[0]
