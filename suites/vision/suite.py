"""Classify MNIST on CPUs: a small Inception and softmax regression, quantised with calibration."""

from pytest_infperf import ImageClassification, Onnx, OpenVino, Suite, Sweep, Torch

SOFTMAX = "models/mnist-softmax"

suite = Suite(
    "vision",
    task=ImageClassification(
        images="data/t10k-images-idx3-ubyte.gz", labels="data/t10k-labels-idx1-ubyte.gz"
    ),
    model="models/mnist-inception",
    baseline="torch",
    threads="best",
    variants=[
        Torch(),
        Torch(int8="static"),
        Onnx(),
        Onnx(fused=True),
        Onnx(int8="static"),
        OpenVino(),
        OpenVino(int8=True),
        Torch(model=SOFTMAX, threads=1, id="softmax-torch"),
        Torch(model=SOFTMAX, threads=1, int8="static", id="softmax-torch-int8"),
        Onnx(model=SOFTMAX, threads=1, id="softmax-onnx"),
        Onnx(model=SOFTMAX, threads=1, int8="static", id="softmax-onnx-int8"),
        OpenVino(model=SOFTMAX, threads=1, id="softmax-openvino"),
        OpenVino(model=SOFTMAX, threads=1, int8=True, id="softmax-openvino-int8"),
    ],
    sweeps=[Sweep("batch", (1, 4, 16, 64, 256))],
)
