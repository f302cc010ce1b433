"""Search: documents are ranked by cosine, and scored as BEIR does, on all documents."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_infperf import Cosine, Mrr, Ndcg, Recall, Retrieval, Samples, UserError
from pytest_infperf.measure.quality import Scoring
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.records.measured import Measured
from tests.tasks.test_embedding import encoder

TASK = Retrieval(
    queries="queries.jsonl", documents="corpus.jsonl", relevant="qrels/test.tsv", title="title",
    query_prefix="query: ", document_prefix="passage: ",
)  # fmt: skip
QUERIES = [
    {"_id": "q1", "text": "how much"},
    {"_id": "q2", "text": "of the training set"},
    {"_id": "q3", "text": "who"},
]
DOCUMENTS = [
    {"_id": "d1", "title": "Price", "text": "ten"},
    {"_id": "d2", "title": "", "text": "Ann"},
    {"_id": "d3", "title": "Both", "text": "Ann, ten"},
]
RELEVANT = ["q1\td1\t2", "q1\td3\t1", "q3\td2\t1", "q3\td1\t0", "q3\td3\t-1"]


def written(folder: Path, relevant: list[str]) -> Path:
    (folder / "qrels").mkdir()
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, QUERIES)))
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, DOCUMENTS)))
    lines = ["query-id\tcorpus-id\tscore", *relevant]
    (folder / "qrels/test.tsv").write_text("\n".join(lines))
    return folder


def test_a_folder_of_beir_is_read(tmp_path: Path) -> None:
    samples = TASK.samples(written(tmp_path, RELEVANT))
    assert samples == Samples(
        ["query: how much", "query: who", "passage: Price ten", "passage: Ann",
         "passage: Both Ann, ten"],
        [{"d1": 2, "d3": 1}, {"d2": 1, "d1": 0, "d3": 0}, "d1", "d2", "d3"],
        always=3,
    )  # fmt: skip


def test_rows_without_scores_and_with_numbers_as_ids(tmp_path: Path) -> None:
    task = Retrieval(
        queries=[{"id": 1, "text": "a"}],
        documents={"id": [1, 2], "text": ["b", "c"]},
        relevant=[{"q": "1", "d": 2}],
        id="id", query="q", document="d", score=None,
    )  # fmt: skip
    assert task.samples(tmp_path) == Samples(["a", "b", "c"], [{"2": 1}, "1", "2"], always=2)


@pytest.mark.parametrize(
    ("relevant", "complaint"),
    [
        (["q1\td1\t1", "q9\td1\t1"], r"test\.tsv:3: there is no query with the id 'q9': add it"),
        (["q1\td9\t1"], r"test\.tsv:2: there is no document with the id 'd9': add it"),
        (
            ["q1\td1\t1", "q1\td1\t0"],
            r"test\.tsv:3: an earlier row also has the query 'q1' and the",
        ),
        (["q1\td1\t0"], r"test\.tsv names no relevant document for any query"),
        (["q1\td1\tyes"], r"test\.tsv:2: 'score' must be a number, not 'yes'"),
        (["q1\td1"], r"test\.tsv:2: the row has 2 fields, but the header has 3"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(
    tmp_path: Path, relevant: list[str], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        TASK.samples(written(tmp_path, relevant))


def test_two_texts_with_one_id_are_named(tmp_path: Path) -> None:
    written(tmp_path, RELEVANT)
    with (tmp_path / "corpus.jsonl").open("a") as file:
        file.write('\n{"_id": "d1", "title": "", "text": "again"}')
    with pytest.raises(UserError, match=r"corpus\.jsonl:4: an earlier row also has the id 'd1'"):
        TASK.samples(tmp_path)


def test_functions_beside_the_suite_are_found_for_each_source(tmp_path: Path) -> None:
    task = Retrieval(queries="rows:q", documents="rows:d", relevant="r.parquet")
    (tmp_path / "rows.py").write_text("")
    beside = task.beside(tmp_path, "perf")
    assert (beside.queries, beside.documents) == ("perf.rows:q", "perf.rows:d")
    assert beside.relevant == "r.parquet"
    assert task.extras == ("data",)
    assert TASK.extras == ()


REFERENCES: list[Any] = [{"d1": 2, "d3": 1}, {"d2": 1}, "d1", "d2", "d3"]
OUTPUTS: list[Any] = [[1.0, 0.0], [0.0, 3.0], [0.0, 2.0], [5.0, 0.1], [1.0, 1.0]]
"""The first query is nearest to d2, d3 and d1, the second to d1, d3 and d2."""


def test_documents_are_ranked_by_cosine() -> None:
    assert TASK.scored(OUTPUTS, REFERENCES) == (
        [["d2", "d3", "d1"], ["d1", "d3", "d2"]],
        REFERENCES[:2],
    )
    equal = [[1.0, 1.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]
    ranked, _ = TASK.scored(equal, [{"d2": 1}, "d1", "d2", "d3"])
    assert ranked == [["d1", "d2", "d3"]]


def test_a_missing_vector_finds_nothing_and_is_not_found() -> None:
    missing = [math.nan, *OUTPUTS[1:3], "\uffff", OUTPUTS[4]]
    ranked, gains = TASK.scored(missing, REFERENCES)
    assert math.isnan(ranked[0])
    assert ranked[1] == ["d1", "d3"]
    assert gains == REFERENCES[:2]


@pytest.mark.parametrize("output", [[1.0], "text", 3.0, [[1.0, 2.0]], {}])
def test_outputs_that_are_no_vectors_are_named(output: Any) -> None:
    with pytest.raises(UserError, match="are not vectors of the same length"):
        TASK.scored([output, *OUTPUTS[1:]], REFERENCES)


def scored(outputs: list[Any], references: list[Any], baseline: list[Any] | None) -> Measured:
    def run(answers: list[Any]) -> SetRun:
        return SetRun(range(len(answers)), answers, [len(answers)], [1.0])

    metrics: list[Any] = [Ndcg(), Recall(k=1), Mrr(), Cosine()]
    scoring = Scoring(metrics, references, 0.9, 1, whole_set=False, of_task=TASK.scored)
    return scoring.quality(run(outputs), run(baseline) if baseline else None)


def test_scores_are_those_worked_out_by_hand() -> None:
    measured = scored(OUTPUTS, REFERENCES, None)
    discount = [1, 1 / math.log2(3), 1 / 2]
    first = (discount[1] * 1 + discount[2] * 2) / (discount[0] * 2 + discount[1] * 1)
    expected = {
        "ndcg": 100 * (first + discount[2]) / 2,
        "recall_at_1": 0,
        "mrr": 100 * (1 / 2 + 1 / 3) / 2,
    }
    values = {name: measure.value for name, measure in measured.measures.items()}
    assert values == pytest.approx(expected)


def test_intervals_are_over_queries_among_the_same_documents() -> None:
    rng = np.random.default_rng(1)
    documents = rng.normal(size=(60, 4))
    queries = documents[:20] + rng.normal(size=(20, 4))
    outputs = [*queries.tolist(), *documents.tolist()]
    references = [*({f"d{i}": 1} for i in range(20)), *(f"d{i}" for i in range(60))]
    worse = [*(queries + rng.normal(size=(20, 4))).tolist(), *documents.tolist()]
    measured = scored(worse, references, outputs)
    rankings, gains = TASK.scored(worse, references)
    alone = Scoring([Ndcg()], gains, 0.9, 1, whole_set=False).quality(
        SetRun(range(20), rankings, [20], [1.0]), None
    )
    assert measured.measures["ndcg"] == alone.measures["ndcg"]
    assert measured.measures["ndcg"].n == 20
    difference = measured.differences["ndcg"]
    assert difference.n == 20
    assert difference.low is not None
    assert difference.low < difference.value < 0
    assert measured.measures["cosine"].n == 80
    assert 0 < measured.measures["cosine"].value < 1


def test_rankings_agree_where_all_documents_have_one_order() -> None:
    def run(answers: list[Any]) -> SetRun:
        return SetRun(range(5), answers, [5], [1.0])

    scoring = Scoring([Ndcg()], REFERENCES, 0.9, 1, whole_set=True, of_task=TASK.scored)
    turned = [[10.0, 0.0], [2.0, 3.0], *OUTPUTS[2:]]  # the second query is now nearest to d3
    agreement = scoring.quality(run(turned), run(OUTPUTS)).measures["agreement"]
    assert (agreement.value, agreement.n) == (0.5, 2)
    agreement = scoring.quality(run([None, *OUTPUTS[1:]]), run(OUTPUTS)).measures["agreement"]
    assert (agreement.value, agreement.n) == (0.5, 2)


@pytest.mark.filterwarnings("ignore")
def test_queries_and_documents_have_one_codec_and_lengths_can_be_swept(tmp_path: Path) -> None:
    codec: Any = TASK.codec(encoder(tmp_path / "model", "mean_tokens"))
    text = TASK.sized(["query: how much", "passage: ten"], 0, 12)
    assert len(text.split()) >= 12
    assert codec.encode([text], 9)["input_ids"].shape == (1, 9)
