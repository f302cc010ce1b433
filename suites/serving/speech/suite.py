"""Serve the recognition of spoken digits over HTTP: DeepSpeech2, as it is and quantised."""

from pytest_infperf import ClosedLoop, Serving, SingleStream, SpeechRecognition, Suite, Torch
from suites.speech.utterances import RATE, utterances

suite = Suite(
    "serving-speech",
    task=SpeechRecognition(data=utterances, rate=RATE, sample_size=1000),
    model="../../speech/models/deepspeech2-digits",
    baseline="torch",
    threads=1,
    variants=[Torch(), Torch(int8="dynamic")],
    serving=Serving(max_body_bytes=1024 * 1024),
    loads=[ClosedLoop(1, seconds=2, full_seconds=60), SingleStream(requests=1000)],
)
