"""Recognition of speech, in one pass by models trained with CTC or token by token by Whisper."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pytest_infperf.errors import UserError
from pytest_infperf.suite.codec import Codec
from pytest_infperf.suite.labels import listed
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding, Task
from pytest_infperf.tasks.data import Data, ReadsCalibration, read
from pytest_infperf.tasks.data.audio import waveforms
from pytest_infperf.tasks.data.table import Table

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload

MANIFESTS = ("metadata.csv", "metadata.jsonl", "metadata.tsv", "metadata.parquet")
"""Files that list the recordings of a folder, as `datasets` reads them."""
_FILE_NAME = "file_name"
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""Files of processors, the latter since version 5 of transformers."""
_NORMALIZATIONS = ("none", "basic", "english")
_NUMBERS = frozenset("0123456789.%$¢€£")
"""Characters that Whisper's normaliser writes for words."""


@dataclass(frozen=True)
class SpeechRecognition(ReadsCalibration, Task):
    """Recognition of speech by models trained with CTC, and by Whisper.

    Models are those of transformers for CTC, such as wav2vec2 and HuBERT, which answer in one pass,
    and Whisper and what was trained from it, which write a text token by token. Their folder has
    the feature extractor and the tokenizer of the processor. Or the folder has a `modeling.py` and
    a `config.json` with `n_fft`, `hop`, `bins`, `alphabet` and `blank`, and the module takes log
    spectrograms. Outputs of CTC follow the best path; Whisper writes no timestamps. Reading files
    and the metrics "wer" and "cer" require the extra ``pytest-infperf[speech]``.

    Parameters
    ----------
    data : Data
        A manifest: a CSV, TSV, JSON, JSON Lines or Parquet file relative to the suite's folder, a
        folder with a `metadata.csv` as `datasets` reads it, a dataset of the hub, rows, or a
        function.
    audio : str, default "audio"
        The column with the recordings: paths relative to the manifest, of files that soundfile
        reads (WAV, FLAC, OGG, MP3), at any rate, mono or stereo; or pairs of samples and their
        rate. Without this column, `file_name` takes its place. Whisper reads up to 30 s.
    text : str, default "text"
        The column with the words.
    rate : int, default 16000
        Sampling rate of the model, in hertz, to which recordings are resampled.
    normalization : {"none", "basic", "english"}, default "none"
        What is done to words and outputs before they are compared: nothing; lower case without
        punctuation and repeated spaces; or the English normaliser of Whisper, which also writes
        numbers as digits, spells contractions out and leaves out "um" and what is in brackets. It
        needs transformers, and does not map British to American spelling.
    language : str, optional
        The language that is spoken, such as "en" or "english", for a Whisper model of several.
        Models for CTC have their own.
    translate : bool, default False
        Whether a Whisper model of several languages writes English.
    beams : int, default 1
        Beams of Whisper's search; 1 decodes greedily.
    max_new_tokens : int, default 224
        Longest text that Whisper writes, in tokens.
    calibration : Data, optional
        Samples of the same form that calibrate ``int8="static"``, at most 200. None takes a fifth
        of the test data, at most 200 samples, which are then not scored.
    metrics : sequence of Metric, CorpusMetric or str, default ("wer", "cer")
        Quality scores: word and character error rate.
    sample_size : int, default 120
        Recordings that are measured and scored, drawn with a seed; ``--infperf-full`` takes all.

    Raises
    ------
    UserError
        If `normalization` is not one of these; if the data or a recording cannot be read (when the
        samples are read); if the model folder lacks a file, the model has another rate, does not
        know the language, or is for CTC and has no beams or translation (when the codec is opened);
        or if the model cannot write a letter of the words, or a recording is too long for it
        (before it is built).

    References
    ----------
    Graves et al. 2006, "Connectionist Temporal Classification".
    Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision".

    Examples
    --------
    >>> from pytest_infperf import SpeechRecognition
    >>> task = SpeechRecognition(data="clips/manifest.jsonl", audio="audio_filepath")
    >>> task.rate
    16000
    """

    auto_class: ClassVar[str | None] = "AutoModelForCTC"

    _: KW_ONLY
    data: Data
    audio: str = "audio"
    text: str = "text"
    rate: int = 16000
    normalization: Literal["none", "basic", "english"] = "none"
    language: str | None = None
    translate: bool = False
    beams: int = 1
    max_new_tokens: int = 224
    metrics: Sequence[AnyMetric | str] = ("wer", "cer")
    sample_size: int = 120

    def __post_init__(self) -> None:
        if self.normalization not in _NORMALIZATIONS:
            raise UserError(
                f'normalization="{self.normalization}": it is one of {", ".join(_NORMALIZATIONS)}'
            )

    @property
    def extras(self) -> tuple[str, ...]:
        normaliser = ("torch",) if self.normalization == "english" else ()
        return (*super().extras, "speech", *normaliser)

    @property
    def decoding(self) -> Decoding:
        return {
            "beams": self.beams,
            "max_new_tokens": self.max_new_tokens,
            "language": self.language or "",
            "task": self._task,
            "normalization": self.normalization,
        }

    @property
    def _task(self) -> str:
        return "translate" if self.translate else "transcribe"

    def for_model(self, model: Path) -> Task:
        if not _config(model).get("is_encoder_decoder"):
            return self
        return _TokenByToken(**{field.name: getattr(self, field.name) for field in fields(self)})

    def samples(self, folder: Path) -> Samples:
        table = self._table(folder)
        has_audio = any(self.audio in row for row in table.rows)
        has_names = any(_FILE_NAME in row for row in table.rows)
        column = _FILE_NAME if has_names and not has_audio else self.audio
        normalized = self._normalizer()
        texts = [normalized(text) for text in table.texts(self.text)]
        return Samples(waveforms(table, column, self.rate), texts, places=table.places)

    def _table(self, folder: Path) -> Table:
        data = self.data
        if isinstance(data, str) and (clips := folder / data).is_dir():
            found = [name for name in MANIFESTS if (clips / name).is_file()]
            if len(found) != 1:
                raise UserError(
                    f"{clips} has {' and '.join(found) or 'no manifest'}: it needs one of "
                    f"{', '.join(MANIFESTS)}, or name the file in data="
                )
            data = f"{data}/{found[0]}"
        return read(data, folder, [self.text])

    def _normalizer(self) -> Callable[[str], str]:
        """Return what is done to words and outputs."""
        if self.normalization == "none":
            return str
        try:
            if self.normalization == "english":
                from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

                spelling: Any = EnglishTextNormalizer
                english = spelling({})
                return lambda text: " ".join(english(text).split())
            import jiwer
        except ImportError as error:
            extra = "torch" if self.normalization == "english" else "speech"
            raise UserError(
                f'normalization="{self.normalization}" needs: pip install "pytest-infperf[{extra}]"'
            ) from error
        remover: Any = jiwer.RemovePunctuation
        without_punctuation = remover()
        return lambda text: " ".join(without_punctuation(text.lower()).split())

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """Join recordings and truncate them to `length` seconds."""
        import numpy as np

        parts: list[Any] = []
        while sum(map(len, parts)) < length * self.rate:
            parts.append(inputs[number % len(inputs)])
            number += 1
        return np.concatenate(parts)[: length * self.rate]

    def duration_s(self, sample: Any) -> float | None:
        return len(sample) / self.rate

    def codec(self, model: Path) -> Codec:
        config, normalized = _config(model), self._normalizer()
        if config.get("model_type") == "whisper":
            from pytest_infperf.tasks.whisper import WhisperCodec

            return WhisperCodec(
                model, self.rate, self.language, self._task, self.max_new_tokens, normalized
            )
        if config.get("is_encoder_decoder"):
            raise UserError(
                f"{model} is a {config.get('model_type')}: of the models that write speech token "
                "by token, this task runs Whisper. Use Custom, with a Function"
            )
        if self.translate or self.beams > 1:
            raise UserError(
                f"{model.name} answers in one pass, and its letters follow the best path: remove "
                "beams and translate, which are for Whisper"
            )
        if any((model / name).is_file() for name in _PROCESSORS):
            from pytest_infperf.tasks.ctc import CtcCodec

            return CtcCodec(model, self.rate, normalized)
        from pytest_infperf.tasks.spectrogram import SpectrogramCodec

        return SpectrogramCodec(model, normalized)

    def check(self, samples: Samples, codec: Any) -> None:
        """Check that the model can write the letters of the words, and reads whole recordings."""
        if codec.alphabet is None:
            self._check_durations(samples, codec.longest_s)
        else:
            self._check_letters(samples, codec.alphabet)

    def _check_durations(self, samples: Samples, longest_s: float) -> None:
        places = samples.places or [f"recording {i}" for i in range(1, len(samples.inputs) + 1)]
        too_long = [
            place
            for place, sound in zip(places, samples.inputs, strict=True)
            if len(sound) > longest_s * self.rate
        ]
        if too_long:
            others = f", and so are {len(too_long) - 1} others" if len(too_long) > 1 else ""
            raise UserError(
                f"{too_long[0]}: the recording is longer than the {longest_s:g} s that the model "
                f"reads{others}: cut it where nobody speaks, into rows with their words"
            )

    def _check_letters(self, samples: Samples, alphabet: str) -> None:
        normalized = self._normalizer()
        letters = {letter for text in samples.references for letter in text}
        written = {letter for known in alphabet for letter in normalized(known) or " "}
        if self.normalization == "english":
            written |= _NUMBERS
        if unknown := sorted(letters - written):
            remedy = ""
            if not {*map(str.casefold, unknown)} - {*map(str.casefold, alphabet)}:
                remedy = '. They differ in case only: set normalization="basic"'
            raise UserError(
                f"the model cannot write the references: they have the letters "
                f"{listed(sorted(letters))}, and the model's alphabet is {alphabet!r}, "
                f"without {listed(unknown)}{remedy}"
            )

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import SpeechToText

        return SpeechToText(self.rate, getattr(codec, "longest_s", None))


@dataclass(frozen=True)
class _TokenByToken(SpeechRecognition):
    """The task for models with a decoder."""

    generates: ClassVar[bool] = True
    auto_class: ClassVar[str | None] = "AutoModelForSpeechSeq2Seq"


def _config(model: Path) -> Mapping[str, Any]:
    """Return the config.json of a model; empty if it cannot be read, as its codec says then."""
    try:
        config = json.loads((model / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}
