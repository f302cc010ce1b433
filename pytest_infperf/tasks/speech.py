"""Recognition of speech by networks that are trained with CTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pytest_infperf.errors import UserError
from pytest_infperf.suite.labels import listed
from pytest_infperf.suite.task import AnyMetric, ArrayCodec, Decoding, Samples, Task
from pytest_infperf.tasks.data import Data, ReadsData, read
from pytest_infperf.tasks.data.audio import waveforms
from pytest_infperf.tasks.data.table import Table

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.tsv", "metadata.parquet")
_FILE_NAME = "file_name"
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""Files of processors, the latter since version 5 of transformers."""


@dataclass(frozen=True)
class SpeechRecognition(ReadsData, Task):
    """Recognition of speech by models that answer in one pass, trained with CTC.

    Models are those of transformers for CTC, such as wav2vec2 and HuBERT, whose folder has the
    feature extractor and the tokenizer of the processor. Or their folder has a `modeling.py` and a
    `config.json` with `n_fft`, `hop`, `bins`, `alphabet` and `blank`, and the module takes log
    spectrograms. Outputs follow the best path. Reading files and the metrics "wer" and "cer"
    require the extra ``pytest-infperf[speech]``.

    Parameters
    ----------
    data : Data
        A manifest: a CSV, TSV, JSON, JSON Lines or Parquet file relative to the suite's folder, a
        folder with a `metadata.csv` as `datasets` reads it, a dataset of the hub, rows, or a
        function.
    audio : str, default "audio"
        The column with the recordings: paths relative to the manifest, of files that soundfile
        reads (WAV, FLAC, OGG, MP3), at any rate, mono or stereo; or pairs of samples and their
        rate. Without this column, `file_name` takes its place.
    text : str, default "text"
        The column with the words.
    rate : int, default 16000
        Sampling rate of the model, in hertz, to which recordings are resampled.
    normalization : {"none", "basic"}, default "none"
        What is done to words and outputs before they are compared: nothing, or lower case without
        punctuation and repeated spaces.
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
        If the data or a recording cannot be read (when the samples are read); if the model folder
        lacks a file, or the model has another rate (when the codec is opened); or if the model
        cannot write a letter of the words (before it is built).

    References
    ----------
    Graves et al. 2006, "Connectionist Temporal Classification".

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
    normalization: Literal["none", "basic"] = "none"
    metrics: Sequence[AnyMetric | str] = ("wer", "cer")
    sample_size: int = 120

    @property
    def extras(self) -> tuple[str, ...]:
        return (*super().extras, "speech")

    @property
    def decoding(self) -> Decoding:
        return {"search": "greedy", "normalization": self.normalization}

    def samples(self, folder: Path) -> Samples:
        table = self._table(folder)
        has_audio = any(self.audio in row for row in table.rows)
        has_names = any(_FILE_NAME in row for row in table.rows)
        column = _FILE_NAME if has_names and not has_audio else self.audio
        texts = [self._normalized(text) for text in table.texts(self.text)]
        return Samples(waveforms(table, column, self.rate), texts)

    def _table(self, folder: Path) -> Table:
        data = self.data
        if isinstance(data, str) and (clips := folder / data).is_dir():
            found = [name for name in _METADATA if (clips / name).is_file()]
            if len(found) != 1:
                raise UserError(
                    f"{clips} has {' and '.join(found) or 'no manifest'}: it needs one of "
                    f"{', '.join(_METADATA)}, or name the file in data="
                )
            data = f"{data}/{found[0]}"
        return read(data, folder, [self.text])

    def _normalized(self, text: str) -> str:
        if self.normalization == "none":
            return text
        try:
            import jiwer
        except ImportError as error:
            raise UserError(
                f'normalization="{self.normalization}" needs: pip install "pytest-infperf[speech]"'
            ) from error
        punctuation: Any = jiwer.RemovePunctuation
        return " ".join(punctuation()(text.lower()).split())

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

    def codec(self, model: Path) -> ArrayCodec:
        if any((model / name).is_file() for name in _PROCESSORS):
            from pytest_infperf.tasks.ctc import CtcCodec

            return CtcCodec(model, self.rate, self._normalized)
        from pytest_infperf.tasks.spectrogram import SpectrogramCodec

        return SpectrogramCodec(model, self._normalized)

    def check(self, samples: Samples, codec: Any) -> None:
        """Check that the model can write every letter of the words."""
        letters = {letter for text in samples.references for letter in text}
        written = {letter for known in codec.alphabet for letter in self._normalized(known) or " "}
        if unknown := sorted(letters - written):
            remedy = ""
            if not {*map(str.casefold, unknown)} - {*map(str.casefold, codec.alphabet)}:
                remedy = '. They differ in case only: set normalization="basic"'
            raise UserError(
                f"the model cannot write the references: they have the letters "
                f"{listed(sorted(letters))}, and the model's alphabet is {codec.alphabet!r}, "
                f"without {listed(unknown)}{remedy}"
            )

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import SpeechToText

        return SpeechToText(self.rate)
