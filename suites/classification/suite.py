"""Find solicitations in conversations of up to 512 tokens: BERT, DistilBERT and ONNX on CPUs."""

from pytest_infperf import Onnx, OpenVino, Suite, Sweep, TextClassification, Torch
from pytest_infperf.metrics.f1 import F1

BERT = "models/bert-solicitation"
DISTILBERT = "models/distilbert-solicitation"


def optimised(name, model):
    return [
        Torch(model=model, id=name),
        Torch(model=model, int8="dynamic", id=f"{name}-int8"),
        Onnx(model=model, id=f"{name}-onnx"),
        Onnx(model=model, fused=True, id=f"{name}-onnx-fused"),
        Onnx(model=model, int8="dynamic", id=f"{name}-onnx-int8"),
        Onnx(model=model, fused=True, int8="dynamic", id=f"{name}-onnx-fused-int8"),
        OpenVino(model=model, id=f"{name}-openvino"),
    ]


suite = Suite(
    "classification",
    task=TextClassification(
        data="data/test.jsonl",
        metrics=("accuracy", F1(positive="solicitation")),
        sample_size=160,
    ),
    model=BERT,
    baseline="bert",
    threads="best",
    variants=[*optimised("bert", BERT), *optimised("distilbert", DISTILBERT)],
    sweeps=[Sweep("length", (16, 64, 256, 512))],
)
