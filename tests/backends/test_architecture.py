"""What is imported to open a model: each worker waits for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

OPENED = """
import sys
from pytest_infperf.backends.architecture import transformers
transformers().AutoModelForSeq2SeqLM, transformers().generation.GenerationMixin
assert "transformers.generation.candidate_generator" in sys.modules
print([name for name in sys.modules if name.partition(".")[0] == "sklearn"])
import sklearn.metrics
"""


def test_transformers_comes_without_scikit_learn_which_stays_at_hand() -> None:
    pytest.importorskip("sklearn")
    command = [sys.executable, "-c", OPENED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
