"""Tell the cultivar of a wine from its chemistry, by scikit-learn and by a small network."""

from pytest_infperf import Onnx, Sklearn, Suite, TabularClassification, Torch

suite = Suite(
    "wine",
    task=TabularClassification(
        data="wine.csv", label="cultivar", classes=["barolo", "grignolino", "barbera"]
    ),
    baseline="sklearn",
    threads=1,
    variants=[Sklearn("pipeline.skops"), Torch(model="mlp"), Onnx(model="mlp")],
)
