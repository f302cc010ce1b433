"""Classify photos in a folder for each class, with a Vision Transformer of transformers."""

from pytest_infperf import ImageClassification, Onnx, Suite, Torch

suite = Suite(
    "photos",
    task=ImageClassification(data="photos"),
    model="vit",
    baseline="torch",
    threads=1,
    variants=[Torch(), Torch(int8="dynamic"), Onnx()],
)
