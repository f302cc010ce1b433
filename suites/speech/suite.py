"""Spoken digits on CPUs: DeepSpeech2 against its dynamic quantisation, and against a GPU.

After the study of dynamic quantisation of DeepSpeech2: word error rate against latency.
"""

from pytest_infperf import Onnx, OpenVino, SpeechRecognition, Suite, Sweep, Torch

suite = Suite(
    "speech",
    task=SpeechRecognition(recordings="data/fsdd-test"),
    model="models/deepspeech2-digits",
    baseline="torch",
    threads="best",
    variants=[
        Torch(),
        Torch(int8="dynamic"),
        Onnx(),
        Onnx(int8="dynamic"),
        OpenVino(),
        Torch(device="cuda"),
    ],
    sweeps=[Sweep("length", (1, 2, 4, 7))],
)
