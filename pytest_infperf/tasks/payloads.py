"""Requests and responses of the tasks: pydantic models and their conversion to samples and back.

Paths and keys follow KServe's V1 inference protocol: `{"instances": [...]}` in requests and
`{"predictions": [...]}` in responses.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import wave
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StringConstraints

from pytest_infperf.suite.payload import About, Answer, Payload

MAX_INSTANCES = 256
MAX_CHARACTERS = 50_000
"""Maximum length of a text, in characters; models truncate texts well below it."""
MAX_WORDS = 10_000
"""Maximum length of a sentence, in words; models truncate sentences well below it."""


class Instances(Payload):
    """Payload with `instances` in the request and one prediction for each in the response."""

    def path(self, suite: str) -> str:
        return f"/v1/models/{suite}:predict"

    def samples(self, request: Any) -> list[Any]:
        return list(request.instances)

    def respond(self, request: Any, answers: Sequence[Answer], about: About) -> BaseModel:
        return self.response(predictions=[self.prediction(answer) for answer in answers])

    def prediction(self, answer: Answer) -> Any:
        return answer.output

    def outputs(self, response: Any) -> list[Any]:
        return [self.output(prediction) for prediction in response.predictions]

    def output(self, prediction: Any) -> Any:
        return prediction

    def ask(self, samples: Sequence[Any]) -> BaseModel:
        return self.request(instances=[self.instance(sample) for sample in samples])

    def instance(self, sample: Any) -> Any:
        return sample


class Strict(BaseModel):
    """Pydantic model that rejects unknown keys, infinity and NaN."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


# Python, Rust and JavaScript disagree whether \s matches these characters.
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
    label: str | int | list[str] | list[int]
    probabilities: dict[str, float] | None = None


class Labels(Strict):
    predictions: list[Label]


class ToLabel(Instances):
    """Payload of a classifier: the label, and the probabilities if the model returns them."""

    response = Labels

    def prediction(self, answer: Answer) -> Label:
        probabilities = answer.probabilities
        return Label(
            label=answer.output, probabilities=dict(probabilities) if probabilities else None
        )

    def output(self, prediction: Label) -> Any:
        return prediction.label


class TextToLabel(ToLabel):
    request = Texts
    form = "label"


class TextPair(Strict):
    text: Text
    text_pair: Text


class TextPairs(Strict):
    instances: Annotated[list[TextPair], Field(min_length=1, max_length=MAX_INSTANCES)]


class Pairs(Instances):
    """Payload for pairs of texts, with the keys of transformers pipelines."""

    request = TextPairs
    form = "json"
    form_example = '[{"text": "", "text_pair": ""}]'

    def samples(self, request: Any) -> list[Any]:
        return [(pair.text, pair.text_pair) for pair in request.instances]

    def instance(self, sample: Any) -> Any:
        text, text_pair = sample
        return TextPair(text=text, text_pair=text_pair)


class PairToLabel(Pairs, ToLabel):
    pass


Word = Annotated[str, StringConstraints(max_length=MAX_CHARACTERS)]


class Sentences(Strict):
    instances: Annotated[
        list[Annotated[list[Word], Field(min_length=1, max_length=MAX_WORDS)]],
        Field(min_length=1, max_length=MAX_INSTANCES),
    ]
    """Sentences, each a list of words."""


class Tags(Strict):
    predictions: list[list[str]]


class WordsToTags(Instances):
    """Payload for sentences, with a tag for each word."""

    request = Sentences
    response = Tags
    form = "json"
    form_example = '[["one", "word", "after", "the", "other"]]'


class Scores(Strict):
    predictions: list[float]


class Vectors(Strict):
    predictions: list[list[float]]


class TextToVector(Instances):
    """Payload for texts and their vectors; only the first text of a pair is sent."""

    request = Texts
    response = Vectors
    form = "text"

    def instance(self, sample: Any) -> Any:
        return sample if isinstance(sample, str) else sample[0]


class TextToScore(Instances):
    request = Texts
    response = Scores
    form = "text"


class PairToScore(Pairs):
    response = Scores


Cell = StrictInt | StrictFloat | Annotated[str, Field(max_length=MAX_CHARACTERS)] | None
MAX_COLUMNS = 10_000


class Rows(Strict):
    instances: Annotated[
        list[Annotated[dict[str, Cell], Field(max_length=MAX_COLUMNS)]],
        Field(min_length=1, max_length=MAX_INSTANCES),
    ]
    """Rows of a table, the cells by column; null is a missing cell."""


class RowInstances(Instances):
    """Payload for rows of a table.

    Parameters
    ----------
    row : callable
        Returns the sample of an instance; raises ValueError if it is not a row of the table.
    """

    request = Rows
    form = "json"
    form_example = '[{"column": 1.5}]'

    def __init__(self, row: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        self._row = row

    def samples(self, request: Any) -> list[Any]:
        return [self._row(instance) for instance in request.instances]

    def instance(self, sample: Any) -> Any:
        return {name: None if cell != cell else cell for name, cell in sample.items()}


class RowToLabel(RowInstances, ToLabel):
    pass


class RowToScore(RowInstances):
    response = Scores


_SHORTEST_S = 0.1
_USUAL_S = 30
"""Maximum usual duration of a recording, as for Whisper, in seconds."""
MAX_RECORDING_BASE64 = 64 * 1024 * 1024
"""Maximum size of a WAV file, in base64 characters; `Serving(max_body_bytes)` limits requests."""


class Recording(Strict):
    b64: Annotated[str, Field(min_length=1, max_length=MAX_RECORDING_BASE64)]
    """WAV file in base64, mono, 16 bits."""


class Recordings(Strict):
    instances: Annotated[list[Recording], Field(min_length=1, max_length=MAX_INSTANCES)]


class SpeechToText(Instances):
    request = Recordings
    response = WrittenTexts
    form = "audio"

    def __init__(self, rate: int, longest_s: float | None = None) -> None:
        self.form_settings = {"rate": rate}
        self.body_bytes = max(self.body_bytes, math.ceil(_USUAL_S * 2 * rate * 4 / 3) + 4096)
        self._rate = rate
        self._longest_s = longest_s

    def samples(self, request: Any) -> list[Any]:
        return [self._waveform(n, instance.b64) for n, instance in enumerate(request.instances)]

    def _waveform(self, number: int, encoded: str) -> Any:
        import numpy as np

        expected = f"a WAV file in base64, mono with 16 bits at {self._rate} Hz"
        try:
            with wave.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as file:
                format_ = (file.getnchannels(), file.getsampwidth(), file.getframerate())
                frames = file.readframes(file.getnframes())
        except (binascii.Error, wave.Error, EOFError) as error:
            raise ValueError(f"instance {number} is not {expected} ({error})") from None
        if format_ != (1, 2, self._rate):
            raise ValueError(f"instance {number} is not {expected}")
        if len(frames) < 2 * self._rate * _SHORTEST_S:
            raise ValueError(f"instance {number} is shorter than {_SHORTEST_S} s")
        if self._longest_s is not None and len(frames) > 2 * self._rate * self._longest_s:
            raise ValueError(f"instance {number} is longer than {self._longest_s:g} s")
        return np.frombuffer(frames, "<i2").astype(np.float32) / 32768

    def instance(self, sample: Any) -> Any:
        import numpy as np

        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self._rate)
            file.writeframes(np.round(np.clip(sample, -1, 1) * 32767).astype("<i2").tobytes())
        return Recording(b64=base64.b64encode(buffer.getvalue()).decode())
