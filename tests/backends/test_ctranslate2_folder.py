"""Models that were converted to CTranslate2's format elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import BuildError, CTranslate2, Suite, TextClassification, UserError
from pytest_infperf.artifacts.blueprint import make_blueprint
from pytest_infperf.suite.backend import Material
from tests.backends.test_decoding import ONE, SHIPPED, STUDENT, loaded, planted, task, texts

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose subfolder `ct2` contains the shipped model in int8."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "ct2").mkdir()
    CTranslate2(int8=True).build(Material(STUDENT, task(), SHIPPED), folder / "ct2")
    (folder / "ct2" / "decoding.json").unlink()
    return folder


def build(model: Path, suite: Path, artifact: Path) -> dict[str, Any]:
    artifact.mkdir(exist_ok=True)
    material = Material(model, task(), SHIPPED, folder=suite)
    return CTranslate2(folder="ct2").build(material, artifact)


def test_a_converted_model_answers_as_one_converted_here(tmp_path: Path, converted: Path) -> None:
    model = planted(tmp_path / "model", no_repeat_ngram_size=2)
    evidence = build(model, converted, tmp_path / "artifact")
    assert evidence == {"quantization": "int8_float32"}
    runner = CTranslate2(folder="ct2").load(tmp_path / "artifact", task(), 1)
    assert runner.decoding == ONE | {"no_repeat_ngram_size": 2}
    here = loaded(CTranslate2(int8=True), model, tmp_path / "here")
    assert texts(runner) == texts(here)


def test_the_folder_of_the_model_comes_first(tmp_path: Path, converted: Path) -> None:
    model = planted(tmp_path / "model")
    shutil.copytree(converted / "ct2", model / "ct2")
    paths = CTranslate2(folder="ct2").files(model, converted)
    assert [path.name for path in paths] == ["config.json", "model.bin", "shared_vocabulary.json"]
    assert {path.parent for path in paths} == {model / "ct2"}


def test_the_artifact_depends_on_the_content(tmp_path: Path, converted: Path) -> None:
    keys = set()
    for content in ("one", "two"):
        folder = tmp_path / content
        shutil.copytree(converted / "ct2", folder / "ct2")
        (folder / "ct2" / "model.bin").write_text(content)
        backend = CTranslate2(folder="ct2")
        suite = Suite("student", task=task(), model=".", variants=[backend], folder=folder)
        keys.add(make_blueprint(suite, backend, STUDENT).key)
    assert len(keys) == 2


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'ct2'\) is neither in the model's folder"):
        CTranslate2(folder="ct2").files(STUDENT, tmp_path)
    (tmp_path / "ct2").mkdir()
    with pytest.raises(UserError, match=r"has no model\.bin, .*ct2-transformers-converter"):
        CTranslate2(folder="ct2").files(STUDENT, tmp_path)


def test_a_folder_that_cannot_be_opened_is_refused(tmp_path: Path, converted: Path) -> None:
    shutil.copytree(converted / "ct2", tmp_path / "ct2")
    (tmp_path / "ct2" / "model.bin").write_bytes(b"\1\0\0\0")
    with pytest.raises(BuildError, match=r"CTranslate2 .* cannot open .*ct2"):
        build(STUDENT, tmp_path, tmp_path / "artifact")


def test_another_vocabulary_is_refused(tmp_path: Path, converted: Path) -> None:
    shutil.copytree(converted / "ct2", tmp_path / "ct2")
    path = tmp_path / "ct2" / "shared_vocabulary.json"
    tokens = json.loads(path.read_text())
    path.write_text(json.dumps([*tokens[:10], tokens[11], tokens[10], *tokens[12:]]))
    with pytest.raises(BuildError, match=r"is not a conversion of .*token 10 is '.+' in the token"):
        build(STUDENT, tmp_path, tmp_path / "artifact")
    path.write_text(json.dumps(tokens[:100]))
    with pytest.raises(BuildError, match=r"token 100 is '.+' .* and missing in the vocabulary"):
        build(STUDENT, tmp_path, tmp_path / "artifact")
    path.unlink()
    with pytest.raises(BuildError, match=r"has no shared_vocabulary\.json"):
        build(STUDENT, tmp_path, tmp_path / "artifact")


def test_a_task_that_does_not_generate_is_refused(tmp_path: Path, converted: Path) -> None:
    material = Material(STUDENT, TextClassification(data=[]), tmp_path, folder=converted)
    with pytest.raises(BuildError, match="it requires a task that generates text"):
        CTranslate2(folder="ct2").build(material, tmp_path)


def test_int8_is_refused_with_a_folder() -> None:
    with pytest.raises(UserError, match=r"remove int8, .* --quantization int8"):
        CTranslate2(folder="ct2", int8=True)
    assert CTranslate2(folder="ct2").variant_id == "ctranslate2-folder"
