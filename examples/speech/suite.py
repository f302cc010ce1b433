"""Recognise spoken digits in the wav files of a manifest, with a wav2vec2 of transformers."""

from pytest_infperf import Onnx, SpeechRecognition, Suite, Torch

suite = Suite(
    "digits",
    task=SpeechRecognition(data="manifest.jsonl", audio="audio_filepath", rate=8000),
    model="wav2vec2",
    baseline="torch",
    threads=1,
    variants=[Torch(), Onnx()],
)
