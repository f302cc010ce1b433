"""Probabilities of a text by torch: those of transformers, and a fault of a quantised weight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import Perplexity, TextGeneration, Torch, UserError
from pytest_infperf.gates.judge import judge
from pytest_infperf.measure.perplexity import TextRun, measured_text
from pytest_infperf.records.catalogue import Catalogue
from pytest_infperf.records.record import Verdict
from pytest_infperf.suite.backend import Material
from pytest_infperf.suite.perplexity import Window
from pytest_infperf.suite.runner import ScoringRunner
from pytest_infperf.tasks.generation_codec import GenerationCodec
from pytest_infperf.thresholds.gate import Gate, Limit
from pytest_infperf.worker.messages import ScoreWindow, Text
from pytest_infperf.worker.text_scoring import score
from tests.tasks.tiny_generator import save_tiny_generator

TEXT = "a b c d e f g h\n" * 8 + "h a é b "
ROWS = [{"prompt": "a b", "reference": "c"}]
TASK = TextGeneration(data=ROWS, perplexity=Perplexity("text.txt", window=12, stride=5))

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_tiny_generator(tmp_path_factory.mktemp("generator"))
    (folder / "text.txt").write_text(TEXT)
    return folder


def loaded(backend: Torch, model: Path, folder: Path, task: TextGeneration = TASK) -> Any:
    folder.mkdir()
    backend.build(Material(model=model, task=task, data=model), folder)
    return backend.load(folder, task, 1)


def windows_of(model: Path) -> Sequence[Window]:
    return TASK.windows(TASK.codec(model), model)


def run(runner: ScoringRunner, model: Path, file: str) -> TextRun:
    """Score the text, and keep or compare the distributions in files of this name."""
    windows = windows_of(model)
    done = []
    for number, window in enumerate(windows):
        path = Path(file.format(number))
        option = "compare_with" if path.exists() else "keep_in"
        done.append(score(runner, window, ScoreWindow(number, 12, **{option: str(path)})))
    return TextRun(Text(len(windows), "letters"), done)


def test_the_probability_of_a_window_is_the_loss_of_transformers(
    model: Path, tmp_path: Path
) -> None:
    import torch
    import transformers

    runner = loaded(Torch(), model, tmp_path / "torch")
    assert isinstance(runner, ScoringRunner)
    module: Any = transformers.GPT2LMHeadModel.from_pretrained(model).eval()
    windows = windows_of(model)
    assert len(windows) > 6
    for window in windows:
        ids = torch.tensor([window.tokens])
        labels = ids.clone()
        labels[:, : -window.scored] = -100
        with torch.inference_mode():
            loss = float(module(ids, labels=labels).loss)
        done = score(runner, window, ScoreWindow(0, 1))
        assert done.nats == pytest.approx(loss * window.scored, rel=1e-5)


def test_the_windows_cover_the_bytes_of_the_text_once(model: Path) -> None:
    windows = windows_of(model)
    tokens = TEXT.split()
    assert sum(window.scored for window in windows) == len(tokens) - 1
    assert sum(window.size for window in windows) == len(TEXT.encode()) - len("a")
    assert (windows[1].scored, windows[1].size) == (5, len(" e f g h\na"))


def test_an_empty_or_missing_text_is_an_error(model: Path) -> None:
    task = TextGeneration(data=ROWS, perplexity=Perplexity("txet.txt"))
    with pytest.raises(UserError, match=r"there is no test data .*txet\.txt; did you mean text"):
        task.samples(model)


def test_a_window_that_the_tokenizer_does_not_permit_is_an_error(model: Path) -> None:
    codec = GenerationCodec(model)
    codec._limit = 8
    with pytest.raises(UserError, match=r"Perplexity\(window=12\) is longer than the 8 tokens"):
        TASK.windows(codec, model)


def test_output_ids_have_neither_end_nor_padding(model: Path) -> None:
    codec = GenerationCodec(model)
    end, a, b = codec.encode(["<end> a b"])[0]
    assert codec.output_ids([[a, b, a, end, end], [a, end], [a, b]], [[a], [a], [a]]) == [
        [b, a],
        [],
        [b],
    ]


def trained_llama(folder: Path) -> Path:
    """Write a tiny Llama that has learned the text, with the tokenizer of the tiny generator."""
    import torch
    import transformers

    save_tiny_generator(folder)
    (folder / "text.txt").write_text(TEXT)
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=13, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=64, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    module = transformers.LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    batch = [window.tokens for window in windows_of(folder) if len(window.tokens) == 12]
    ids = torch.tensor(batch)
    for _ in range(60):
        optimizer.zero_grad()
        module(ids, labels=ids).loss.backward()
        optimizer.step()
    module.eval().save_pretrained(folder)
    return folder


def damage_scale(artifact: Path, factor: float) -> None:
    """Multiply the scale of the quantised weight of one layer."""
    import torch

    load: Any = torch.load
    module = load(artifact / "quantized.pt", weights_only=False)
    layer = module.model.layers[0].mlp.down_proj
    weight = layer.weight()
    wrong = torch._make_per_tensor_quantized_tensor(
        weight.int_repr(), factor * weight.q_scale(), weight.q_zero_point()
    )
    layer.set_weight_bias(wrong, layer.bias())
    torch.save(module, artifact / "quantized.pt")


def test_a_wrong_scale_of_a_quantised_weight_raises_perplexity(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    model = trained_llama(tmp_path / "model")
    file = f"{tmp_path}/{{}}.npy"
    baseline = run(loaded(Torch(), model, tmp_path / "torch"), model, file)
    (measured,) = measured_text(baseline, None, 0.99)
    assert measured.measures["perplexity"].value < 2, "it has learned the text"
    spec = Catalogue(scores_text=True).get("perplexity")
    assert spec
    gate = Gate(spec, Limit("max_ratio", 1.1, "max_ratio = 1.1"), "thresholds.toml:3", 0.99, "fail")
    backend = Torch(int8="dynamic")
    quantised = run(loaded(backend, model, tmp_path / "int8"), model, file)
    likelihood, divergence = measured_text(quantised, baseline, 0.99)
    assert judge(gate, likelihood).verdict is Verdict.PASS
    assert 0 < divergence.measures["kl_divergence"].value < 0.02
    damage_scale(tmp_path / "int8", 20)
    damaged = run(backend.load(tmp_path / "int8", TASK, 1), model, file)
    likelihood, divergence = measured_text(damaged, baseline, 0.99)
    assert judge(gate, likelihood).verdict is Verdict.FAIL
    assert divergence.measures["kl_divergence"].value > 0.1
