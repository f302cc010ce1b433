"""The forms for images, sound and JSON, used in a real browser."""

from __future__ import annotations

import base64
import io
import json
import wave
from pathlib import Path

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests import chromium
from tests.chromium import Page
from tests.serving.server.conftest import written
from tests.serving.server.echo_server import PREDICT, REFUSING, Running, Serve

SUITE = """
import numpy as np

from pytest_infperf import Echo, Fake, Samples, Suite
from pytest_infperf.tasks.image_payloads import *
from pytest_infperf.tasks.payloads import *
from pytest_infperf.tasks.echo import EchoCodec

def seen(sample):
    if hasattr(sample, "shape"):
        return " ".join(map(str, [*sample.shape, round(float(sample.max()), 4)]))
    return str(sample)

class Seen(EchoCodec):
    def encode(self, inputs, length=None):
        return [seen(sample) for sample in inputs]

    def decode(self, results, features):
        return [ANSWER(text) for text in results]

    def probabilities(self, results):
        return [{"cat": 0.25, "dog": 0.75} for _ in results]

    def cut(self, inputs):
        return [isinstance(sample, str) and len(sample) > 20 for sample in inputs]

class Task(Echo):
    def samples(self, folder):
        return EXAMPLES or super().samples(folder)

    def codec(self, model):
        return Seen()

    def payload(self, codec):
        return PAYLOAD

suite = Suite("echo", task=Task(), model="model", variants=[Fake()])
"""

PAYLOADS = {
    "PhotoToLabel()": "str",
    "ImageToLabel(2, 3)": "str",
    "SpeechToText(16000)": "str",
    "PairToLabel()": "str",
    "WordsToTags()": "str.split",
    "RowToScore(dict)": "len",
    "TextToVector()": "lambda text: [len(text), 0.5]",
}
"""Expressions of payloads, with what makes their output of a text."""


def serving(serve: Serve, folder: Path, payload: str, examples: str = "None") -> Running:
    """Serve a payload, with inputs of the suite's data as examples; an expression for each."""
    suite = SUITE.replace("PAYLOAD", payload).replace("EXAMPLES", examples)
    return serve(
        folder=written(folder, suite.replace("ANSWER(text)", f"({PAYLOADS[payload]})(text)"))
    )


def png(rows: int, columns: int, value: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.full((rows, columns, 3), value, np.uint8)).save(buffer, "png")
    return buffer.getvalue()


def sound(rate: int, seconds: float, channels: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.full(round(rate * seconds) * channels, 16384, "<i2").tobytes())
    return buffer.getvalue()


FILL_FILES = """
    const data = new DataTransfer();
    for (const [name, content] of %s)
      data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
    input.files = data.files;
"""
SEND = """
(async () => {
  %s
  form.requestSubmit();
  while (form.ariaBusy === "true") await new Promise((resolve) => setTimeout(resolve, 20));
  const error = status.className === "wrong" ? status.textContent : "";
  return [answer.innerText, error, note.textContent];
})()
"""


def sent(page: Page, url: str, fill: str) -> list[str]:
    """Fill the form in by a script and send it; return the answer, the error and the note."""
    page.open(url)
    reply: list[str] = page.run(SEND % fill)
    return reply


def files(**named: bytes) -> str:
    encoded = [[name, base64.b64encode(content).decode()] for name, content in named.items()]
    return FILL_FILES % json.dumps(encoded)


LABELLED = "\ndog: 75.0 %\ncat: 25.0 %"


def test_images_are_sent_as_they_are(serve: Serve, page: Page, tmp_path: Path) -> None:
    server = serving(serve, tmp_path, "PhotoToLabel()")
    fill = files(small=png(4, 6, 9), large=png(40, 20, 200))
    answer, error, _ = sent(page, server.url, fill)
    assert not error
    assert answer.splitlines()[0].split("\t") == ["", "label", "probabilities"]
    assert f"small\t4 6 3 9.0\t{LABELLED}" in answer
    assert f"large\t40 20 3 200.0\t{LABELLED}" in answer


