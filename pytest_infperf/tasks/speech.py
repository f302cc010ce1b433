"""Speech recognition with CTC models and with Whisper."""

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
"""Names of the file that lists the recordings of a folder, as in `datasets`."""
_FILE_NAME = "file_name"
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""Processor files; the second one is written by transformers 5 and later."""
_NORMALIZATIONS = ("none", "basic", "english")
_NUMBERS = frozenset("0123456789.%$¢€£")
"""Characters with which Whisper's normaliser replaces words."""


@dataclass(frozen=True)
class SpeechRecognition(ReadsCalibration, Task):
    """Speech recognition with CTC models and with Whisper.

    Supported are transformers models trained with CTC, such as wav2vec2 and HuBERT, and Whisper
    models, also fine-tuned ones. The model folder contains the feature extractor and the tokenizer
    of the processor. Also supported are folders with a `modeling.py`, whose module reads log
    spectrograms, and a `config.json` with `n_fft`, `hop`, `bins`, `alphabet` and `blank`. CTC
    outputs are decoded by the best path; Whisper is run without timestamps. Reading files and the
    metrics "wer" and "cer" require the extra ``pytest-infperf[speech]``.

    Parameters
    ----------
    data : Data
        A manifest: a CSV, TSV, JSON, JSON Lines or Parquet file relative to the suite's folder, a
        folder with a `metadata.csv` as in `datasets`, a hub dataset, rows, or a function.
    audio : str, default "audio"
        The column with the recordings: paths relative to the manifest, of files that soundfile
        reads (WAV, FLAC, OGG, MP3), at any rate, mono or stereo; or pairs of samples and their
        rate. If this column is missing, `file_name` is used. Whisper reads up to 30 s.
    text : str, default "text"
        The column with the transcript.
    rate : int, default 16000
        Sampling rate of the model, in hertz, to which recordings are resampled.
    normalization : {"none", "basic", "english"}, default "none"
        Normalisation of transcripts and outputs before they are compared. "basic" converts to
        lower case and removes punctuation and repeated spaces. "english" is the English normaliser
        of Whisper, which also writes numbers as digits, expands contractions, and removes "um" and
        text in brackets. It requires transformers and does not map British to American spelling.
    language : str, optional
        The spoken language, such as "en" or "english", for a multilingual Whisper model.
    translate : bool, default False
        Whether a multilingual Whisper model translates to English.
    beams : int, default 1
        Number of beams of Whisper; 1 decodes greedily.
    max_new_tokens : int, default 224
        Maximum length of Whisper's output, in tokens.
    calibration : Data, optional
        Samples of the same form that calibrate ``int8="static"``, at most 200. None uses a fifth
        of the test data, at most 200 samples, which are not scored.
    metrics : sequence of Metric, CorpusMetric or str, default ("wer", "cer")
        Quality scores: word and character error rate.
    sample_size : int, default 120
        Number of recordings to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If `normalization` is unknown; if the data or a recording cannot be read (when the samples
        are read); if the model folder lacks a file, the model has a different rate or lacks the
        language, or beams or translation are requested from a CTC model (when the codec is
        opened); or if the model's alphabet lacks a letter of the transcripts, or a recording is
        too long for the model (before it is built).

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
                f'normalization="{self.normalization}" must be one of {", ".join(_NORMALIZATIONS)}'
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
                    f"{clips} has {' and '.join(found) or 'no manifest'}: add exactly one of "
                    f"{', '.join(MANIFESTS)}, or name the file in data="
                )
            data = f"{data}/{found[0]}"
        return read(data, folder, [self.text])

    def _normalizer(self) -> Callable[[str], str]:
        """Return the function that normalises transcripts and outputs."""
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
                f"{model} is a {config.get('model_type')}, but Whisper is the only supported "
                "encoder-decoder model. Use Custom, with a Function"
            )
        if self.translate or self.beams > 1:
            raise UserError(
                f"{model.name} is a CTC model: remove beams and translate, which are for Whisper"
            )
        if any((model / name).is_file() for name in _PROCESSORS):
            from pytest_infperf.tasks.ctc import CtcCodec

            return CtcCodec(model, self.rate, normalized)
        from pytest_infperf.tasks.spectrogram import SpectrogramCodec

        return SpectrogramCodec(model, normalized)

    def check(self, samples: Samples, codec: Any) -> None:
        """Check that transcripts match the model's alphabet, and recordings are short enough."""
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
                f"reads{others}: split it at pauses into several rows"
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
                f"the model cannot produce the references: they have the letters "
                f"{listed(sorted(letters))}, but the model's alphabet is {alphabet!r}, "
                f"without {listed(unknown)}{remedy}"
            )

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import SpeechToText

        return SpeechToText(self.rate, getattr(codec, "longest_s", None))


@dataclass(frozen=True)
class _TokenByToken(SpeechRecognition):
    """The task for encoder-decoder models."""

    generates: ClassVar[bool] = True
    auto_class: ClassVar[str | None] = "AutoModelForSpeechSeq2Seq"


def _config(model: Path) -> Mapping[str, Any]:
    """Return the config.json of a model; empty if it cannot be read, which the codec reports."""
    try:
        config = json.loads((model / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}
