"""Models without an encoder: the same continuation in every batch, and classifiers with padding."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_infperf import BuildError
from pytest_infperf.backends.torch_generate import TorchContinue, TorchGenerate
from pytest_infperf.backends.torch_module import CLASSIFIER, load_torch_module
from pytest_infperf.backends.torch_padding import choose_padding, padding_id, pads_left
from tests.versions import BEFORE_TRANSFORMERS_5

PROMPTS = [[5, 6, 7, 8, 9, 10, 11], [12], [20, 21, 22]]
DECODING = {"beams": 1, "max_new_tokens": 6}

pytestmark = pytest.mark.filterwarnings("ignore")


def tiny(kind: str, **settings: Any) -> Any:
    """Return a model of random weights, which are large so that positions matter."""
    import torch
    import transformers

    torch.manual_seed(3)
    family = "OpenAIGPT" if kind.startswith("OpenAIGPT") else "GPT2"
    config = getattr(transformers, f"{family}Config")(
        vocab_size=50, n_layer=2, n_embd=8, n_head=2, n_positions=64, initializer_range=1.0,
        bos_token_id=0, eos_token_id=0, **settings,
    )  # fmt: skip
    return getattr(transformers, kind)(config).eval()


def continued(model: Any, folder: Path) -> TorchContinue:
    choose_padding(model, folder)
    return TorchContinue(model, DECODING, 1, "cpu", pads_left=pads_left(folder))


def without_padding(rows: list[list[int]], pad: int) -> list[list[int]]:
    return [row[: len(row) - next(i for i, t in enumerate(row[::-1]) if t != pad)] for row in rows]


def test_a_batch_continues_each_prompt_as_it_would_alone(tmp_path: Path) -> None:
    model = tiny("GPT2LMHeadModel")
    assert choose_padding(model, tmp_path) == {"padding": "left"}
    runner = continued(model, tmp_path)
    alone = [runner.infer([prompt])[0] for prompt in PROMPTS]
    together = runner.infer(PROMPTS)
    assert without_padding(together, 0) == without_padding(alone, 0)
    assert [row[: len(p)] for row, p in zip(together, PROMPTS, strict=True)] == PROMPTS


def test_padding_on_the_right_would_change_it() -> None:
    model = tiny("GPT2LMHeadModel", pad_token_id=0)
    runner = TorchGenerate(model, DECODING, 1, "cpu")
    alone = [runner.infer([prompt])[0][len(prompt) :] for prompt in PROMPTS]
    together = [row[len(PROMPTS[0]) :] for row in runner.infer(PROMPTS)]
    assert without_padding(together, 0) != without_padding(alone, 0)


@BEFORE_TRANSFORMERS_5
def test_a_model_that_reads_its_padding_runs_prompts_one_by_one(tmp_path: Path) -> None:
    """The first GPT counts positions from the first token and ignores the mask."""
    model = tiny("OpenAIGPTLMHeadModel")
    evidence = choose_padding(model, tmp_path)
    assert evidence["padding"].startswith("none: the prompts of a batch run one by one, because")
    runner = continued(model, tmp_path)
    assert runner.infer(PROMPTS) == [runner.infer([prompt])[0] for prompt in PROMPTS]


def test_an_artifact_without_settings_is_not_padded(tmp_path: Path) -> None:
    assert not pads_left(tmp_path)


@pytest.mark.parametrize(
    ("settings", "token"),
    [
        ({"pad_token_id": 7, "eos_token_id": 3}, 7),
        ({"pad_token_id": None, "eos_token_id": 3}, 3),
        ({"pad_token_id": None, "eos_token_id": [3, 4]}, 3),
        ({}, 0),
    ],
)
def test_a_model_without_a_padding_token_is_padded_with_its_end(
    settings: dict[str, Any], token: int
) -> None:
    assert padding_id(SimpleNamespace(**settings)) == token


def test_a_classifier_without_an_encoder_needs_a_padding_token(tmp_path: Path) -> None:
    import torch

    model = tiny("GPT2ForSequenceClassification")
    model.save_pretrained(tmp_path)
    with pytest.raises(BuildError, match=r'config\.json has no pad_token_id.*"pad_token_id": 0'):
        load_torch_module(tmp_path, CLASSIFIER)
    model.config.pad_token_id = 49
    model.save_pretrained(tmp_path)
    loaded = load_torch_module(tmp_path, CLASSIFIER)
    with torch.inference_mode():
        alone = loaded(input_ids=torch.tensor([[5, 6]])).logits
        together = loaded(
            input_ids=torch.tensor([[5, 6, 49, 49], [7, 8, 9, 10]]),
            attention_mask=torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]]),
        ).logits
    assert torch.allclose(alone[0], together[0], atol=1e-4)
