"""The decoding of runners: the settings of the model that the backend follows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import Backend, CTranslate2, Onnx, Torch, Translation
from pytest_infperf.backends import ctranslate2_decoding, decoding, seq2seq
from pytest_infperf.backends.torch_generate import TorchContinue
from pytest_infperf.suite.backend import Material
from tests.backends.test_decoder_only import tiny

SHIPPED = Path(__file__).parents[2] / "suites" / "translation"
STUDENT = SHIPPED / "models" / "marian-zh-en-distilled"
ONE = {"beams": 1, "max_new_tokens": 16}
FOUR = {"beams": 4, "max_new_tokens": 16}

pytestmark = pytest.mark.filterwarnings("ignore")


def planted(folder: Path, **settings: Any) -> Path:
    """Write the shipped model with settings in its generation_config.json."""
    shutil.copytree(STUDENT, folder)
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return folder


def task(beams: int = 1) -> Translation:
    return Translation(
        source=str(SHIPPED / "data" / "test.zho"),
        reference=str(SHIPPED / "data" / "test.eng"),
        beams=beams,
        max_new_tokens=16,
    )


def loaded(backend: Backend, model: Path, folder: Path, beams: int = 1, **more: Any) -> Any:
    folder.mkdir()
    backend.build(Material(model, task(beams), SHIPPED, **more), folder)
    return backend.load(folder, task(beams), 1)


def texts(runner: Any) -> list[Any]:
    codec = task().codec(STUDENT)
    features = codec.encode(list(task().samples(SHIPPED).inputs[100:124]))
    return codec.decode([runner.infer([row])[0] for row in features], features)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return texts(loaded(Torch(), STUDENT, tmp_path_factory.mktemp("plain") / "torch"))


def test_a_setting_without_effect_is_not_named() -> None:
    settings = {
        "num_beams": 1, "max_new_tokens": 8, "no_repeat_ngram_size": 0, "repetition_penalty": 1.0,
        "length_penalty": 2.0, "early_stopping": True, "temperature": 0.6, "top_p": 0.9,
        "pad_token_id": 7, "eos_token_id": [1, 2], "bad_words_ids": [[7], [2]], "min_length": None,
    }  # fmt: skip
    assert decoding.described(settings) == {"beams": 1, "max_new_tokens": 8}
    assert decoding.described(settings | {"num_beams": 2}) == {
        "beams": 2, "max_new_tokens": 8, "early_stopping": True, "length_penalty": 2.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("no_repeat_ngram_size", 1, 1),
        ("repetition_penalty", 1.5, 1.5),
        ("min_length", 12, 12),
        ("min_new_tokens", 12, 12),
        ("bad_words_ids", [[8000], [5], [3, 4]], "[[5], [3, 4]]"),
        ("suppress_tokens", [5, 7], "[5, 7]"),
        ("forced_bos_token_id", 50, 50),
    ],
)
def test_ctranslate2_follows_settings_as_torch_does(
    tmp_path: Path, plain: list[Any], name: str, value: Any, shown: Any
) -> None:
    model = planted(tmp_path / "model", **{name: value})
    torch = loaded(Torch(), model, tmp_path / "torch")
    fast = loaded(CTranslate2(), model, tmp_path / "fast")
    assert torch.decoding == fast.decoding == ONE | {name: shown}
    assert texts(fast) == texts(torch) != plain


def test_the_beams_of_ctranslate2_follow_the_length_penalty(tmp_path: Path) -> None:
    model = planted(tmp_path / "model", num_beams=4, length_penalty=2.0, early_stopping=True)
    torch = loaded(Torch(), model, tmp_path / "torch", 4)
    fast = loaded(CTranslate2(), model, tmp_path / "fast", 4)
    assert torch.decoding == FOUR | {"length_penalty": 2.0, "early_stopping": True}
    assert fast.decoding == torch.decoding
    assert texts(fast) == texts(torch)


def test_beams_of_ctranslate2_normalise_after_suppressing_tokens(
    tmp_path: Path,
) -> None:
    settings = {"num_beams": 4, "no_repeat_ngram_size": 2, "early_stopping": True}
    model = planted(tmp_path / "model", renormalize_logits=True, **settings)
    torch = loaded(Torch(), model, tmp_path / "torch", 4)
    fast = loaded(CTranslate2(), model, tmp_path / "fast", 4)
    assert fast.decoding == torch.decoding
    assert texts(fast) == texts(torch)
    other = loaded(Torch(), planted(tmp_path / "other", **settings), tmp_path / "other-torch", 4)
    assert fast.decoding == other.decoding | {"renormalize_logits": True}


@pytest.mark.parametrize(
    ("beams", "settings", "shown"),
    [
        (1, {"encoder_no_repeat_ngram_size": 3}, {}),
        (1, {"begin_suppress_tokens": [5]}, {}),
        (4, {"repetition_penalty": 1.5}, {}),
        (4, {"early_stopping": "never"}, {"early_stopping": True}),
        (4, {"length_penalty": 2.0}, {"length_penalty": 2.0, "early_stopping": True}),
        (4, {"min_length": 9}, {"min_length": 9, "renormalize_logits": True}),
    ],
)
def test_settings_that_ctranslate2_ignores_are_seen(
    beams: int, settings: dict[str, Any], shown: dict[str, Any]
) -> None:
    asked = {**settings, "num_beams": beams, "max_new_tokens": 16}
    done = decoding.described(ctranslate2_decoding.followed(asked))
    assert done == {"beams": beams, "max_new_tokens": 16, **shown}
    assert done != decoding.described(asked)


def test_plain_beams_of_ctranslate2_are_those_of_torch() -> None:
    asked = {"num_beams": 4, "max_new_tokens": 16, "early_stopping": False, "length_penalty": 1.0}
    assert decoding.described(ctranslate2_decoding.followed(asked)) == FOUR


def test_a_shipped_model_decodes_with_what_the_task_asks(tmp_path: Path) -> None:
    torch = loaded(Torch(), STUDENT, tmp_path / "torch")
    fast = loaded(CTranslate2(int8=True), STUDENT, tmp_path / "fast")
    rnn = loaded(Torch(), SHIPPED / "models" / "rnn-zh-en", tmp_path / "rnn")
    assert torch.decoding == fast.decoding == rnn.decoding == ONE


def test_int8_keeps_the_settings_of_the_model(tmp_path: Path) -> None:
    model = planted(tmp_path / "model", no_repeat_ngram_size=2)
    runner = loaded(Torch(int8="dynamic"), model, tmp_path / "int8")
    assert runner.decoding == ONE | {"no_repeat_ngram_size": 2}


def test_the_graph_names_the_settings_that_it_implements(tmp_path: Path) -> None:
    model = planted(tmp_path / "model", num_beams=4, length_penalty=2.0, suppress_tokens=[5])
    (tmp_path / "export").mkdir()
    seq2seq.export(model, tmp_path / "export")
    graph = loaded(Onnx(), model, tmp_path / "onnx", 4, source=tmp_path / "export")
    torch = loaded(Torch(), model, tmp_path / "torch", 4)
    assert graph.decoding == torch.decoding
    assert graph.decoding == FOUR | {"length_penalty": 2.0, "suppress_tokens": "[5]"}


def test_a_model_that_continues_prompts_names_its_settings() -> None:
    model = tiny("GPT2LMHeadModel")
    model.generation_config.repetition_penalty = 1.3
    runner = TorchContinue(model, ONE, 1, "cpu", pads_left=True)
    assert runner.decoding == ONE | {"repetition_penalty": 1.3}
