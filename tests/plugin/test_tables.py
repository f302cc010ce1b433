"""Tables are measured with models of several libraries beside each other, and served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.small_project import Outcome, Project

pytestmark = pytest.mark.filterwarnings("ignore")

QUALITY = "def test_quality(variant): variant.quality(batch=4).check()\n"
MODELING = """
import torch

class Sum(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, {name}):
        total = {name}.sum(1, keepdim=True) * self.weight
        return torch.cat([5 - total, total - 5], 1)

def load(folder):
    return Sum()
"""
CODE = """
def load(folder, threads):
    return lambda rows: ["large" if row["a"] + row["b"] > 5 else "small" for row in rows]
"""
SUITE = """
    from pytest_infperf import Function, Onnx, OpenVino, Suite, TabularClassification, Torch

    suite = Suite(
        "echo",
        task=TabularClassification(data="sums.csv", label="size", classes=["small", "large"]),
        variants=[{variants}],
        baseline="{baseline}",
    )
"""


def measured(project: Project, variants: str, baseline: str, name: str = "features") -> Outcome:
    rows = [f"{i / 2},{i % 3},{'large' if i / 2 + i % 3 > 5 else 'small'}" for i in range(20)]
    project.write("suites/echo/sums.csv", "\n".join(["a,b,size", *rows]) + "\n")
    project.write("suites/echo/mlp/modeling.py", MODELING.format(name=name))
    project.write("suites/echo/rules.py", CODE)
    project.suite(SUITE.format(variants=variants, baseline=baseline))
    project.tests(QUALITY)
    project.thresholds("[echo.gates]\naccuracy = { min = 99 }\n")
    return project.measure()


def test_a_network_its_exports_and_a_function(project: Project) -> None:
    pytest.importorskip("openvino")
    variants = (
        'Torch(model="mlp"), Onnx(model="mlp"), OpenVino(model="mlp"), Function("rules:load")'
    )
    outcome = measured(project, variants, "torch")
    assert set(outcome.outcomes().values()) == {"passed"}, outcome.text
    assert len(outcome.outcomes()) == 4
    assert outcome.measure("onnx", "agreement")["value"] == 1


@pytest.mark.parametrize(
    ("variant", "id", "words"),
    [
        (
            'Torch(model="mlp")',
            "torch",
            "has the parameters 'x', but the task has the features",
        ),
        (
            'Onnx(model="mlp")',
            "onnx",
            "the parameters x, but the task has the features features, a, b: use",
        ),
    ],
)
def test_a_network_whose_parameter_has_another_name(
    variant: str, id: str, words: str, project: Project
) -> None:
    pytest.importorskip("onnxruntime")
    outcome = measured(project, variant, id, name="x")
    assert words in outcome.words


def test_a_graph_with_an_input_for_each_column_and_maps_of_labels(project: Project) -> None:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    write_graph(onnx, project.folder / "suites" / "echo" / "model.onnx")
    project.write("suites/echo/t.csv", "kind,size,label\nx,1,cheap\ny,9.5,dear\nx,2,cheap\n")
    project.suite("""
        from pytest_infperf import Onnx, Suite, TabularClassification

        suite = Suite(
            "echo",
            task=TabularClassification(data="t.csv"),
            variants=[
                Onnx(file="model.onnx", output="label", id="labels"),
                Onnx(file="model.onnx", output="scores", id="scores"),
            ],
        )
    """)
    project.tests(QUALITY)
    project.thresholds("[echo.gates]\naccuracy = { min = 99 }\n")
    outcome = project.measure()
    assert outcome.outcomes() == {
        "test_quality[labels]": "passed",
        "test_quality[scores]": "passed",
    }, outcome.text


def write_graph(onnx: object, path: Path) -> None:
    """Write a graph as skl2onnx does: kind is encoded, the size decides, labels are texts."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node(
            "LabelEncoder", ["kind"], ["code"], domain="ai.onnx.ml",
            keys_strings=["x", "y"], values_floats=[0.0, 1.0], default_float=-1.0,
        ),
        helper.make_node("Concat", ["code", "size"], ["row"], axis=1),
        helper.make_node(
            "LinearClassifier", ["row"], ["label", "raw"], domain="ai.onnx.ml",
            coefficients=[0.0, -1.0, 0.0, 1.0], intercepts=[5.0, -5.0],
            classlabels_strings=["cheap", "dear"], post_transform="SOFTMAX", multi_class=0,
        ),
        helper.make_node(
            "ZipMap", ["raw"], ["scores"], domain="ai.onnx.ml",
            classlabels_strings=["cheap", "dear"],
        ),
    ]  # fmt: skip
    scores = helper.make_map_type_proto(
        TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    )
    graph = helper.make_graph(
        nodes,
        "columns",
        [
            helper.make_tensor_value_info("kind", TensorProto.STRING, [None, 1]),
            helper.make_tensor_value_info("size", TensorProto.FLOAT, [None, 1]),
        ],
        [
            helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
            helper.make_value_info("scores", helper.make_sequence_type_proto(scores)),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )
