"""What requests and responses look like: pairs of pydantic models, and the way to samples and back.

The paths and words of a task's own payload are those of KServe's V1 inference protocol, which
TensorFlow Serving had first: `{"instances": [...]}` in, `{"predictions": [...]}` out.
"""

from __future__ import annotations

import base64
import binascii
import io
import wave
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pytest_infperf.suite.payload import About, Answer, Payload

MAX_INSTANCES = 256
MAX_CHARACTERS = 50_000
"""Of one text: more than any of the models reads of it."""


class Instances(Payload):
    """`instances` in, `predictions` out, one each."""

    def path(self, suite: str) -> str:
        return f"/v1/models/{suite}:predict"

    def samples(self, request: Any) -> list[Any]:
        return list(request.instances)

    def respond(self, request: Any, answers: Sequence[Answer], about: About) -> BaseModel:
        return self.response(predictions=[self.prediction(answer) for answer in answers])

    def prediction(self, answer: Answer) -> Any:
        return answer.output

    def ask(self, samples: Sequence[Any]) -> BaseModel:
        return self.request(instances=[self.instance(sample) for sample in samples])

    def instance(self, sample: Any) -> Any:
        return sample


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


# What is white space differs between Python's, Rust's and JavaScript's \s by these characters.
_VISIBLE = r"[^\s\x1c-\x1f\x85\ufeff]"
Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARACTERS, pattern=_VISIBLE)]


class Texts(Strict):
    instances: Annotated[list[Text], Field(min_length=1, max_length=MAX_INSTANCES)]


class WrittenTexts(Strict):
    predictions: list[str]


class TextToText(Instances):
    request = Texts
    response = WrittenTexts
    form = "translate"


class Label(Strict):
    label: str | int
    probabilities: dict[str, float] | None = None


class Labels(Strict):
    predictions: list[Label]


class ToLabel(Instances):
    """Of a classifier: the label, with its probabilities where the model has any."""

    response = Labels

    def prediction(self, answer: Answer) -> Label:
        probabilities = answer.probabilities
        return Label(
            label=answer.output, probabilities=dict(probabilities) if probabilities else None
        )


class TextToLabel(ToLabel):
    request = Texts
    form = "label"


Pixel = Annotated[int, Field(ge=0, le=255)]


class Images(Strict):
    instances: Annotated[list[list[list[Pixel]]], Field(min_length=1, max_length=MAX_INSTANCES)]
    """Rows of pixels from 0 to 255, an image each."""


class ImageToLabel(ToLabel):
    request = Images

    def __init__(self, rows: int, columns: int) -> None:
        self._shape = (rows, columns)

    def samples(self, request: Any) -> list[Any]:
        import numpy as np

        rows, columns = self._shape
        for number, image in enumerate(request.instances):
            if len(image) != rows or any(len(row) != columns for row in image):
                raise ValueError(f"instance {number} has not {rows} rows of {columns} pixels")
        return [np.array(image, np.uint8) for image in request.instances]

    def instance(self, sample: Any) -> Any:
        return sample.tolist()


_SHORTEST_S = 0.1


class Recording(Strict):
    b64: Annotated[str, Field(min_length=1)]
    """A WAV file: mono, 16 bits."""


class Recordings(Strict):
    instances: Annotated[list[Recording], Field(min_length=1, max_length=MAX_INSTANCES)]


class SpeechToText(Instances):
    request = Recordings
    response = WrittenTexts

    def __init__(self, rate: int) -> None:
        self._rate = rate

    def samples(self, request: Any) -> list[Any]:
        return [self._waveform(n, instance.b64) for n, instance in enumerate(request.instances)]

    def _waveform(self, number: int, encoded: str) -> Any:
        import numpy as np

        wanted = f"a WAV file in base64, mono, 16 bits, {self._rate} samples a second"
        try:
            with wave.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as file:
                form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
                frames = file.readframes(file.getnframes())
        except (binascii.Error, wave.Error, EOFError) as error:
            raise ValueError(f"instance {number} is not {wanted} ({error})") from None
        if form != (1, 2, self._rate):
            raise ValueError(f"instance {number} is not {wanted}")
        if len(frames) < 2 * self._rate * _SHORTEST_S:
            raise ValueError(f"instance {number} is shorter than {_SHORTEST_S} s")
        return np.frombuffer(frames, "<i2").astype(np.float32) / 32768

    def instance(self, sample: Any) -> Any:
        import numpy as np

        written = io.BytesIO()
        with wave.open(written, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self._rate)
            file.writeframes(np.round(np.clip(sample, -1, 1) * 32767).astype("<i2").tobytes())
        return Recording(b64=base64.b64encode(written.getvalue()).decode())
