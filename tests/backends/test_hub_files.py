"""Graphs in a snapshot of the hub, whose files are links into the cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_infperf.backends.openvino import without_telemetry
from tests.backends.test_onnx_file import write_graph

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RUN = """
import sys
from pathlib import Path
from pytest_infperf import Onnx, OpenVino, UserError
from pytest_infperf.artifacts import models
from pytest_infperf.suite.backend import Material
from tests.backends.test_onnx_file import ROWS, Sums

kind, file, suite = sys.argv[1:]
folder, backend = Path(suite), {"Onnx": Onnx, "OpenVino": OpenVino}[kind](file=file)
try:
    model = models.locate("owner/name", folder, backend.model_files)
    names = [path.relative_to(model).as_posix() for path in backend.files(model, folder)]
    (folder / "artifact").mkdir()
    backend.build(Material(model, Sums(), folder, folder=folder), folder / "artifact")
    runner = backend.load(folder / "artifact", Sums(), 1)
    print(names, runner.infer(Sums().codec(model).encode(ROWS)).tolist())
except UserError as error:
    print("refused:", error)
"""


def hub_with(folder: Path, *files: Path) -> Path:
    """Write a cache of the hub, in the form of huggingface_hub, with files and a configuration."""
    repository = folder / "hub" / "models--owner--name"
    snapshot = repository / "snapshots" / COMMIT
    (repository / "blobs").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    source = folder / "source"
    (source / "config.json").write_text("{}")
    for number, path in enumerate((source / "config.json", *files)):
        blob = path.rename(repository / "blobs" / str(number))
        link = snapshot / path.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return folder / "hub"


def run(hub: Path, kind: str, file: str, suite: Path) -> str:
    """Build and run in a separate process: the hub's settings are read at its import."""
    environment = {
        "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(hub), "PATH": "",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }  # fmt: skip
    suite.mkdir()
    command = [sys.executable, "-c", RUN, kind, file, str(suite)]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


ANSWER = "[[6.0, 12.0], [4.0, 8.0], [11.0, 22.0]]"


def test_a_graph_of_a_hub_id_runs_without_network(tmp_path: Path) -> None:
    file = "onnx/model_quantized.onnx"
    hub = hub_with(tmp_path, write_graph(tmp_path / "source" / file))
    assert run(hub, "Onnx", file, tmp_path / "suite") == f"['{file}'] {ANSWER}"


def test_external_data_of_the_hub_is_a_link_too(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "source" / "onnx" / "model.onnx", external="model.onnx_data")
    hub = hub_with(tmp_path, path, path.with_name("model.onnx_data"))
    names = "['onnx/model.onnx', 'onnx/model.onnx_data']"
    assert run(hub, "Onnx", "onnx/model.onnx", tmp_path / "suite") == f"{names} {ANSWER}"


def test_openvino_runs_a_model_of_a_hub_id(tmp_path: Path) -> None:
    with without_telemetry():
        openvino = pytest.importorskip("openvino")
    source = tmp_path / "source" / "openvino" / "model.xml"
    source.parent.mkdir(parents=True)
    graph = write_graph(tmp_path / "graph.onnx")
    with without_telemetry():
        openvino.save_model(openvino.convert_model(graph), source, compress_to_fp16=False)
    hub = hub_with(tmp_path, source, source.with_suffix(".bin"))
    names = "['openvino/model.xml', 'openvino/model.bin']"
    assert run(hub, "OpenVino", "openvino/model.xml", tmp_path / "suite") == f"{names} {ANSWER}"


def test_a_graph_that_the_cache_lacks_is_to_be_downloaded(tmp_path: Path) -> None:
    hub = hub_with(tmp_path, write_graph(tmp_path / "source" / "onnx" / "model.onnx"))
    message = run(hub, "Onnx", "onnx/model_quantized.onnx", tmp_path / "suite")
    assert message.startswith("refused: onnx/model_quantized.onnx is neither in the model's folder")
    assert "the .onnx files are onnx/model.onnx" in message
    assert message.endswith(
        f"run `hf download owner/name onnx/model_quantized.onnx --revision {COMMIT}`"
    )
