"""Serve translation over HTTP under load: base, quantised, fused, distilled, and an RNN."""

from pytest_infperf import ClosedLoop, Offline, Onnx, Server, Soak, Suite, Torch, Translation

DATA = "../../translation/data"
MODELS = "../../translation/models"

suite = Suite(
    "serving-translation",
    task=Translation(source=f"{DATA}/test.zho", reference=f"{DATA}/test.eng"),
    model=f"{MODELS}/marian-zh-en-base",
    baseline="torch",
    threads=1,
    variants=[
        Torch(),
        Onnx(int8="dynamic"),
        Onnx(fused=True),
        Onnx(fused=True, int8="dynamic"),
        Onnx(
            model=f"{MODELS}/marian-zh-en-distilled",
            fused=True,
            int8="dynamic",
            id="distilled-fastest",
        ),
        Onnx(model=f"{MODELS}/rnn-zh-en", id="rnn-onnx"),
    ],
    loads=[
        ClosedLoop(1, seconds=3, full_seconds=60),
        ClosedLoop(4, seconds=3),
        Server(limit_s=0.5, trial_s=2, seconds=5, precision=0.2, full_seconds=60),
        Offline(seconds=4, full_seconds=60),
        Soak(limit_s=0.5, trial_s=2, seconds=5, precision=0.2),
    ],
)
