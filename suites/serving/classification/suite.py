"""Serve classification of up to 512 tokens over HTTP, with the study's latency limit of 250 ms."""

from pytest_infperf import (
    ClosedLoop,
    Onnx,
    Server,
    Serving,
    SingleStream,
    Soak,
    Suite,
    TextClassification,
    Torch,
)
from suites.serving.classification.listings import ListingPayload

MODELS = "../../classification/models"

suite = Suite(
    "serving-classification",
    task=TextClassification(data="../../classification/data/test.jsonl"),
    model=f"{MODELS}/bert-solicitation",
    baseline="bert",
    threads=1,
    variants=[
        Torch(id="bert"),
        Onnx(
            model=f"{MODELS}/distilbert-solicitation",
            fused=True,
            int8="dynamic",
            id="distilbert-onnx-fused-int8",
        ),
    ],
    serving=Serving(payloads=[ListingPayload()]),
    loads=[
        ClosedLoop(1, seconds=4, full_seconds=60),
        ClosedLoop(2, seconds=4),
        SingleStream(requests=60, repeats=12, payload="listings"),
        Server(limit_s=0.25, trial_s=2, seconds=5, precision=0.2, full_seconds=60),
        Soak(limit_s=0.25, trial_s=2, seconds=5, precision=0.2),
    ],
)
