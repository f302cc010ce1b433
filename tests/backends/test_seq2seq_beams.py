"""ONNX variants search with beams like transformers, or refuse to be built."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from operator import eq
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import Onnx, Torch, Translation
from pytest_infperf.backends import seq2seq
from pytest_infperf.errors import BuildError
from pytest_infperf.suite.backend import Material
from tests.backends.test_seq2seq import (
    BATCH,
    EOS,
    MAX_NEW_TOKENS,
    Marian,
    decode,
    make_marian,
    rewrite,
    unpadded,
)

SHIPPED = Path(__file__).parents[2] / "suites" / "translation"
STUDENT = SHIPPED / "models" / "marian-zh-en-distilled"
EXACT = ["onnx", "onnx-fused"]
ROUNDED = ["onnx-int8", "onnx-fused-int8"]


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Marian:
    return make_marian(tmp_path_factory.mktemp("marian"))


@contextmanager
def configured(marian: Marian, folder: Path, settings: Mapping[str, object]) -> Iterator[Marian]:
    """Yield the model with other generation settings, in its folder and in transformers."""
    config = marian.model.generation_config
    before = {name: getattr(config, name) for name in settings}
    shutil.copytree(marian.folder, folder)
    rewrite(folder / "generation_config.json", **settings)
    try:
        for name, value in settings.items():
            setattr(config, name, value)
        yield replace(marian, folder=folder)
    finally:
        for name, value in before.items():
            setattr(config, name, value)


def test_number_of_beams_changes_the_output(marian: Marian) -> None:
    greedy, two, four = (marian.generate(BATCH, beams=beams) for beams in (1, 2, 4))
    assert greedy != two != four != greedy


@pytest.mark.parametrize("variant", EXACT)
@pytest.mark.parametrize("beams", [2, 4, 5])
def test_padded_batch_is_searched_like_transformers(
    marian: Marian, tmp_path: Path, variant: str, beams: int
) -> None:
    graph = marian.build(variant, tmp_path / variant, beams=beams)
    assert decode(graph, BATCH) == marian.generate(BATCH, beams=beams)


@pytest.mark.parametrize("variant", EXACT)
def test_single_rows_are_searched_like_transformers(
    marian: Marian, tmp_path: Path, variant: str
) -> None:
    graph = marian.build(variant, tmp_path / variant, beams=4)
    for row in map(unpadded, BATCH):
        assert decode(graph, [row]) == marian.generate([row], beams=4)


@pytest.mark.parametrize("variant", EXACT)
@pytest.mark.parametrize("forced", [EOS, None])
@pytest.mark.parametrize("max_new_tokens", [2, 3, MAX_NEW_TOKENS])
def test_length_limit_ends_beams_like_transformers(
    marian: Marian, tmp_path: Path, variant: str, forced: int | None, max_new_tokens: int
) -> None:
    with configured(marian, tmp_path / "model", {"forced_eos_token_id": forced}) as model:
        graph = model.build(variant, tmp_path / variant, max_new_tokens, beams=4)
        assert decode(graph, BATCH) == model.generate(BATCH, max_new_tokens, beams=4)


@pytest.mark.parametrize("variant", EXACT)
@pytest.mark.parametrize(
    ("length_penalty", "early_stopping"),
    [(2.0, False), (0.0, False), (-1.0, "never"), (0.3, "never"), (1.0, True), (2.0, True)],
)
def test_settings_of_the_search_have_the_effect_of_transformers(
    marian: Marian, tmp_path: Path, variant: str, length_penalty: float, early_stopping: object
) -> None:
    settings = {"length_penalty": length_penalty, "early_stopping": early_stopping}
    with configured(marian, tmp_path / "model", settings) as model:
        graph = model.build(variant, tmp_path / variant, beams=4)
        assert decode(graph, BATCH) == model.generate(BATCH, beams=4)


@pytest.mark.parametrize("variant", ROUNDED)
def test_int8_finds_rows_that_end(marian: Marian, tmp_path: Path, variant: str) -> None:
    rows = decode(marian.build(variant, tmp_path / variant, beams=4), BATCH)
    assert len(rows) == len(BATCH)
    for row in rows:
        assert unpadded(row)[-1] == EOS
        assert unpadded(row).count(EOS) == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [("num_beam_groups", 2), ("renormalize_logits", True), ("early_stopping", "soon")],
)
def test_unsupported_settings_of_the_search_are_refused(
    marian: Marian, tmp_path: Path, setting: str, value: object
) -> None:
    shutil.copytree(marian.folder, tmp_path / "model")
    rewrite(tmp_path / "model" / "generation_config.json", **{setting: value})
    with pytest.raises(BuildError, match=f"{setting}.*generation_config.json"):
        generation_with(tmp_path / "model", 4)


@pytest.mark.parametrize(("beams", "message"), [(25, "lower beams"), (0, "set at least 1")])
def test_impossible_numbers_of_beams_are_refused(marian: Marian, beams: int, message: str) -> None:
    with pytest.raises(BuildError, match=message):
        generation_with(marian.folder, beams)


def test_unknown_decoding_settings_are_refused_by_name(marian: Marian) -> None:
    with pytest.raises(BuildError, match="not top_p: remove it"):
        seq2seq.Generation.from_config(
            marian.folder, {"beams": 4, "max_new_tokens": 8, "top_p": 0.9}
        )


def generation_with(folder: Path, beams: int) -> seq2seq.Generation:
    return seq2seq.Generation.from_config(
        folder, {"beams": beams, "max_new_tokens": MAX_NEW_TOKENS}
    )


def student_task(beams: int) -> Translation:
    return Translation(
        source=str(SHIPPED / "data" / "test.zho"),
        reference=str(SHIPPED / "data" / "test.eng"),
        beams=beams,
        max_new_tokens=24,
    )


@pytest.fixture(scope="module")
def student_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    seq2seq.export(STUDENT, folder)
    return folder


@pytest.fixture(scope="module")
def sentences() -> list[list[int]]:
    task = student_task(4)
    return task.codec(STUDENT).encode(list(task.samples(SHIPPED).inputs[100:116]))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, sentences: list[list[int]]) -> list[Any]:
    task, folder = student_task(4), tmp_path_factory.mktemp("torch")
    Torch().build(Material(STUDENT, task, SHIPPED), folder)
    runner = Torch().load(folder, task, 1)
    return task.codec(STUDENT).decode([runner.infer([row])[0] for row in sentences], sentences)


@pytest.mark.parametrize(
    ("backend", "min_equal"),
    [
        (Onnx(), 16),
        (Onnx(fused=True), 16),
        (Onnx(int8="dynamic"), 12),  # 14 to 16, also with the 7 bits of hosts without VNNI
        (Onnx(fused=True, int8="dynamic"), 12),
    ],
    ids=lambda value: getattr(value, "default_id", ""),
)
def test_shipped_model_translates_with_beams_like_transformers(
    tmp_path: Path,
    student_export: Path,
    sentences: list[list[int]],
    expected: list[Any],
    backend: Onnx,
    min_equal: int,
) -> None:
    task = student_task(4)
    backend.build(Material(STUDENT, task, SHIPPED, student_export), tmp_path)
    runner = backend.load(tmp_path, task, 1)
    assert runner.decoding == task.decoding
    codec = task.codec(STUDENT)
    one_by_one = codec.decode([runner.infer([row])[0] for row in sentences], sentences)
    in_one_batch = codec.decode(runner.infer(sentences), sentences)
    for texts in (one_by_one, in_one_batch):
        assert len(texts) == len(expected)
        assert sum(map(eq, texts, expected)) >= min_equal


def test_runner_reports_the_beams_of_its_artifact(tmp_path: Path, student_export: Path) -> None:
    Onnx().build(Material(STUDENT, student_task(2), SHIPPED, student_export), tmp_path)
    assert Onnx().load(tmp_path, student_task(1), 1).decoding["beams"] == 2


def test_quantisation_logs_nothing(
    marian: Marian, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marian.build("onnx-int8", tmp_path / "onnx-int8", beams=4)
    assert not caplog.records
