"""Find solicitations in the messages of a CSV file, with a classifier of transformers."""

from pytest_infperf import Onnx, Suite, TextClassification, Torch

suite = Suite(
    "messages",
    task=TextClassification(data="messages.csv", text="message", label="kind"),
    model="../../suites/classification/models/distilbert-solicitation",
    baseline="torch",
    threads=1,
    variants=[Torch(), Torch(int8="dynamic"), Onnx(), Onnx(fused=True, int8="dynamic")],
)
