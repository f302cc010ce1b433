"""Search: ranking of documents by the cosine of their vectors with the vector of a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.outputs import is_absent
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding
from pytest_infperf.tasks.data import Data, Table, read
from pytest_infperf.tasks.embedding import EncoderTask, Pooling


@dataclass(frozen=True)
class Retrieval(EncoderTask):
    """Search of documents with transformers encoders and the pooling of sentence-transformers.

    Samples are the queries that have a relevant document, and all documents. An output is the
    vector of a text. For each query, all documents are ranked by the cosine of their vectors with
    the query's; ties keep the order of `documents`. Metrics score the ranked ids. Intervals are
    bootstrapped over queries, with the same documents in each resample. Metrics that compare
    vectors with the baseline's, such as "cosine", score both queries and documents. Default column
    names are BEIR's. Requires ``pytest-infperf[torch]``.

    Parameters
    ----------
    queries : Data
        The queries: a CSV, TSV, JSON, JSON Lines or Parquet file relative to the suite's folder, a
        hub dataset, rows, or a function.
    documents : Data
        The documents to search, in one of the same forms.
    relevant : Data
        The relevant documents of each query, in one of the same forms: a row for each pair.
    id : str, default "_id"
        The column of `queries` and `documents` with an id.
    text : str, default "text"
        The column of `queries` and `documents` with the text.
    title : str, optional
        The column of `documents` with a title, which is prepended to the text with a space.
    query : str, default "query-id"
        The column of `relevant` with the id of a query.
    document : str, default "corpus-id"
        The column of `relevant` with the id of a document.
    score : str or None, default "score"
        The column of `relevant` with the relevance of the document; 0 or less means not relevant.
        None means 1 for each row.
    query_prefix : str, default ""
        Text that is prepended to each query, such as "query: " for E5. Inputs include it.
    document_prefix : str, default ""
        Text that is prepended to each document, such as "passage: " for E5. Inputs include it.
    pooling : {"mean", "cls", "max"} or None, default None
        How token vectors are combined into one; None uses the model's pooling, or else the mean.
    normalize : bool or None, default None
        Whether vectors have length 1; None uses the model's setting, or else False.
    max_tokens : int or None, default None
        Maximum length of a text, in tokens, including special tokens; longer texts are truncated.
        None uses the model's limit, or else 512.
    calibration : Data, optional
        Texts that calibrate ``int8="static"``, at most 200, in the column `text`. None uses a
        fifth of the queries, at most 200, which are not scored.
    metrics : sequence of Metric, CorpusMetric or str, default ("ndcg", "recall_at_10", "cosine")
        Quality scores.
    sample_size : int, default 200
        Number of queries to measure and score, drawn with a seed; ``--infperf-full`` uses all. All
        documents are always measured, because search among fewer documents is easier.

    Raises
    ------
    UserError
        If the data cannot be read or lacks a column or a cell, if two texts have the same id, if
        `relevant` has an unknown id, or if no query has a relevant document (when the samples are
        read); or if the model folder lacks a file or has an unknown module (when the codec is
        opened).

    References
    ----------
    Thakur et al. 2021, "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information
    Retrieval Models".

    Examples
    --------
    >>> from pytest_infperf import Retrieval
    >>> task = Retrieval(
    ...     queries="queries.jsonl", documents="corpus.jsonl", relevant="qrels/test.tsv",
    ...     query_prefix="query: ", document_prefix="passage: ",
    ... )
    >>> task.metrics
    ('ndcg', 'recall_at_10', 'cosine')
    """

    sources: ClassVar[Sequence[str]] = ("queries", "documents", "relevant")

    _: KW_ONLY
    queries: Data
    documents: Data
    relevant: Data
    id: str = "_id"
    text: str = "text"
    title: str | None = None
    query: str = "query-id"
    document: str = "corpus-id"
    score: str | None = "score"
    query_prefix: str = ""
    document_prefix: str = ""
    pooling: Pooling | None = None
    normalize: bool | None = None
    max_tokens: int | None = None
    metrics: Sequence[AnyMetric | str] = ("ndcg", "recall_at_10", "cosine")
    sample_size: int = 200

    @property
    def decoding(self) -> Decoding:
        return {}

    def samples(self, folder: Path) -> Samples:
        query_table = read(self.queries, folder, [self.id, self.text])
        document_table = read(
            self.documents, folder, [self.id, self.text, *filter(None, [self.title])]
        )
        queries = _by_id(query_table, self.id, query_table.texts(self.text))
        texts = document_table.texts(self.text)
        if self.title:
            titles = document_table.texts(self.title)
            texts = [f"{title} {text}".strip() for title, text in zip(titles, texts, strict=True)]
        documents = _by_id(document_table, self.id, texts)
        gains = self._gains(folder, queries, documents)
        inputs = [self.query_prefix + queries[query] for query in gains]
        inputs += [self.document_prefix + text for text in documents.values()]
        return Samples(inputs, [*gains.values(), *documents], always=len(documents))

    def calibration_inputs(self, folder: Path) -> Sequence[str] | None:
        if self.calibration is None:
            return None
        return read(self.calibration, folder, [self.text]).texts(self.text)

    def _gains(
        self, folder: Path, queries: Mapping[str, str], documents: Mapping[str, str]
    ) -> dict[str, dict[str, float]]:
        """Return the gains of documents by query, for queries with a relevant document."""
        columns = [self.query, self.document, *filter(None, [self.score])]
        table = read(self.relevant, folder, columns)
        scores = table.numbers(self.score) if self.score else [1.0] * len(table.rows)
        gains: dict[str, dict[str, float]] = {query: {} for query in queries}
        for place, query, document, score in zip(
            table.places, table.texts(self.query), table.texts(self.document), scores, strict=True
        ):
            for kind, name, known in (("query", query, queries), ("document", document, documents)):
                if name not in known:
                    raise UserError(
                        f"{place}: there is no {kind} with the id {name!r}: add it to the test "
                        "data, or remove the row"
                    )
            if document in gains[query]:
                raise UserError(
                    f"{place}: an earlier row also has the query {query!r} and the document "
                    f"{document!r}: remove one of them"
                )
            gains[query][document] = max(0.0, score)
        if not (answered := {query: of for query, of in gains.items() if any(of.values())}):
            raise UserError(
                f"{table.source} names no relevant document for any query: at least one row needs "
                "a score above 0"
            )
        return answered

    def scored(
        self, outputs: Sequence[Any], references: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return the ids of all documents ranked for each query, and the gains."""
        pairs = list(zip(outputs, references, strict=True))
        queries = [(vector, gains) for vector, gains in pairs if isinstance(gains, Mapping)]
        documents = [(v, name) for v, name in pairs if isinstance(name, str) and not is_absent(v)]
        names = [name for _, name in documents]
        found = [vector for vector, _ in queries if not is_absent(vector)]
        ranks = iter(_ranked(found, [vector for vector, _ in documents]))
        return (
            [v if is_absent(v) else [names[i] for i in next(ranks)] for v, _ in queries],
            [gains for _, gains in queries],
        )


def _by_id(table: Table, id_column: str, texts: Sequence[str]) -> dict[str, str]:
    """Return the texts of a table by their ids."""
    text_of: dict[str, str] = {}
    for place, name, text in zip(table.places, table.texts(id_column), texts, strict=True):
        if name in text_of:
            raise UserError(
                f"{place}: an earlier row also has the id {name!r}: each text needs a unique id"
            )
        text_of[name] = text
    return text_of


def _ranked(queries: Sequence[Any], documents: Sequence[Any]) -> list[list[int]]:
    """Return the indices of the documents for each query, nearest first."""
    import numpy as np

    try:
        vectors = np.asarray([*queries, *documents], np.float64).reshape(
            len(queries) + len(documents), -1
        )
    except (TypeError, ValueError) as error:
        raise UserError(
            "the outputs for queries and documents are not vectors of the same length, so "
            "documents cannot be ranked: return a list of the same length for each text"
        ) from error
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.maximum(lengths, np.finfo(np.float64).tiny)
    cosines = units[: len(queries)] @ units[len(queries) :].T
    ranked: list[list[int]] = np.argsort(-cosines, axis=1, kind="stable").tolist()
    return ranked
