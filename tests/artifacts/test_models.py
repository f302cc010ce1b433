"""A model is a folder, or a hub id that a local cache can serve without network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_infperf import Echo, Fake, Suite
from pytest_infperf.artifacts import models
from pytest_infperf.artifacts.blueprint import make_blueprint
from pytest_infperf.errors import UserError

LOCATE = """
import sys
from pathlib import Path
from pytest_infperf.artifacts import models
from pytest_infperf.errors import UserError
try:
    print(models.locate(sys.argv[2], Path(sys.argv[1])))
except UserError as error:
    print("refused:", error)
"""


def locate(hub_cache: Path, folder: Path, model: str = "Helsinki-NLP/opus-mt-zh-en") -> str:
    """Locate a model in a separate process: the hub's settings are read at its import."""
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(hub_cache), "PATH": ""}
    command = [sys.executable, "-c", LOCATE, str(folder), model]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_folder_is_relative_to_the_suite(tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    assert models.locate("models/mine", tmp_path) == tmp_path / "models" / "mine"


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("model", "folder", "ref"),
    [
        ("Helsinki-NLP/opus-mt-zh-en", "models--Helsinki-NLP--opus-mt-zh-en", "main"),
        (f"Helsinki-NLP/opus-mt-zh-en@{COMMIT}", "models--Helsinki-NLP--opus-mt-zh-en", "main"),
        ("gpt2", "models--gpt2", "main"),
        ("gpt2@refs/pr/1", "models--gpt2", "refs/pr/1"),
    ],
)
def test_a_hub_id_comes_from_the_local_cache_when_offline(
    tmp_path: Path, model: str, folder: str, ref: str
) -> None:
    repository = tmp_path / "hub" / folder
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (repository / "refs" / ref).parent.mkdir(parents=True)
    (repository / "refs" / ref).write_text(COMMIT)
    assert models.is_hub_id(model)
    assert locate(tmp_path / "hub", tmp_path, model) == str(snapshot)
    assert models.hub_commit(snapshot) == COMMIT
    assert models.hub_commit(tmp_path / "hub") is None


def test_a_file_that_the_hub_holds_back_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    snapshot = tmp_path / "models--gpt2" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    asked: list[list[str] | None] = []

    def download(*_: str, allow_patterns: list[str] | None = None, **__: object) -> str:
        asked.append(allow_patterns)
        if allow_patterns:
            (snapshot / "onnx").mkdir()
            (snapshot / "onnx" / "model.onnx").touch()
        return str(snapshot)

    monkeypatch.setattr(hub, "snapshot_download", download)
    for _ in range(2):
        assert models.locate("gpt2", tmp_path, ["onnx/model.onnx"]) == snapshot
    assert asked == [None, ["onnx/model.onnx", "onnx/model.onnx[._]*", "onnx/model.bin"], None]
    assert models.find_file("onnx/model.onnx", snapshot, tmp_path).parent == snapshot / "onnx"
    assert models.files_of(snapshot) == []
    with pytest.raises(
        UserError, match=f"or run `hf download gpt2 onnx/a.onnx --revision {COMMIT}`"
    ):
        models.find_file("onnx/a.onnx", snapshot, tmp_path)


def test_a_revision_that_is_not_there_is_named_in_the_remedy(tmp_path: Path) -> None:
    message = locate(tmp_path / "empty", tmp_path, "gpt2@v2")
    assert message.startswith("refused: cannot get the model 'gpt2@v2'")
    assert "`hf download gpt2 --revision v2`" in message


@pytest.mark.parametrize("model", ["../models/none", "a/b/c", "name@", "-name", "ü"])
def test_an_invalid_hub_id_is_a_missing_folder(tmp_path: Path, model: str) -> None:
    with pytest.raises(UserError, match=r"does not exist, and .* is not a hub id"):
        models.locate(model, tmp_path)


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * 'a'}\nsize 267832558\n"


def test_a_git_lfs_pointer_is_refused_as_a_model_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text(POINTER)
    with pytest.raises(
        UserError, match=r"model\.safetensors is a Git LFS pointer.* run `git lfs pull`"
    ):
        models.locate(".", tmp_path)


def test_a_pointer_does_not_matter_where_weights_of_another_format_are_whole(
    tmp_path: Path,
) -> None:
    (tmp_path / "model.safetensors").write_text("weights")
    (tmp_path / "pytorch_model.bin").write_text(POINTER)
    (tmp_path / "README.md").write_text(POINTER)
    assert models.locate(".", tmp_path) == tmp_path
    (tmp_path / "tokenizer.json").write_text(POINTER)
    with pytest.raises(UserError, match=r"tokenizer\.json is a Git LFS pointer"):
        models.locate(".", tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "model-00002-of-00002.safetensors").write_text(POINTER)
    with pytest.raises(UserError, match="is a Git LFS pointer"):
        models.locate(".", tmp_path)


def test_only_the_files_of_a_model_decide_what_is_built(tmp_path: Path) -> None:
    suite = Suite("echo", task=Echo(), model="model", variants=[Fake()])

    def key(name: str, *added: str) -> str:
        """Return the key of a model in a separate folder, because digests are cached by folder."""
        model = tmp_path / name
        for file in ("config.json", *added):
            (model / file).parent.mkdir(parents=True, exist_ok=True)
            (model / file).write_text(file)
        return make_blueprint(suite, Fake(), model).key

    plain = key("plain")
    metadata = (
        ".cache/huggingface/download/config.json.metadata",
        ".DS_Store",
        ".gitattributes",
        ".git/HEAD",
        "README.md",
        "LICENSE",
        "__pycache__/modeling.cpython-311.pyc",
    )
    assert key("downloaded", *metadata) == plain
    assert key("with-code", "modeling.py") != plain
    assert key("with-merges", "merges.txt") != plain


def test_with_neither_network_nor_cache_the_error_says_what_to_do(tmp_path: Path) -> None:
    message = locate(tmp_path / "empty", tmp_path)
    assert message.startswith("refused: cannot get the model 'Helsinki-NLP/opus-mt-zh-en'")
    assert "hf download Helsinki-NLP/opus-mt-zh-en" in message
    assert str(tmp_path) in message


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the model folder .*models/base/v1 does not exist"):
        models.locate("models/base/v1", tmp_path)
