"""Recognise spoken digits: DeepSpeech2 and its quantised variants on CPUs, and on a GPU.

The suite follows a study that compares word error rate and latency of dynamic quantisation.
"""

from pytest_infperf import Onnx, OpenVino, SpeechRecognition, Suite, Sweep, Torch

from .utterances import RATE, utterances

suite = Suite(
    "speech",
    # The whole set is scored, because the interval of 120 samples is wider than the limits.
    task=SpeechRecognition(data=utterances, rate=RATE, sample_size=1000),
    model="models/deepspeech2-digits",
    baseline="torch",
    threads="best",
    variants=[
        Torch(),
        Torch(int8="dynamic"),
        Torch(model="models/deepspeech2-digits-qat", int8="dynamic", id="torch-int8-qat"),
        Onnx(),
        Onnx(int8="dynamic"),
        OpenVino(),
        Torch(device="cuda"),
    ],
    sweeps=[Sweep("length", (1, 2, 4, 7))],
)
