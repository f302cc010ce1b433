"""Settings of decoding that a runtime does not follow are refused, and folders are checked."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import (
    BuildError,
    Echo,
    OnnxGenAI,
    OpenVinoGenAI,
    TextGeneration,
    UserError,
)
from pytest_infperf.backends import causal, converted, openvino_genai
from pytest_infperf.suite.backend import Backend, Material

pytest.importorskip("transformers")

ROWS = [{"prompt": "a", "reference": "a"}]
GREEDY = {"beams": 1, "max_new_tokens": 8}


def write_model(folder: Path, **settings: Any) -> Path:
    config = {"model_type": "llama", "vocab_size": 13, "eos_token_id": 2}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 3], **settings}))
    return folder


def test_the_settings_are_those_of_the_model_and_of_the_task(tmp_path: Path) -> None:
    model = write_model(tmp_path, repetition_penalty=1.5, temperature=0.5, do_sample=True)
    settings = causal.settings_of(model, GREEDY, ["repetition_penalty"], "Runtime")
    assert settings.decoding == {**GREEDY, "repetition_penalty": 1.5}
    assert settings.ends == [2, 3]


@pytest.mark.parametrize(
    ("asked", "own", "problem"),
    [
        ({"min_new_tokens": 3}, {}, "Runtime does not follow min_new_tokens = 3"),
        ({}, {"no_repeat_ngram_size": 2}, "Runtime does not follow no_repeat_ngram_size = 2"),
        ({"beams": 2}, {}, "one beam"),
    ],
)
def test_other_settings_are_refused(
    tmp_path: Path, asked: dict[str, Any], own: dict[str, Any], problem: str
) -> None:
    with pytest.raises(BuildError, match=problem):
        causal.settings_of(write_model(tmp_path, **own), {**GREEDY, **asked}, [], "Runtime")


@pytest.mark.parametrize("backend", [OnnxGenAI(), OpenVinoGenAI()])
def test_another_task_is_refused(tmp_path: Path, backend: Backend) -> None:
    material = Material(tmp_path, Echo(), tmp_path)
    with pytest.raises(BuildError, match="runs causal language models"):
        backend.build(material, tmp_path)


@pytest.mark.parametrize("kind", [OnnxGenAI, OpenVinoGenAI])
def test_the_precision_of_a_folder_is_its_own(kind: Any) -> None:
    with pytest.raises(UserError, match="remove precision"):
        kind(folder="export", precision="int8")
    with pytest.raises(UserError, match=r"choose one of \['fp32', 'int8', 'int4'\]"):
        kind(precision="int2")


@pytest.mark.parametrize(
    ("backend", "needed", "command"),
    [
        (OnnxGenAI(folder="export"), ["genai_config.json"], "onnxruntime_genai.models.builder"),
        (
            OpenVinoGenAI(folder="export"),
            ["openvino_model.xml", "openvino_tokenizer.xml"],
            "optimum-cli export openvino",
        ),
    ],
)
def test_a_folder_without_a_model_is_refused(
    tmp_path: Path, backend: Backend, needed: list[str], command: str
) -> None:
    model = tmp_path / "model"
    with pytest.raises(UserError, match=r"\(folder='export'\) is neither in the model's folder"):
        backend.files(model, tmp_path)
    (tmp_path / "export").mkdir()
    for file in needed:
        with pytest.raises(UserError, match=f"has no {file}.*{command}"):
            backend.files(model, tmp_path)
        (tmp_path / "export" / file).write_text("{}")
    assert backend.files(model, tmp_path) == [tmp_path / "export" / file for file in needed]
    shutil.copytree(tmp_path / "export", model / "export")
    assert backend.files(model, tmp_path) == [model / "export" / file for file in needed]


def test_a_file_that_was_not_fetched_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "genai_config.json").write_text("{}")
    (tmp_path / "export" / "model.onnx.data").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    )
    with pytest.raises(UserError, match="lfs"):
        converted.find(
            "OnnxGenAI", "export", tmp_path, tmp_path, needs=["genai_config.json"], remedy="-"
        )


def test_a_conversion_of_another_model_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    model, export, built = (tmp_path / name for name in ("model", "export", "built"))
    for folder in (model, export, built):
        folder.mkdir()
    write_model(model)
    (export / "genai_config.json").write_text(json.dumps({"model": {"vocab_size": 7}}))
    task = TextGeneration(data=ROWS)
    material = Material(model, task, tmp_path)
    with pytest.raises(BuildError, match="vocabulary of 7 tokens and model one of 13"):
        OnnxGenAI(folder="export").build(material, built)


def test_a_conversion_to_openvino_needs_optimum_intel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(openvino_genai, "version", missing)
    material = Material(write_model(tmp_path), TextGeneration(data=ROWS), tmp_path)
    with pytest.raises(UserError, match=r"optimum-intel, which is not installed.*folder=\.\.\."):
        OpenVinoGenAI().build(material, tmp_path)
