"""Compiled models give the results of eager ones for any batch and length, compiled once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pytest_infperf import BuildError, Torch, Translation, UserError
from pytest_infperf.suite.backend import Material
from tests.backends.test_onnx_file import Sums

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")

QUERIES = [[[5, 6, 7, 8]], [[9] * 20], [[1, 2, 3], [4, 5]], [[7] * 4] * 4, [[2] * 30] * 9]


class Classified(Sums):
    auto_class: ClassVar[str | None] = "AutoModelForSequenceClassification"


TASK = Classified(types=True)


@pytest.fixture(autouse=True)
def compiler() -> Iterator[None]:
    """Make each test compile separately: compiled code is shared in the process."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.compiler.set_stance("default")
    torch.compiler.reset()


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bert")
    BertForSequenceClassification(
        BertConfig(
            vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=64,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


def built(backend: Torch, model: Path, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    return backend.build(Material(model, TASK, model), folder)


def answers(runner: Any) -> list[Any]:
    return [runner.infer(TASK.codec(Path()).encode(query)) for query in QUERIES]


def test_a_compiled_model_answers_as_an_eager_one(tmp_path: Path, bert: Path) -> None:
    backend = Torch(compile=True)
    assert built(backend, bert, tmp_path / "compiled") == {
        "compiled": {
            "backend": "inductor", "version": torch.__version__, "graphs": 2, "graph_breaks": 0,
        }
    }  # fmt: skip
    built(Torch(), bert, tmp_path / "eager")
    compiled = backend.load(tmp_path / "compiled", TASK, 1)
    assert compiled.threads == 1
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    eager = Torch().load(tmp_path / "eager", TASK, 1)
    for answer, expected in zip(answers(compiled), answers(eager), strict=True):
        assert answer == pytest.approx(expected, abs=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == graphs


MODELING = """
import torch


class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Linear(1, 2, bias=False)

    def forward(self, input_ids, attention_mask):
        sums = (input_ids * attention_mask).sum(1, keepdim=True)
        return self.scale(sums.to(self.scale.weight.dtype)){rest}


def load(folder):
    return Scaled()
"""


def own_model(folder: Path, rest: str = "") -> Path:
    folder.mkdir()
    (folder / "modeling.py").write_text(MODELING.format(rest=rest))
    return folder


def test_a_query_that_would_be_compiled_again_is_refused(tmp_path: Path) -> None:
    backend = Torch(compile=True)
    built(backend, own_model(tmp_path / "model"), tmp_path / "artifact")
    runner = backend.load(tmp_path / "artifact", TASK, None)
    encode = TASK.codec(Path()).encode
    runner.infer(encode([[1, 2], [3, 4], [5]]))
    with pytest.raises(UserError, match=r"recompile for a query .*input_ids \(2, 1\)"):
        runner.infer(encode([[1], [3]]))


def test_a_model_that_cannot_be_compiled_is_refused(tmp_path: Path) -> None:
    model = own_model(tmp_path / "model", ".unknown()")
    with pytest.raises(BuildError, match=r"torch\.compile cannot compile this model: .*unknown"):
        built(Torch(compile=True), model, tmp_path / "artifact")


def test_a_host_without_a_compiler_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = own_model(tmp_path / "model")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"requires a C\+\+ compiler.*apt-get install g\+\+"):
        built(Torch(compile=True), model, tmp_path / "artifact")


def test_a_model_that_generates_text_is_not_compiled(tmp_path: Path) -> None:
    task = Translation(source="a", reference="b")
    with pytest.raises(BuildError, match="one-pass models, but this task generates text"):
        Torch(compile=True).build(Material(tmp_path, task, tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (Torch(compile=True), "torch-compile"),
        (Torch(compile=True, dtype="bfloat16"), "torch-compile-bf16"),
        (Torch(dtype="float16", device="cuda"), "cuda-fp16"),
        (Torch(int8="dynamic"), "torch-int8"),
        (Torch(int8="dynamic", quantizer="torchao"), "torch-torchao-int8"),
        (Torch(int8="weights"), "torch-int8-weights"),
        (Torch(int4="weights", dtype="bfloat16", compile=True), "torch-compile-int4-bf16"),
        (Torch(int8="dynamic", quantizer="torchao", compile=True), "torch-compile-torchao-int8"),
    ],
)
def test_ids_name_what_was_chosen(backend: Torch, expected: str) -> None:
    assert backend.variant_id == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"int8": "dynamic", "dtype": "bfloat16"}, "float32 model on the CPU: remove int8, or"),
        ({"int8": "static", "dtype": "float16"}, "float32 model on the CPU: remove int8, or"),
        ({"int8": "dynamic", "device": "cuda"}, "float32 model on the CPU: remove int8, or"),
        ({"int8": "dynamic", "compile": True}, "does not compile torch's int8 layers"),
        ({"quantizer": "torchao"}, 'requires int8="dynamic"'),
        ({"int8": "static", "quantizer": "torchao"}, 'requires int8="dynamic"'),
        ({"int8": "weights", "quantizer": "torchao"}, 'requires int8="dynamic"'),
        ({"int4": "weights", "int8": "weights"}, "set one of them"),
        ({"int4": "weights", "device": "cuda"}, "on the CPU: remove device='cuda'"),
        ({"group_size": 64}, "is a setting of int4"),
        ({"int4": "weights", "group_size": 48}, r"choose one of \[32, 64, 128\]"),
        ({"dtype": "float64"}, r"choose one of \['float32', 'bfloat16', 'float16'\]"),
    ],
)
def test_arguments_that_exclude_each_other_are_refused(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        Torch(**arguments)


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 2e-2), ("float16", 2e-3)])
def test_variants_with_fewer_bits_give_similar_results(
    tmp_path: Path, bert: Path, dtype: Any, tolerance: float
) -> None:
    backend = Torch(dtype=dtype)
    built(backend, bert, tmp_path / "rounded")
    built(Torch(), bert, tmp_path / "exact")
    runner = backend.load(tmp_path / "rounded", TASK, 1)
    assert {p.dtype for p in runner._module.parameters()} == {getattr(torch, dtype)}
    exact = Torch().load(tmp_path / "exact", TASK, 1)
    for answer, expected in zip(answers(runner), answers(exact), strict=True):
        assert answer == pytest.approx(expected, abs=tolerance)
        assert (answer != expected).any()


