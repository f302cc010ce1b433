"""The gates of each shipped suite find a plausible mistake.

Each test makes one change to the shipped suites and models, with the shipped thresholds.toml.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.other_plugins import LEFT_OUT

ROOT = Path(__file__).parents[2]


SMALLER = {
    "translation": ("beams=1", "beams=1, sample_size=48"),
    "translation_en_zh": ("beams=1", "beams=1, sample_size=48"),
    "classification": ("sample_size=160", "sample_size=48"),
    "speech": ("sample_size=1000", "sample_size=24"),
    "vision": ("images=", "sample_size=300, images="),
    "generation": ("sample_size=40", "sample_size=20"),
}
"""The replacement that makes each suite's task smaller: few samples are enough for a mistake."""


@dataclass
class Copy:
    """A copy of a suite of the repository in a project of its own."""

    name: str
    pytester: pytest.Pytester
    cache: Path

    def __post_init__(self) -> None:
        root = self.pytester.path
        self.folder = root / "suites" / self.name
        shutil.copytree(ROOT / "suites" / self.name, self.folder)
        (root / "thresholds.toml").write_text(limits_of(self.name.replace("_", "-")))
        (root / "conftest.py").write_text("")
        self.pytester.makeini("[pytest]")
        self.change("suite.py", *SMALLER[self.name])

    def change(self, file: str, before: str, after: str) -> None:
        path = self.folder / file
        text = path.read_text("utf-8")
        assert before in text
        path.write_text(text.replace(before, after, 1), "utf-8")

    def measure(self, test: str, variants: str) -> pytest.RunResult:
        """Measure a variant without comparisons, with its absolute limits only."""
        return self.pytester.runpytest_subprocess(
            *LEFT_OUT,
            "--infperf",
            "--infperf-threads=1",
            f"--infperf-cache={self.cache}",
            f"--infperf-variants={variants}",
            f"--infperf-baseline={variants}",
            "-k",
            test,
        )


def limits_of(suite: str) -> str:
    """Return the suite's tables of the repository's thresholds.toml."""
    head, *tables = re.split(r"^(?=\[)", (ROOT / "thresholds.toml").read_text(), flags=re.MULTILINE)
    return "".join([head, *(t for t in tables if t.startswith((f"[{suite}]", f"[{suite}.")))])


def broken(result: pytest.RunResult, variant: str, measure: str) -> bool:
    result.assert_outcomes(failed=1)
    return any(f"FAIL {variant} {measure}" in line for line in result.outlines)


def test_a_wrong_vocabulary_breaks_bleu(pytester: pytest.Pytester, built_before: Path) -> None:
    copy = Copy("translation", pytester, built_before)
    path = copy.folder / "models/marian-zh-en-distilled/vocab.json"
    ids = json.loads(path.read_text("utf-8"))
    shifted = {piece: (i + 1) % 8000 if 3 <= i < 8000 else i for piece, i in ids.items()}
    path.write_text(json.dumps(shifted), "utf-8")
    result = copy.measure("quality", "distilled")
    assert broken(result, "translation[distilled]", "bleu")


def test_a_repeated_softmax_breaks_bleu(pytester: pytest.Pytester, built_before: Path) -> None:
    copy = Copy("translation", pytester, built_before)
    copy.change(
        "models/rnn-zh-en/modeling.py", "scores.softmax(-1)", "scores.softmax(-1).softmax(-1)"
    )
    result = copy.measure("quality", "rnn-onnx")
    assert broken(result, "translation[rnn-onnx]", "bleu")


def test_a_tokenizer_for_texts_with_spaces_breaks_bleu_of_chinese(
    pytester: pytest.Pytester, built_before: Path
) -> None:
    copy = Copy("translation_en_zh", pytester, built_before)
    shutil.copytree(ROOT / "suites/translation/data", copy.folder.parent / "translation/data")
    copy.change("suite.py", 'Bleu(tokenize="zh")', 'Bleu(tokenize="13a")')
    result = copy.measure("quality", "torch")
    assert broken(result, "translation-en-zh[torch]", "bleu")


def test_swapped_labels_break_accuracy(pytester: pytest.Pytester, built_before: Path) -> None:
    copy = Copy("classification", pytester, built_before)
    copy.change(
        "models/distilbert-solicitation/config.json",
        '"0": "clean",\n    "1": "solicitation"',
        '"0": "solicitation",\n    "1": "clean"',
    )
    result = copy.measure("quality", "distilbert-onnx-int8")
    assert broken(result, "classification[distilbert-onnx-int8]", "accuracy")


def test_an_unfused_graph_breaks_the_count_of_fused_operators(
    pytester: pytest.Pytester, built_before: Path
) -> None:
    copy = Copy("classification", pytester, built_before)
    copy.change("suite.py", "fused=True, id", "id")
    result = copy.measure("footprint", "distilbert-onnx-fused")
    assert broken(result, "classification[distilbert-onnx-fused]", "fused_operators")


def test_calibration_with_black_images_breaks_accuracy(pytester: pytest.Pytester) -> None:
    copy = Copy("vision", pytester, pytester.path / "cache")
    copy.change(
        "suite.py",
        "SOFTMAX =",
        "Onnx.build, built = (\n"
        "    lambda self, material, folder: built(self, Black(**vars(material)), folder)\n"
        "), Onnx.build\n\n\n"
        "class Black(Material):\n"
        "    def features(self, *count):\n"
        '        return [{"image": one["image"] * 0} for one in super().features(*count)]\n\n\n'
        "SOFTMAX =",
    )
    copy.change("suite.py", "import ImageClassification,", "import ImageClassification, Material,")
    result = copy.measure("quality", "onnx-int8")
    assert broken(result, "vision[onnx-int8]", "accuracy")


def test_a_wrong_blank_index_breaks_the_word_error_rate(
    pytester: pytest.Pytester, built_before: Path
) -> None:
    copy = Copy("speech", pytester, built_before)
    copy.change("models/deepspeech2-digits/config.json", '"blank": 0', '"blank": 1')
    result = copy.measure("quality", "onnx")
    assert broken(result, "speech[onnx]", "wer")
