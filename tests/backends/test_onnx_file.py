"""Graphs that were exported elsewhere: matching of inputs, and invalid graphs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import BuildError, Onnx, OpenVino, Suite, Translation, UserError
from pytest_infperf.artifacts.blueprint import make_blueprint
from pytest_infperf.backends import onnx_file
from pytest_infperf.backends.openvino import without_telemetry
from pytest_infperf.suite.backend import Backend, Material
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding, Task

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

Input = tuple[str, str, Sequence[str | int]]
FREE = ("batch", "tokens")
IDS: Input = ("input_ids", "INT64", FREE)
MASK: Input = ("attention_mask", "INT64", FREE)
ROWS = [[1, 2, 3], [4], [5, 6]]
EXPECTED = [[6, 12], [4, 8], [11, 22]]
"""What the graph answers: the sum of the ids, and twice the sum."""


@dataclass(frozen=True)
class Sums(Task):
    metrics: Sequence[Any] = ()
    sample_size: int = 3
    types: bool = False

    @property
    def decoding(self) -> Decoding:
        return {}

    def samples(self, folder: Path) -> Samples:
        return Samples(ROWS, EXPECTED)

    def calibration_inputs(self, folder: Path) -> Sequence[Any]:
        return ROWS

    def codec(self, model: Path) -> SumsCodec:
        return SumsCodec(self.types)


class SumsCodec:
    def __init__(self, types: bool) -> None:
        names = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
        self.axes: Mapping[str, Sequence[str | int]] = dict.fromkeys(names, FREE)

    def encode(self, inputs: Sequence[Sequence[int]]) -> dict[str, Any]:
        longest = max(map(len, inputs))
        ids = np.array([[*row, *[9] * (longest - len(row))] for row in inputs], np.int64)
        mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in inputs], np.int64)
        arrays = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return {name: arrays[name] for name in self.axes}

    def decode(self, results: Any, features: Any) -> list[Any]:
        return list(results.tolist())


def write_graph(
    path: Path,
    inputs: Sequence[Input] = (IDS, MASK),
    outputs: Sequence[str] = ("logits",),
    *,
    opset: int = 17,
    external: str | None = None,
) -> Path:
    """Write a graph whose first output is the product of its inputs, summed and multiplied."""
    from onnx import helper, numpy_helper

    names = [name for name, _, _ in inputs]
    nodes = [helper.make_node("Cast", [name], [f"{name}_f"], to=1) for name in names]
    product = f"{names[0]}_f"
    for name in names[1:]:
        nodes.append(helper.make_node("Mul", [product, f"{name}_f"], [f"{name}_m"]))
        product = f"{name}_m"
    nodes += [
        helper.make_node("Constant", [], ["axis"], value_ints=[1]),
        helper.make_node("ReduceSum", [product, "axis"], ["sum"], keepdims=1),
        helper.make_node("Gemm", ["sum", "weight", "bias"], ["product"]),
        helper.make_node("Relu", ["product"], [outputs[0]]),
        *(helper.make_node("ReduceMax", ["sum"], [name], keepdims=0) for name in outputs[1:]),
    ]
    weights = [
        numpy_helper.from_array(np.array([[1, 2]], np.float32), "weight"),
        numpy_helper.from_array(np.zeros(2, np.float32), "bias"),
    ]
    graph = helper.make_graph(
        nodes,
        "sums",
        [
            helper.make_tensor_value_info(name, getattr(onnx.TensorProto, dtype), shape)
            for name, dtype, shape in inputs
        ],
        [helper.make_tensor_value_info(name, 1, None) for name in outputs],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    if external:
        onnx.save(model, path, save_as_external_data=True, location=external, size_threshold=0)
    else:
        onnx.save(model, path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def built(backend: Backend, model: Path, task: Task | None = None) -> tuple[Path, dict[str, Any]]:
    folder = model.parent / "artifact"
    folder.mkdir()
    material = Material(model, task or Sums(), model.parent, folder=model.parent)
    return folder, backend.build(material, folder)


def answers(backend: Backend, model: Path, task: Task | None = None) -> list[Any]:
    task = task or Sums()
    folder, _ = built(backend, model, task)
    codec: Any = task.codec(model)
    features = codec.encode(ROWS)
    return list(codec.decode(backend.load(folder, task, 1).infer(features), features))


def refusal(backend: Backend, model: Path, task: Task | None = None) -> str:
    with pytest.raises(BuildError) as caught:
        built(backend, model, task)
    return str(caught.value)


def missing(file: str, model: Path) -> str:
    with pytest.raises(UserError) as caught:
        Onnx(file=file).files(model, model.parent)
    return str(caught.value)


@pytest.mark.parametrize("top", ["model", "."])
def test_a_file_of_the_model_or_of_the_suite(model: Path, top: str) -> None:
    write_graph(model.parent / top / "onnx" / "model.onnx")
    assert answers(Onnx(file="onnx/model.onnx"), model) == EXPECTED


def test_the_model_comes_before_the_suite(model: Path) -> None:
    inner = write_graph(model / "model.onnx")
    write_graph(model.parent / "model.onnx")
    assert Onnx(file="model.onnx").files(model, model.parent) == [inner]


def test_the_default_id_is_not_that_of_an_export() -> None:
    assert Onnx(file="a.onnx", int8="dynamic").variant_id == "onnx-file-int8"


@pytest.mark.parametrize("location", ["model.onnx_data", "weights/all.bin"])
@pytest.mark.parametrize("fused", [False, True])
def test_external_data_comes_with_its_graph(model: Path, location: str, fused: bool) -> None:
    (model / location).parent.mkdir(exist_ok=True)
    write_graph(model / "model.onnx", external=location)
    assert answers(Onnx(file="model.onnx", fused=fused), model) == EXPECTED


@pytest.mark.parametrize(
    "inputs",
    [
        (("input_ids", "INT32", FREE), MASK),
        (("tokens", "INT32", FREE), MASK),
        (("input_ids", "INT64", ("n", None)), MASK),
        (MASK, ("ids", "INT64", FREE)),
    ],
    ids=["int32", "name", "free", "order"],
)
def test_inputs_are_cast_and_matched(model: Path, inputs: Sequence[Input]) -> None:
    write_graph(model / "model.onnx", inputs)
    assert answers(Onnx(file="model.onnx"), model) == EXPECTED


def test_features_that_the_graph_lacks_are_left_out(model: Path) -> None:
    write_graph(model / "model.onnx")
    assert answers(Onnx(file="model.onnx"), model, Sums(types=True)) == EXPECTED


@pytest.mark.parametrize(
    "inputs",
    [
        (IDS, MASK, ("positions", "INT64", FREE)),
        (("a", "INT64", FREE), ("b", "INT64", FREE)),
        (("a", "INT64", FREE),),
        (("input_ids", "BOOL", FREE), MASK),
        (("input_ids", "INT64", ("batch",)), MASK),
    ],
    ids=["more", "two-ways", "one-of-two", "type", "rank"],
)
def test_inputs_that_the_task_does_not_make(model: Path, inputs: Sequence[Input]) -> None:
    path = write_graph(model / "model.onnx", inputs)
    message = refusal(Onnx(file="model.onnx"), model)
    assert message.startswith(
        f"the inputs of {path} do not match the features of the task: the graph has"
    )
    for name, dtype, shape in inputs:
        dtype = {"INT64": "int64", "BOOL": "bool"}[dtype]
        assert f"{name} {dtype}[{', '.join('?' for _ in shape)}]" in message
    assert "input_ids int64[batch, tokens], attention_mask int64[batch, tokens]" in message


def test_a_fixed_length_is_refused(model: Path) -> None:
    write_graph(model / "model.onnx", [("input_ids", "INT64", ("n", 8)), MASK])
    message = refusal(Onnx(file="model.onnx"), model)
    assert "the input input_ids int64[?, 8] has a fixed tokens" in message
    assert "dynamic_axes={'input_ids': {0: 'batch', 1: 'tokens'}, ...}" in message


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_graph_with_a_fixed_batch_is_run_as_often_as_needed(model: Path, batch: int) -> None:
    inputs = [(name, dtype, (batch, "tokens")) for name, dtype, _ in (IDS, MASK)]
    write_graph(model / "model.onnx", inputs)
    assert answers(Onnx(file="model.onnx"), model) == EXPECTED
    shutil.rmtree(model.parent / "artifact")
    backend = Onnx(file="model.onnx", int8="static")
    folder, evidence = built(backend, model)
    assert evidence["batch_of_graph"] == batch
    answer = backend.load(folder, Sums(), 1).infer(SumsCodec(False).encode(ROWS))
    assert answer == pytest.approx(np.array(EXPECTED), rel=0.1)


def test_inputs_that_differ_in_their_fixed_batch(model: Path) -> None:
    inputs = [("input_ids", "INT64", (1, "tokens")), ("attention_mask", "INT64", (2, "tokens"))]
    write_graph(model / "model.onnx", inputs)
    assert "have different sizes of the first axis" in refusal(Onnx(file="model.onnx"), model)


def test_logits_are_chosen_from_several_outputs(model: Path) -> None:
    write_graph(model / "model.onnx", outputs=("logits", "pooled"))
    assert answers(Onnx(file="model.onnx"), model) == EXPECTED


def test_one_of_several_outputs_is_named(model: Path) -> None:
    write_graph(model / "model.onnx", outputs=("scores", "pooled"))
    message = refusal(Onnx(file="model.onnx"), model)
    assert "has 2 outputs: scores float32[?, 2], pooled float32[]. Name the one" in message
    (model.parent / "artifact").rmdir()
    assert answers(Onnx(file="model.onnx", output="scores"), model) == EXPECTED


def test_an_output_that_does_not_exist(model: Path) -> None:
    write_graph(model / "model.onnx")
    message = refusal(Onnx(file="model.onnx", output="scores"), model)
    assert "has no output 'scores': it has logits" in message


def test_an_output_without_a_row_for_each_sample(model: Path) -> None:
    write_graph(model / "model.onnx", outputs=("logits", "pooled"))
    message = refusal(Onnx(file="model.onnx", output="pooled"), model)
    assert "the output pooled has the shape [] for 2 rows" in message


@pytest.mark.parametrize("kind", [Onnx, OpenVino])
def test_an_output_needs_a_file(kind: Any) -> None:
    with pytest.raises(UserError, match="output requires file="):
        kind(output="logits")


def test_a_task_that_generates_is_refused(model: Path) -> None:
    task = Translation(source="source", reference="reference")
    message = refusal(Onnx(file="model.onnx"), model, task)
    assert "this task generates text and requires a decoding loop: remove file" in message


def test_a_file_is_fused_once(model: Path) -> None:
    write_graph(model / "model.onnx")
    folder, evidence = built(Onnx(file="model.onnx", fused=True), model)
    assert evidence == {"fused_operators": {"FusedGemm": 1}}
    fused = (folder / "model.onnx").rename(model / "fused.onnx")
    (folder / "binding.json").unlink()
    folder.rmdir()
    assert "already fused" in refusal(Onnx(file=fused.name, fused=True), model)


@pytest.mark.parametrize("int8", ["dynamic", "static"])
def test_a_file_is_quantised_once(model: Path, int8: Any) -> None:
    write_graph(model / "model.onnx", [("ids", "INT32", FREE), MASK])
    backend = Onnx(file="model.onnx", int8=int8)
    folder, evidence = built(backend, model)
    assert evidence["quantization"]["method"] == int8
    runner = backend.load(folder, Sums(), 1)
    assert runner.infer(SumsCodec(False).encode(ROWS)) == pytest.approx(np.array(EXPECTED), rel=0.1)
    (folder / "model.onnx").rename(model / "int8.onnx")
    (folder / "binding.json").unlink()
    folder.rmdir()
    message = refusal(Onnx(file="int8.onnx", int8=int8), model)
    assert "is quantised already (" in message
    assert "QuantizeLinear" in message


def test_a_missing_file_lists_those_that_are_there(model: Path) -> None:
    write_graph(model / "onnx" / "model.onnx")
    write_graph(model.parent / "export" / "other.onnx")
    message = missing("onnx/modle.onnx", model)
    assert f"neither in the model's folder {model} nor in the suite's folder" in message
    assert "the .onnx files are onnx/model.onnx, export/other.onnx: correct the name" in message


@pytest.mark.parametrize("content", [b"not a graph\n", b"", None], ids=["text", "empty", "cut"])
def test_a_file_that_is_no_whole_graph(model: Path, content: bytes | None) -> None:
    path = write_graph(model / "model.onnx")
    path.write_bytes(path.read_bytes()[:150] if content is None else content)
    message = missing("model.onnx", model)
    assert f"{path} is not a complete ONNX graph ({path.stat().st_size} bytes)" in message


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx_data"])
def test_a_pointer_of_git_lfs(model: Path, name: str) -> None:
    write_graph(model / "model.onnx", external="model.onnx_data")
    (model / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    assert f"{model / name} is a Git LFS pointer" in missing("model.onnx", model)


def test_external_data_that_is_missing(model: Path) -> None:
    write_graph(model / "model.onnx", external="model.onnx_data")
    (model / "model.onnx_data").unlink()
    message = missing("model.onnx", model)
    assert f"external data in {model / 'model.onnx_data'}, which does not exist" in message


def test_an_opset_that_the_runtime_does_not_know(model: Path) -> None:
    import onnxruntime

    path = write_graph(model / "model.onnx", opset=99)
    message = refusal(Onnx(file="model.onnx"), model)
    assert f"{path} has opset 99, but ONNX Runtime {onnxruntime.__version__} runs opsets" in message


def test_an_operator_that_the_runtime_does_not_know(model: Path) -> None:
    path = write_graph(model / "model.onnx")
    proto = onnx.load(path)
    proto.graph.node[-1].op_type = "Rectify"
    onnx.save(proto, path)
    message = refusal(Onnx(file="model.onnx"), model)
    assert "cannot open" in message
    assert "Rectify" in message


def test_a_changed_file_is_built_again(model: Path) -> None:
    backend = Onnx(file="model.onnx")
    suite = Suite("sums", task=Sums(), model="model", variants=[backend]).at(model.parent)
    path = write_graph(model.parent / "model.onnx", external="model.onnx_data")
    key = make_blueprint(suite, backend, model).key
    assert make_blueprint(suite, backend, model).key == key
    data = path.with_name("model.onnx_data")
    data.write_bytes(bytes(data.stat().st_size))
    changed = make_blueprint(suite, backend, model).key
    write_graph(path)
    assert len({key, changed, make_blueprint(suite, backend, model).key}) == 3


def test_a_file_needs_neither_torch_nor_transformers() -> None:
    assert Onnx(file="model.onnx").built_from() is None
    assert Onnx.requires == ("onnx", "onnxruntime")


@pytest.fixture
def openvino() -> Any:
    with without_telemetry():
        return pytest.importorskip("openvino")


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_openvino_runs_a_file(model: Path, suffix: str, openvino: Any) -> None:
    path = write_graph(model / "model.onnx", [("ids", "INT32", FREE), MASK], ("scores", "pooled"))
    if suffix == ".xml":
        with without_telemetry():
            openvino.save_model(openvino.convert_model(path), model / "model.xml")
    backend = OpenVino(file=f"model{suffix}", output="scores")
    assert len(backend.files(model, model.parent)) == {".onnx": 1, ".xml": 2}[suffix]
    assert answers(backend, model) == EXPECTED


@pytest.mark.usefixtures("openvino")
def test_openvino_runs_a_graph_with_a_fixed_batch(model: Path) -> None:
    inputs = [(name, dtype, (2, "tokens")) for name, dtype, _ in (IDS, MASK)]
    write_graph(model / "model.onnx", inputs)
    assert answers(OpenVino(file="model.onnx"), model) == EXPECTED


@pytest.mark.usefixtures("openvino")
def test_openvino_refuses_what_it_cannot_run(model: Path) -> None:
    write_graph(model / "model.onnx", [("input_ids", "INT64", ("n", 8)), MASK])
    assert "[?, 8] has a fixed tokens" in refusal(OpenVino(file="model.onnx"), model)
    (model.parent / "artifact").rmdir()
    (model / "model.xml").write_text("<net")
    (model / "model.bin").touch()
    assert f"cannot open {model / 'model.xml'}" in refusal(OpenVino(file="model.xml"), model)


def test_openvino_needs_the_weights_of_a_file(model: Path) -> None:
    (model / "model.xml").touch()
    with pytest.raises(UserError, match=r"model\.bin is neither in the model's folder"):
        OpenVino(file="model.xml").files(model, model.parent)
    (model / "model.tflite").touch()
    with pytest.raises(UserError, match=r"name the \.xml of a model in OpenVINO's format"):
        OpenVino(file="model.tflite").files(model, model.parent)


def test_an_ir_version_that_the_runtime_does_not_know(model: Path) -> None:
    path = write_graph(model / "model.onnx")
    proto = onnx.load(path)
    proto.ir_version = 99
    path.write_bytes(proto.SerializeToString())
    message = refusal(Onnx(file="model.onnx"), model)
    assert f"{path} has IR version 99, but ONNX Runtime" in message
    assert "save it with a lower ir_version, or upgrade onnxruntime" in message


def test_a_graph_that_is_too_large_to_be_fused(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_graph(model / "model.onnx")
    monkeypatch.setattr(onnx_file, "_LARGEST_GRAPH_BYTES", 10)
    assert "larger than 2 GB" in refusal(Onnx(file="model.onnx", fused=True), model)


def test_external_data_outside_the_folder_of_its_graph(model: Path) -> None:
    path = write_graph(model / "model.onnx", external="model.onnx_data")
    proto = onnx.load(path, load_external_data=False)
    for entry in proto.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../model.onnx_data"
    path.write_bytes(proto.SerializeToString())
    assert "external data in ../model.onnx_data, outside its folder" in missing("model.onnx", model)