def test_images_of_one_size_are_scaled_and_made_grey(
    serve: Serve, page: Page, tmp_path: Path
) -> None:
    server = serving(serve, tmp_path, "ImageToLabel(2, 3)")
    answer, error, _ = sent(page, server.url, files(big=png(50, 90, 77)))
    assert not error
    assert "big\t2 3 77.0\t" in answer


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2)])
def test_sound_is_sent_at_the_rate_of_the_model_and_mono(
    serve: Serve, page: Page, tmp_path: Path, rate: int, channels: int
) -> None:
    server = serving(serve, tmp_path, "SpeechToText(16000)")
    fill = files(hello=sound(rate, 0.5, channels))
    answer, error, _ = sent(page, server.url, fill)
    assert not error
    [_, row] = answer.splitlines()
    name, seen = row.split("\t")
    count, peak = seen.split()
    assert (name, count) == ("hello", "8000")
    assert float(peak) == pytest.approx(0.5, abs=0.1)


def test_a_file_that_is_no_sound_is_an_error(serve: Serve, page: Page, tmp_path: Path) -> None:
    server = serving(serve, tmp_path, "SpeechToText(16000)")
    answer, error, _ = sent(page, server.url, files(text=b"hello"))
    assert not answer
    assert error == "“text” cannot be read as sound. Choose another file."


def test_json_is_sent_as_it_is(serve: Serve, page: Page, tmp_path: Path) -> None:
    server = serving(serve, tmp_path, "RowToScore(dict)")
    fill = """input.value = '[{"a": 1}, {"a": "x", "b": null}]';"""
    answer, error, _ = sent(page, server.url, fill)
    assert not error
    assert answer.split() == ["prediction", "1", "8", "2", "21"]


@pytest.mark.parametrize(
    ("typed", "reason"), [("{", "JSON"), ('[{"a": true}]', "integer"), ("[]", "at least 1")]
)
def test_json_that_is_refused(
    serve: Serve, page: Page, tmp_path: Path, typed: str, reason: str
) -> None:
    server = serving(serve, tmp_path, "RowToScore(dict)")
    answer, error, _ = sent(page, server.url, f"input.value = {json.dumps(typed)};")
    assert not answer
    assert reason in error


EXAMPLE = """document.querySelector("[name=example]").click();"""


@pytest.mark.parametrize(
    ("payload", "sample", "answer"),
    [
        ("PhotoToLabel()", "np.full((4, 6, 3), 9, np.uint8)", f"4 6 3 9.0\t{LABELLED}"),
        ("ImageToLabel(2, 3)", "np.full((2, 3), 77, np.uint8)", f"2 3 77.0\t{LABELLED}"),
        ("SpeechToText(16000)", "np.full(4000, 0.5, np.float32)", "4000 0.5"),
    ],
)
def test_an_example_of_the_data_is_shown_and_sent(
    serve: Serve, page: Page, tmp_path: Path, payload: str, sample: str, answer: str
) -> None:
    server = serving(serve, tmp_path, payload, f"Samples([{sample}], [''])")
    page.open(server.url)
    assert page.run(SEND % EXAMPLE) == [page.run("answer.innerText"), "", ""]
    assert f"Example 1\t{answer}" in page.run("answer.innerText")
    loaded = "document.querySelector('.chosen').firstChild.firstChild"
    kind = "readyState > 0" if payload.startswith("Speech") else "naturalWidth > 0"
    assert page.run(f"new Promise((r) => setTimeout(() => r({loaded}.{kind}), 500))")


def test_files_take_the_place_of_an_example(serve: Serve, page: Page, tmp_path: Path) -> None:
    sample = "Samples([np.full((2, 3), 77, np.uint8)], [''])"
    server = serving(serve, tmp_path, "ImageToLabel(2, 3)", sample)
    changed = files(big=png(50, 90, 5)) + "input.dispatchEvent(new Event('change'));"
    answer, error, _ = sent(page, server.url, EXAMPLE + changed)
    assert not error
    assert "big\t2 3 5.0\t" in answer
    assert "Example" not in answer


