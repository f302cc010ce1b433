"""Serve MNIST over HTTP: softmax regression and a small Inception, the design space's first two."""

from pytest_infperf import ClosedLoop, ImageClassification, Onnx, SingleStream, Suite

DATA = "../../vision/data"
MODELS = "../../vision/models"

suite = Suite(
    "serving-vision",
    task=ImageClassification(
        images=f"{DATA}/t10k-images-idx3-ubyte.gz", labels=f"{DATA}/t10k-labels-idx1-ubyte.gz"
    ),
    baseline="softmax",
    threads=1,
    variants=[
        Onnx(model=f"{MODELS}/mnist-softmax", id="softmax"),
        Onnx(model=f"{MODELS}/mnist-inception", id="inception"),
    ],
    loads=[ClosedLoop(1, seconds=2, full_seconds=60), SingleStream(requests=1000)],
)
