"""A model imports transformers without scikit-learn, and both can be used afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_infperf.backends.torch_module import load_torch_module
from pytest_infperf.errors import BuildError
from tests.versions import BEFORE_TRANSFORMERS_5

IMPORT = """
import sys
from pytest_infperf.backends.torch_module import import_transformers

def scikit_learn_modules():
    return [name for name in sys.modules if name.partition(".")[0] == "sklearn"]
"""
SUCCEEDS = """
import_transformers().AutoModelForSeq2SeqLM, import_transformers().generation.GenerationMixin
assert "transformers.generation.candidate_generator" in sys.modules
assert scikit_learn_modules() == []
"""
FAILS = """
sys.modules["transformers.generation.candidate_generator"] = None
try:
    import_transformers()
except ImportError:
    pass
else:
    raise AssertionError("the import succeeded")
assert scikit_learn_modules() == []
"""
RESTORED = """
import sklearn.metrics
from transformers.utils import is_sklearn_available
assert is_sklearn_available()
"""


@BEFORE_TRANSFORMERS_5
@pytest.mark.parametrize("import_of_transformers", [SUCCEEDS, FAILS], ids=["succeeds", "fails"])
def test_scikit_learn_is_hidden_from_transformers_only_during_its_import(
    import_of_transformers: str,
) -> None:
    pytest.importorskip("sklearn")
    command = [sys.executable, "-c", IMPORT + import_of_transformers + RESTORED]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_a_folder_without_weights_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    config = {"model_type": "distilbert", "dim": 8, "n_heads": 1, "n_layers": 1, "hidden_dim": 8}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BuildError) as raised:
        load_torch_module(tmp_path, "AutoModel")
    message = str(raised.value)
    assert message.startswith(f"transformers cannot read the weights in {tmp_path}: ")
    assert "model.safetensors" in message
    assert message.endswith("Save the model there with save_pretrained")
    assert "\n" not in message