def test_large_samples_are_no_examples(serve: Serve, tmp_path: Path) -> None:
    sample = "Samples([np.zeros(16000 * 20, np.float32)], [''])"
    server = serving(serve, tmp_path, "SpeechToText(16000)", sample)
    assert "Example 1" not in server.get("/").body


def test_json_has_an_example(serve: Serve, page: Page, tmp_path: Path) -> None:
    sample = "Samples([{'a': 1.5, 'b': float('nan')}], [''])"
    server = serving(serve, tmp_path, "RowToScore(dict)", sample)
    page.open(server.url)
    page.run(EXAMPLE)
    assert json.loads(page.run("input.value")) == [{"a": 1.5, "b": None}]


def test_a_text_that_the_model_does_not_read_to_its_end_is_named(
    serve: Serve, page: Page, tmp_path: Path
) -> None:
    server = serving(serve, tmp_path, "TextToVector()")
    typed = "input.value = ['short', 'x'.repeat(21), 'fine', 'y'.repeat(99)].join('\\n');"
    _, error, note = sent(page, server.url, typed)
    assert not error
    assert note == (
        "The model did not read the end of the inputs 2, 4, which are longer than its limit."
    )
    _, _, note = sent(page, server.url, "input.value = 'short';")
    assert note == ""


def test_a_long_vector_is_cut_and_its_length_shown(
    serve: Serve, page: Page, tmp_path: Path
) -> None:
    server = serving(serve, tmp_path, "TextToVector()")
    page.open(server.url)
    assert page.run("vector(Array(768).fill(0.25))") == (
        "[0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, …] (768 numbers)"
    )


RECORD = """
(async () => {
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const button = form.elements.record;
  button.click();
  while (!recorder) await pause(20);
  const during = button.textContent;
  await pause(1000);
  button.click();
  while (!given && !status.textContent) await pause(20);
  return [during, button.textContent, status.textContent];
})()
"""


def test_sound_is_recorded_and_sent(serve: Serve, tmp_path: Path) -> None:
    server = serving(serve, tmp_path, "SpeechToText(16000)")
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with chromium.opened(tmp_path, *fake) as page:
        page.open(server.url)
        assert page.run(RECORD) == ["Stop (0 s)", "Record", ""]
        answer, error, _ = page.run(SEND % "")
    assert not error
    [_, row] = answer.splitlines()
    name, seen = row.split("\t")
    assert name == "Recording"
    assert int(seen.split()[0]) > 1600


def test_a_forbidden_microphone_is_reported(serve: Serve, page: Page, tmp_path: Path) -> None:
    server = serving(serve, tmp_path, "SpeechToText(16000)")
    page.open(server.url)
    refusing = (
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', '%s') };"
    )
    for name, message in {
        "NotAllowedError": "The browser may not use the microphone. Allow it for this page, "
        "then record again.",
        "NotFoundError": "No microphone was found. Choose a file instead.",
    }.items():
        page.run(refusing % name)
        page.run("record(form.elements.record)")
        assert page.run("status.textContent") == message


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_payload_conforms_to_its_description(
    serve: Serve, tmp_path: Path, payload: str
) -> None:
    """Requests that the description permits are answered, and others are refused."""
    server = serving(serve, tmp_path, payload)
    assert server.get("/").status == 200
    described = schemathesis.openapi.from_url(f"{server.url}/openapi.json", config=REFUSING)
    operation = described[PREDICT]["POST"]

    # That base64 is an image or sound, and that an image has the right size.
    is_file = payload.startswith(("Photo", "Image", "Speech"))
    beyond_schema = [positive_data_acceptance] if is_file else []

    @settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))
    def conforms(case: schemathesis.Case) -> None:
        case.call_and_validate(excluded_checks=beyond_schema)

    conforms()
