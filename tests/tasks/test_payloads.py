"""Requests of each task: a sample that a client sends arrives unchanged at the server."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from pytest_infperf.errors import UserError
from pytest_infperf.suite.payload import About, Answer, Payload
from pytest_infperf.suite.serving import Serving
from pytest_infperf.tasks import image_payloads, payloads
from pytest_infperf.tasks.image_payloads import ImageToLabel, PhotoToLabel
from pytest_infperf.tasks.payloads import SpeechToText, TextToLabel, TextToText, WordsToTags
from pytest_infperf.tasks.prompt_payload import PromptToText
from suites.serving.classification.listings import ListingPayload

ABOUT = About("suite", "variant", "artifact-1")


def through_json(payload: Payload, samples: list[Any]) -> list[Any]:
    """Return the samples that a server reads from the request of a client."""
    text = payload.ask(samples).model_dump_json()
    return payload.samples(payload.request.model_validate_json(text))


def test_texts() -> None:
    assert through_json(TextToText(), ["你好", "a\nb"]) == ["你好", "a\nb"]
    response = TextToText().respond(None, [Answer("hello"), Answer("you")], ABOUT)
    assert response.model_dump() == {"predictions": ["hello", "you"]}


def test_prompts() -> None:
    chat = [{"role": "user", "content": "你好"}, {"role": "assistant", "content": ""}]
    assert through_json(PromptToText(), ["a\nb", chat]) == ["a\nb", chat]
    for instances in ([[]], [""], [[{"role": "user"}]], [[{**chat[0], "name": "Ann"}]]):
        with pytest.raises(ValidationError):
            PromptToText.request.model_validate({"instances": instances})


def test_labels_come_with_their_probabilities() -> None:
    response = TextToLabel().respond(None, [Answer("spam", {"spam": 0.9, "ham": 0.1})], ABOUT)
    assert response.model_dump()["predictions"] == [
        {"label": "spam", "probabilities": {"spam": 0.9, "ham": 0.1}}
    ]


def test_sentences() -> None:
    assert through_json(WordsToTags(), [["Ann", "sang"], ["go"]]) == [["Ann", "sang"], ["go"]]
    response = WordsToTags().respond(None, [Answer(["B-PER", "O"]), Answer(["O"])], ABOUT)
    assert response.model_dump() == {"predictions": [["B-PER", "O"], ["O"]]}
    for instances in ([[]], ["Ann sang"], [[1]], []):
        with pytest.raises(ValidationError):
            WordsToTags.request.model_validate({"instances": instances})


def test_images() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    [received] = through_json(ImageToLabel(3, 4), [image])
    assert received.dtype == np.uint8
    assert (received == image).all()


@pytest.mark.parametrize("shape", [(2, 4), (3, 5)])
def test_images_of_another_size(shape: tuple[int, int]) -> None:
    payload = ImageToLabel(3, 4)
    with pytest.raises(ValueError, match="instance 0 must have 3 rows of 4 pixels"):
        through_json(payload, [np.zeros(shape, np.uint8)])


def test_values_that_are_not_pixels() -> None:
    for pixel in (-1, 256, 0.5, None):
        with pytest.raises(ValidationError):
            ImageToLabel(1, 1).request.model_validate({"instances": [[[pixel]]]})


def test_coloured_images_become_the_grey_ones_of_the_model() -> None:
    image = np.full((1, 2, 3), 9, np.uint8)
    assert through_json(ImageToLabel(1, 2), [image])[0].tolist() == [[9, 9]]


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 3)])
def test_photos(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    [received] = through_json(PhotoToLabel(), [image])
    assert np.array_equal(received, image)
    assert through_json(PhotoToLabel((3, 4)), [image])


def photo(rows: int = 2, columns: int = 2, format_: str = "png") -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (columns, rows)).save(buffer, format_)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(
    ("photos", "words"),
    [
        (["!!!"], "instance 0 cannot be read as a JPEG or PNG file in base64"),
        (["ü"], "instance 0 cannot be read as a JPEG or PNG file in base64"),
        ([photo(), photo(format_="gif")], "instance 1 cannot be read .* in the formats JPEG, PNG"),
        ([photo()[:60]], "instance 0 .*damaged"),
        ([photo(2, 61)], "instance 0 has 2 rows of 61 pixels: one side may be at most 30 times"),
        ([photo(9, 9), photo(5, 4)], "instance 1 .*it has 4 x 5 pixels, but 19 are allowed"),
    ],
)
def test_photos_that_are_refused(
    photos: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_payloads, "MAX_PIXELS", 100 if len(photos) > 1 else 200)
    payload = PhotoToLabel()
    request = payload.request.model_validate({"instances": [{"b64": photo} for photo in photos]})
    with pytest.raises(ValueError, match=words):
        payload.samples(request)


def test_photos_of_another_size_than_the_model_takes() -> None:
    request = PhotoToLabel.request.model_validate({"instances": [{"b64": photo(4, 3)}]})
    with pytest.raises(ValueError, match="instance 0 must have 3 rows of 4 pixels"):
        PhotoToLabel((3, 4)).samples(request)


@pytest.mark.filterwarnings("ignore")
def test_a_photo_that_would_fill_the_memory_is_refused() -> None:
    import struct
    import zlib

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    bomb += struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 0) + b"IDAT" + b"\0" * 4
    instance = {"b64": base64.b64encode(bomb).decode()}
    with pytest.raises(ValueError, match=r"instance 0 .*too many pixels"):
        PhotoToLabel().samples(PhotoToLabel.request.model_validate({"instances": [instance]}))


def test_ranked_labels_are_answered_as_they_are() -> None:
    answers = [Answer(["cat", "dog"]), Answer([3, 1])]
    response = PhotoToLabel().respond(None, answers, ABOUT)
    assert [row["label"] for row in response.model_dump()["predictions"]] == [
        ["cat", "dog"],
        [3, 1],
    ]


def test_recordings() -> None:
    sound = (0.5 * np.sin(np.arange(4000) / 10)).astype(np.float32)
    [received] = through_json(SpeechToText(8000), [sound])
    assert np.abs(received - sound).max() < 1e-4


def recording(*, rate: int = 8000, channels: int = 1, seconds: float = 0.5) -> str:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\0\0" * channels * int(rate * seconds))
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        ("!!!", "is not a WAV file in base64"),
        (base64.b64encode(b"RIFF nothing").decode(), "is not a WAV file in base64"),
        (recording(rate=16000), "8000 Hz"),
        (recording(channels=2), "mono"),
        (recording(seconds=0.01), "shorter than 0.1 s"),
    ],
)
def test_sounds_that_are_not_wav_files(sound: str, words: str) -> None:
    payload = SpeechToText(8000)
    request = payload.request.model_validate({"instances": [{"b64": sound}]})
    with pytest.raises(ValueError, match=words):
        payload.samples(request)


def test_the_json_of_the_serving_study() -> None:
    payload = ListingPayload()
    request = payload.request.model_validate(
        {
            "transactionContext": {"transactionId": "t-1"},
            "attributes": {"listingDescription": "call me"},
        }
    )
    assert payload.samples(request) == ["call me"]
    answer = Answer("solicitation", {"clean": 0.2, "solicitation": 0.8})
    assert payload.respond(request, [answer], ABOUT).model_dump() == {
        "modelCode": "suite",
        "modelVersion": "variant",
        "refreshVersion": "artifact-1",
        "probabilityScore": 0.8,
        "modelSegment": "all",
        "topContributor": None,
        "scoreDetails": {"label": "solicitation"},
    }
    assert through_json(payload, ["call me"]) == ["call me"]
    with pytest.raises(ValidationError):
        payload.request.model_validate({"attributes": {"listingDescription": "x"}})


@pytest.mark.parametrize("pixel", ["1", 1.0, True, None, -1, 256])
def test_a_pixel_is_an_integer(pixel: object) -> None:
    with pytest.raises(ValidationError):
        image_payloads.Images.model_validate({"instances": [[[pixel]]]})


@pytest.mark.parametrize("cell", [1, 1.5, "1", None])
def test_a_cell_keeps_its_type(cell: object) -> None:
    row = payloads.Rows.model_validate({"instances": [{"a": cell}]}).instances[0]
    assert (row["a"], type(row["a"])) == (cell, type(cell))


@pytest.mark.parametrize("cell", [True, [1], {"b": 1}, float("nan"), "a" * 50_001])
def test_invalid_cells_are_refused(cell: object) -> None:
    with pytest.raises(ValidationError):
        payloads.Rows.model_validate({"instances": [{"a": cell}]})


@pytest.mark.parametrize(
    "request_",
    [
        payloads.Texts, payloads.TextPairs, payloads.Sentences, payloads.Rows,
        image_payloads.Images, image_payloads.Photos, payloads.Recordings,
    ],
)  # fmt: skip
def test_everything_that_can_be_long_has_its_limit_in_the_schema(
    request_: type[BaseModel],
) -> None:
    def without_limit(schema: Any) -> Iterator[Any]:
        if isinstance(schema, list):
            for part in schema:
                yield from without_limit(part)
        elif isinstance(schema, dict):
            limits = {"string": "maxLength", "array": "maxItems", "object": "maxProperties"}
            limit = limits.get(schema.get("type", ""))
            if limit and limit not in schema and schema.get("additionalProperties") is not False:
                yield schema
            yield from without_limit(list(schema.values()))

    assert list(without_limit(request_.model_json_schema())) == []


def scored(payload: ListingPayload, text: str, weights: dict[str, float]) -> tuple[list[str], Any]:
    """Return the samples of a listing and the response, if a model adds the weights of words."""
    request = payload.ask([text])
    samples = payload.samples(request)
    scores = [sum(weight for word, weight in weights.items() if word in s) for s in samples]
    answers = [Answer("clean", {"clean": 1 - score, "solicitation": score}) for score in scores]
    return samples, payload.respond(request, answers, ABOUT).model_dump()


def test_the_sentence_without_which_the_probability_changes_most() -> None:
    text = "Nice flat. Call me now!  Near v1.2 of the park?\nNo pets"
    payload = ListingPayload(top_contributor="occlusion")
    samples, response = scored(payload, text, {"Call": 0.5, "flat": 0.2, "pets": 0.1})
    assert samples == [
        text,
        "Call me now!  Near v1.2 of the park?\nNo pets",
        "Nice flat. Near v1.2 of the park?\nNo pets",
        "Nice flat. Call me now!  No pets",
        "Nice flat. Call me now!  Near v1.2 of the park?\n",
    ]
    assert response["topContributor"] == "Call me now!"
    assert response["probabilityScore"] == pytest.approx(0.8)
    _, lowered = scored(payload, text, {"Call": 0.3, "pets": -0.2, "park": 0.6})
    assert lowered["topContributor"] == "Near v1.2 of the park?"


def test_a_single_sentence_is_the_top_contributor_without_another_query() -> None:
    payload = ListingPayload(top_contributor="occlusion")
    samples, response = scored(payload, " Call me ", {"Call": 0.5})
    assert samples == [" Call me "]
    assert response["topContributor"] == "Call me"


def test_sentences_beyond_the_limit_stay_in_all_samples() -> None:
    text = "Go. " * 70
    samples, _ = scored(ListingPayload(top_contributor="occlusion"), text, {})
    assert len(samples) == 1 + 50
    assert all(len(sample) == 4 * 69 for sample in samples[1:])


def test_an_unknown_method_of_explaining() -> None:
    with pytest.raises(UserError, match=r"top_contributor='lime'.*there is 'occlusion'"):
        ListingPayload(top_contributor="lime")


def test_the_schema_says_why_there_is_no_top_contributor() -> None:
    about = ListingPayload.response.model_json_schema()["properties"]["topContributor"]
    assert "Null, as the models do not explain their scores" in about["description"]


def test_a_usual_request_fits_into_the_default_limit_of_its_payload() -> None:
    for rate in (8000, 16_000, 48_000):
        payload = SpeechToText(rate)
        body = payload.ask([np.zeros(30 * rate, np.float32)]).model_dump_json()
        limit = Serving().body_limit(payload)
        assert limit - 5000 < len(body) <= limit
    assert Serving().body_limit(PhotoToLabel()) == 8_000_000
    assert Serving().body_limit(TextToLabel()) == 262_144
    pixels = ImageToLabel(500, 400)
    body = json.dumps({"instances": [np.full((500, 400), 255, np.uint8).tolist()]})
    assert len(body) <= Serving().body_limit(pixels)


def test_the_limit_of_a_suite_counts_all_its_payloads() -> None:
    assert Serving(payloads=[PhotoToLabel()]).body_limit(TextToLabel()) == 8_000_000
    assert Serving(max_body_bytes=99, payloads=[PhotoToLabel()]).body_limit(TextToLabel()) == 99
