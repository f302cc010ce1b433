"""Translate en-zh on CPUs: torch against ONNX Runtime and CTranslate2 in int8."""

from pytest_infperf import Bleu, CTranslate2, Onnx, Suite, Torch, Translation

DATA = "../translation/data"

suite = Suite(
    "translation-en-zh",
    task=Translation(
        source=f"{DATA}/test.eng",
        reference=f"{DATA}/test.zho",
        metrics=(Bleu(tokenize="zh"), "chrf"),
        beams=1,
    ),
    model="models/marian-en-zh",
    baseline="torch",
    threads="best",
    variants=[Torch(), Onnx(fused=True, int8="dynamic"), CTranslate2(int8=True)],
)
