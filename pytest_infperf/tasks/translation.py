"""Translation of sentences from parallel text files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.samples import Samples
from pytest_infperf.tasks.data.lines import read_parallel
from pytest_infperf.tasks.seq2seq import Seq2Seq


@dataclass(frozen=True)
class Translation(Seq2Seq):
    """Translation of the lines of a file with transformers models, greedily or with beam search.

    Supported are Marian, M2M100, NLLB, mBART and T5 models, with a tokenizer in their folder. The
    tokenizer of Marian models (`source.spm`, `target.spm`, `vocab.json`, `tokenizer_config.json`)
    is used without transformers, which is faster. For a table with columns see `TextToText`.
    Requires the extra ``pytest-infperf[torch]``.

    Parameters
    ----------
    source : str
        UTF-8 file with one sentence per line, relative to the suite's folder.
    reference : str or sequence of str
        UTF-8 file whose line i is the translation of line i of `source`, or several such files if
        sentences have several translations.
    source_language : str, optional
        Language of the inputs, for a multilingual model, as in its tokenizer: "zh" for M2M100,
        "zho_Hans" for NLLB, "zh_CN" for mBART.
    target_language : str, optional
        Language of the outputs, for a multilingual model.
    prefix : str, default ""
        Text that is prepended to each sentence, such as ">>fra<< " for a Marian model with several
        target languages.
    beams : int, default 1
        Number of beams; 1 decodes greedily.
    max_new_tokens : int, default 64
        Maximum length of an output, in tokens.
    metrics : sequence of Metric, CorpusMetric or str, default ("bleu", "chrf")
        Quality scores.
    sample_size : int, default 400
        Number of sentences to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If a file cannot be read or is empty, or the files have different numbers of lines (when
        the samples are read), or if the model folder lacks a file or its tokenizer lacks a
        language (when the codec is opened).

    Examples
    --------
    >>> from pytest_infperf import Translation
    >>> Translation(source="data/test.zho", reference="data/test.eng", beams=4).decoding
    {'beams': 4, 'max_new_tokens': 64}
    """

    _: KW_ONLY
    source: str
    reference: str | Sequence[str]
    metrics: Sequence[AnyMetric | str] = ("bleu", "chrf")
    sample_size: int = 400

    def samples(self, folder: Path) -> Samples:
        if isinstance(self.reference, str):
            inputs, references = read_parallel([folder / self.source, folder / self.reference])
            return Samples(inputs, references)
        paths = [folder / name for name in (self.source, *self.reference)]
        inputs, *translations = read_parallel(paths)
        return Samples(inputs, [list(texts) for texts in zip(*translations, strict=True)])
