"""A model is a folder, or a hub id that a local cache can serve without network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_infperf.artifacts import models
from pytest_infperf.errors import UserError

LOCATE = """
import sys
from pathlib import Path
from pytest_infperf.artifacts import models
from pytest_infperf.errors import UserError
try:
    print(models.locate("Helsinki-NLP/opus-mt-zh-en", Path(sys.argv[1])))
except UserError as error:
    print("refused:", error)
"""


def locate(hub_cache: Path, folder: Path) -> str:
    """In a process of its own: the hub's settings are read when it is imported."""
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(hub_cache), "PATH": ""}
    command = [sys.executable, "-c", LOCATE, str(folder)]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_folder_is_relative_to_the_suite(tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    assert models.locate("models/mine", tmp_path) == tmp_path / "models" / "mine"


def test_a_hub_id_comes_from_the_local_cache_when_offline(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--Helsinki-NLP--opus-mt-zh-en"
    snapshot = repository / "snapshots" / "0123456789abcdef"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123456789abcdef")
    assert locate(tmp_path / "hub", tmp_path) == str(snapshot)


def test_with_neither_network_nor_cache_the_error_says_what_to_do(tmp_path: Path) -> None:
    message = locate(tmp_path / "empty", tmp_path)
    assert message.startswith("refused: cannot get the model 'Helsinki-NLP/opus-mt-zh-en'")
    assert "hf download Helsinki-NLP/opus-mt-zh-en" in message
    assert str(tmp_path) in message


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the model folder .*models/base/v1 does not exist"):
        models.locate("models/base/v1", tmp_path)
