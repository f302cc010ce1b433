"""Translate zh-en on CPUs: the base model against quantised, fused and distilled variants.

The suite also has an RNN on the same data, whose response time grows with the length of the input.
"""

from pytest_infperf import CTranslate2, Onnx, Suite, Sweep, Torch, Translation

BASE = "models/marian-zh-en-base"
DISTILLED = "models/marian-zh-en-distilled"
RNN = "models/rnn-zh-en"
SHORTLIST = f"{DISTILLED}/vmap.txt"

suite = Suite(
    "translation",
    task=Translation(source="data/test.zho", reference="data/test.eng", beams=1),
    model=BASE,
    baseline="torch",
    threads="best",
    variants=[
        Torch(),
        Torch(int8="dynamic"),
        Torch(dtype="bfloat16"),
        Onnx(),
        Onnx(fused=True),
        Onnx(int8="dynamic"),
        Onnx(fused=True, int8="dynamic"),
        CTranslate2(),
        CTranslate2(int8=True),
        CTranslate2(int8=True, vmap=SHORTLIST),
        Torch(model=DISTILLED, id="distilled"),
        Onnx(model=DISTILLED, fused=True, int8="dynamic", id="distilled-fastest"),
        CTranslate2(model=DISTILLED, int8=True, vmap=SHORTLIST, id="distilled-vmap"),
        Torch(model=RNN, id="rnn"),
        Torch(model=RNN, int8="dynamic", id="rnn-int8"),
        Onnx(model=RNN, id="rnn-onnx"),
        Onnx(model=RNN, int8="dynamic", id="rnn-onnx-int8"),
    ],
    sweeps=[Sweep("length", (1, 16, 128, 1171), variants="rnn*")],
)
