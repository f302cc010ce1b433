"""Scores of texts, and the models that give them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pytest_infperf import TextRegression, UserError
from pytest_infperf.tasks.regression import ScoreCodec
from tests.tasks.test_classification import MODELS


def codec_with(folder: Path, names: dict[str, str]) -> ScoreCodec:
    model = MODELS / "distilbert-solicitation"
    shutil.copy(model / "tokenizer.json", folder)
    config = json.loads((model / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "id2label": names}))
    return ScoreCodec(folder, 64)


def test_scores_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "sts.tsv").write_text("a\tb\tscore\none\ttwo\t0.5\nthree\tfour\t5\n")
    task = TextRegression(data="sts.tsv", text="a", pair="b", score="score")
    samples = task.samples(tmp_path)
    assert samples.inputs == [("one", "two"), ("three", "four")]
    assert samples.references == [0.5, 5.0]
    codec = codec_with(tmp_path, {"0": "LABEL_0"})
    assert codec.decode(np.array([[0.25], [np.nan], [-np.inf]]), {}) == [0.25, None, None]


@pytest.mark.parametrize("score", ["", "much", "nan", "inf"])
def test_a_value_that_is_not_a_number_is_named(tmp_path: Path, score: str) -> None:
    (tmp_path / "sts.csv").write_text(f"text,label\none,1\ntwo,{score}\n")
    with pytest.raises(UserError, match=r"sts\.csv:3: 'label' must be a number"):
        TextRegression(data="sts.csv").samples(tmp_path)


def test_a_classifier_is_no_regression(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has 2 labels, but a regression model has one"):
        codec_with(tmp_path, {"0": "a", "1": "b"})
    codec = codec_with(tmp_path, {"0": "score"})
    with pytest.raises(UserError, match="returns 2 values for each text"):
        codec.decode(np.zeros((1, 2)), {})
