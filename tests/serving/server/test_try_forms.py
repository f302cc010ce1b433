"""The forms for images, sound and JSON, filled in and sent by a real browser."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import subprocess
import wave
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import aiohttp
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.serving.server.conftest import written
from tests.serving.server.echo_server import PREDICT, REFUSING, Running, Serve
from tests.serving.server.test_try_page import browser as browser

SUITE = """
from pytest_infperf import Echo, Fake, Suite
from pytest_infperf.tasks import payloads
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

class Task(Echo):
    def codec(self, model):
        return Seen()

    def payload(self, codec):
        return payloads.PAYLOAD

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


def serving(serve: Serve, folder: Path, payload: str) -> Running:
    suite = SUITE.replace("payloads.PAYLOAD", f"payloads.{payload}")
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
  while (status.textContent === "…" || !status.textContent)
    await new Promise((resolve) => setTimeout(resolve, 20));
  return [answer.innerText, status.className ? status.textContent : ""];
})()
"""


def sent(browser: str, url: str, folder: Path, fill: str) -> list[str]:
    """Fill the form in by a script and send it; return the text of the answer and the error."""
    profile = folder / "profile"
    process = subprocess.Popen(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run",
            "--disable-background-networking", url,
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = monotonic() + 30
        while not (profile / "DevToolsActivePort").exists() and monotonic() < until:
            sleep(0.05)
        port = (profile / "DevToolsActivePort").read_text().splitlines()[0]
        return asyncio.run(_evaluated(port, url, SEND % fill))
    finally:
        process.terminate()
        process.wait(30)


async def _evaluated(port: str, url: str, script: str) -> Any:
    async with aiohttp.ClientSession() as session:
        page: dict[str, Any] = {}
        while page.get("url") != f"{url}/":
            async with session.get(f"http://127.0.0.1:{port}/json") as response:
                pages = await response.json()
            page = next((page for page in pages if page["type"] == "page"), {})
            await asyncio.sleep(0.05)
        async with session.ws_connect(page["webSocketDebuggerUrl"]) as connection:
            ready = f"document.readyState === 'complete' ? {script} : null"
            for number in range(100):
                call = {"expression": ready, "awaitPromise": True, "returnByValue": True}
                request = {"id": number, "method": "Runtime.evaluate", "params": call}
                await connection.send_json(request)
                reply = await connection.receive_json(timeout=30)
                if value := reply["result"]["result"].get("value"):
                    return value
                await asyncio.sleep(0.05)
    raise AssertionError(reply)


def files(**named: bytes) -> str:
    encoded = [[name, base64.b64encode(content).decode()] for name, content in named.items()]
    return FILL_FILES % json.dumps(encoded)


LABELLED = "dog: 0.75\ncat: 0.25"


def test_images_are_sent_as_they_are(serve: Serve, browser: str, tmp_path: Path) -> None:
    server = serving(serve, tmp_path, "PhotoToLabel()")
    fill = files(small=png(4, 6, 9), large=png(40, 20, 200))
    answer, error = sent(browser, server.url, tmp_path, fill)
    assert not error
    assert answer.splitlines()[0].split("\t") == ["", "label", "probabilities"]
    assert f"small\t4 6 3 9.0\t{LABELLED}" in answer
    assert f"large\t40 20 3 200.0\t{LABELLED}" in answer


def test_images_of_one_size_are_scaled_and_made_grey(
    serve: Serve, browser: str, tmp_path: Path
) -> None:
    server = serving(serve, tmp_path, "ImageToLabel(2, 3)")
    answer, error = sent(browser, server.url, tmp_path, files(big=png(50, 90, 77)))
    assert not error
    assert "big\t2 3 77.0\t" in answer


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2)])
def test_sound_is_sent_at_the_rate_of_the_model_and_mono(
    serve: Serve, browser: str, tmp_path: Path, rate: int, channels: int
) -> None:
    server = serving(serve, tmp_path, "SpeechToText(16000)")
    fill = files(hello=sound(rate, 0.5, channels))
    answer, error = sent(browser, server.url, tmp_path, fill)
    assert not error
    [_, row] = answer.splitlines()
    name, seen = row.split("\t")
    count, peak = seen.split()
    assert (name, count) == ("hello", "8000")
    assert float(peak) == pytest.approx(0.5, abs=0.1)


def test_a_file_that_is_no_sound_is_an_error(serve: Serve, browser: str, tmp_path: Path) -> None:
    server = serving(serve, tmp_path, "SpeechToText(16000)")
    answer, error = sent(browser, server.url, tmp_path, files(text=b"hello"))
    assert not answer
    assert "decode" in error


def test_json_is_sent_as_it_is(serve: Serve, browser: str, tmp_path: Path) -> None:
    server = serving(serve, tmp_path, "RowToScore(dict)")
    fill = """input.value = '[{"a": 1}, {"a": "x", "b": null}]';"""
    answer, error = sent(browser, server.url, tmp_path, fill)
    assert not error
    assert answer.split() == ["prediction", "0", "8", "1", "21"]


@pytest.mark.parametrize(
    ("typed", "reason"), [("{", "JSON"), ('[{"a": true}]', "integer"), ("[]", "at least 1")]
)
def test_json_that_is_refused(
    serve: Serve, browser: str, tmp_path: Path, typed: str, reason: str
) -> None:
    server = serving(serve, tmp_path, "RowToScore(dict)")
    answer, error = sent(browser, server.url, tmp_path, f"input.value = {json.dumps(typed)};")
    assert not answer
    assert reason in error


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_payload_conforms_to_its_description(
    serve: Serve, tmp_path: Path, payload: str
) -> None:
    """What the description allows is answered, and what it does not allow is refused."""
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
