"""Text generation from texts: summaries, answers, corrections, or translations from a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.samples import Samples
from pytest_infperf.tasks.data import Data, ReadsData, read
from pytest_infperf.tasks.seq2seq import Seq2Seq


@dataclass(frozen=True)
class TextToText(ReadsData, Seq2Seq):
    """Text generation with encoder-decoder transformers models, greedily or with beam search.

    Supported are T5, BART, Pegasus, M2M100, NLLB, mBART and Marian models, with a tokenizer in
    their folder. Requires ``pytest-infperf[torch]``.

    Parameters
    ----------
    data : Data
        The test data: a CSV, TSV, JSON, JSON Lines or Parquet file relative to the suite's folder,
        a hub dataset, rows, or a function.
    text : str, default "text"
        The column with the input.
    reference : str or sequence of str, default "reference"
        The column with the correct output, or several columns if inputs have several.
    source_language : str, optional
        Language of the inputs, for a multilingual model, as in its tokenizer: "zh" for M2M100,
        "zho_Hans" for NLLB, "zh_CN" for mBART.
    target_language : str, optional
        Language of the outputs, for a multilingual model.
    prefix : str, default ""
        Text that is prepended to each input, such as "summarize: " for T5.
    beams : int, default 1
        Number of beams; 1 decodes greedily.
    max_new_tokens : int, default 64
        Maximum length of an output, in tokens.
    metrics : sequence of Metric, CorpusMetric or str, default ("bleu", "chrf")
        Quality scores.
    sample_size : int, default 200
        Number of samples to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If the data cannot be read or lacks a column or a cell (when the samples are read), or if
        the model folder has no tokenizer or its tokenizer lacks a language (when the codec is
        opened).

    Examples
    --------
    >>> from pytest_infperf import TextToText
    >>> task = TextToText(data="news.jsonl", text="article", reference="summary", beams=4)
    >>> task.decoding
    {'beams': 4, 'max_new_tokens': 64}
    """

    _: KW_ONLY
    data: Data
    text: str = "text"
    reference: str | Sequence[str] = "reference"
    metrics: Sequence[AnyMetric | str] = ("bleu", "chrf")
    sample_size: int = 200

    def samples(self, folder: Path) -> Samples:
        if isinstance(self.reference, str):
            table = read(self.data, folder, [self.text, self.reference])
            return Samples(table.texts(self.text), table.texts(self.reference))
        table = read(self.data, folder, [self.text, *self.reference])
        columns = [table.texts(column) for column in self.reference]
        references = [list(texts) for texts in zip(*columns, strict=True)]
        return Samples(table.texts(self.text), references)