def test_an_operator_that_float16_lacks_is_named(tmp_path: Path) -> None:
    rest = ".pow(2).expand(2, 2).cholesky_inverse()"
    model = own_model(tmp_path / "model", rest)
    with pytest.raises(BuildError, match=r"in float16 on the CPU: .*not implemented for 'Half'"):
        built(Torch(dtype="float16"), model, tmp_path / "artifact")


def test_torchao_quantises_linear_layers(tmp_path: Path, bert: Path) -> None:
    pytest.importorskip("torchao")
    backend = Torch(int8="dynamic", quantizer="torchao")
    evidence = built(backend, bert, tmp_path / "int8")
    assert evidence == {
        "quantization": {"method": "dynamic", "engine": "torchao"},
        "quantized_modules": {"Linear": 8},  # 6 of the layer, the pooler and the classifier
    }
    built(Torch(), bert, tmp_path / "exact")
    runner = backend.load(tmp_path / "int8", TASK, 1)
    exact = Torch().load(tmp_path / "exact", TASK, 1)
    for answer, expected in zip(answers(runner), answers(exact), strict=True):
        assert answer == pytest.approx(expected, abs=2e-2)
        assert (answer != expected).any()
    assert any("set compile=True" in doubt for doubt in backend.doubts(evidence))


def test_torchao_that_is_not_installed_is_asked_for(
    tmp_path: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torchao.quantization", None)
    with pytest.raises(UserError, match=r'pip install "pytest-infperf\[torchao\]"'):
        built(Torch(int8="dynamic", quantizer="torchao"), bert, tmp_path / "int8")
