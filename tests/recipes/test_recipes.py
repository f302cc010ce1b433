"""Each recipe trains for some steps on little data, and the models that it writes can be used."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_infperf.backends import ctranslate2_vmap
from pytest_infperf.backends.torch_module import load_torch_module
from pytest_infperf.tasks.classification import LabelCodec
from pytest_infperf.tasks.image_codec import ImageCodec
from pytest_infperf.tasks.marian import MarianCodec
from pytest_infperf.tasks.spectrogram import SpectrogramCodec
from recipes import (
    check,
    classification,
    generation,
    generation_data,
    rnn,
    shortlist,
    speech,
    speech_quantised,
    training,
    translation,
    translation_reversed,
    vision,
)
from recipes.training import ROOT, Budget

SUITES = ROOT / "suites"
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def seeded() -> None:
    import torch

    torch.set_num_threads(1)
    training.seed(0)


def falls(losses: Sequence[float]) -> bool:
    """Return whether the mean of the last quarter is below that of the first quarter."""
    quarter = max(1, len(losses) // 4)
    assert all(map(math.isfinite, losses))
    return sum(losses[-quarter:]) < sum(losses[:quarter])


def answer(folder: Path, auto_class: str | None, features: dict[str, object]) -> object:
    import torch

    module = load_torch_module(folder, auto_class)
    with torch.inference_mode():
        output = module(**{n: torch.from_numpy(v) for n, v in features.items() if n != "frames"})
    return getattr(output, "logits", output)


def test_vision(tmp_path: Path) -> None:
    data = SUITES / "vision" / "data"
    for name in ("images-idx3", "labels-idx1"):
        shutil.copy(data / f"t10k-{name}-ubyte.gz", tmp_path / f"train-{name}-ubyte.gz")
    for name, steps in (("mnist-softmax", 40), ("mnist-inception", 4)):
        assert falls(vision.train(name, tmp_path, tmp_path / "out", Budget(steps=steps), "cpu"))
        folder = tmp_path / "out" / name
        image = np.zeros((28, 28), "u1")
        assert answer(folder, None, ImageCodec(folder).encode([image])).shape == (1, 10)  # type: ignore[attr-defined]


def test_speech(tmp_path: Path) -> None:
    data = SUITES / "speech" / "data" / "fsdd-test"
    losses = speech.train(data, tmp_path, Budget(steps=10), "cpu", batch=6)
    assert falls(losses)
    folder = tmp_path / "deepspeech2-digits"
    features = SpectrogramCodec(folder).encode([np.zeros(8000, np.float32)])
    assert answer(folder, None, features).shape == (1, 51, 17)  # type: ignore[attr-defined]


def test_speech_quantised(tmp_path: Path) -> None:
    data = SUITES / "speech" / "data" / "fsdd-test"
    losses = speech_quantised.train(data, tmp_path, Budget(steps=2), "cpu", batch=2)
    assert all(map(math.isfinite, losses))
    trained = load_torch_module(tmp_path / "deepspeech2-digits-qat", None).state_dict()
    shipped = load_torch_module(speech_quantised.SHIPPED, None).state_dict()
    assert trained.keys() == shipped.keys()
    changed = {name for name in shipped if not trained[name].equal(shipped[name])}
    assert {"rnn.weight_hh_l0", "rnn.weight_ih_l2_reverse", "fc.weight"} <= changed
    assert not changed & {"conv.0.weight", "conv.3.weight"}


def test_weights_are_rounded_as_dynamic_quantisation_rounds_them() -> None:
    import torch

    module = torch.nn.ModuleDict({"rnn": torch.nn.LSTM(3, 4), "fc": torch.nn.Linear(4, 2)})
    rounded = speech_quantised.rounded_weights(module)
    assert rounded.keys() == {"rnn.weight_ih_l0", "rnn.weight_hh_l0", "fc.weight"}
    quantize: Any = torch.ao.quantization.quantize_dynamic
    quantized = quantize(module, {torch.nn.LSTM, torch.nn.Linear})
    assert rounded["fc.weight"].equal(quantized["fc"].weight().dequantize())
    for name, weight in quantized["rnn"].get_weight().items():
        assert rounded[f"rnn.{name}"].equal(weight.dequantize())
    (3 * rounded["fc.weight"]).sum().backward()
    assert (module["fc"].weight.grad == 3).all()


def test_classification(tmp_path: Path) -> None:
    words = ["call me later", "win a prize now", "ok see you", "urgent free cash claim today"]
    lines = [f"{'spam' if i % 2 else 'ham'}\t{words[i % 4]} {i}" for i in range(80)]
    (tmp_path / "SMSSpamCollection").write_text("\n".join(lines))
    losses = classification.train(
        tmp_path, tmp_path, Budget(steps=200), "cpu", vocabulary=120, width=64, layers=2, tokens=400
    )
    assert falls(losses["bert"])
    assert falls(losses["distilbert"])
    for name in ("bert-solicitation", "distilbert-solicitation"):
        features = LabelCodec(tmp_path / name, 64).encode(["win now"])
        logits = answer(tmp_path / name, "AutoModelForSequenceClassification", features)
        assert logits.shape == (1, 2)  # type: ignore[attr-defined]


def test_messages_of_the_test_set_are_not_trained_on(tmp_path: Path) -> None:
    conversation = json.loads(classification.TEST_SET.read_text("utf-8").splitlines()[0])["text"]
    lines = [f"ham\t{conversation[:60].strip()}", "ham\tsee you at the quarry, Wilhelmina"]
    (tmp_path / "SMSSpamCollection").write_text("\n".join(lines))
    assert classification.read(tmp_path) == [("see you at the quarry, Wilhelmina", False)]


def test_loader_processes_for_a_gpu_make_different_batches_in_turns() -> None:
    messages = classification.Messages([range(5, 9), range(9, 16)], [range(20, 24)])
    loader = classification.loader(messages, seed=3, tokens=400, device="cuda")
    workers = classification.workers("cuda")
    for number in range(workers):
        own = classification.batches(messages, seed=3 + number, tokens=400, processes=workers)
        for tensor, expected in zip(next(loader), next(own), strict=True):
            assert tensor.tolist() == expected.tolist()


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    data = SUITES / "translation" / "data"
    for language, suffix in (("zh", "zho"), ("en", "eng")):
        lines = (data / f"test.{suffix}").read_text("utf-8").splitlines()[:4000:50]
        (tmp_path / f"train.{language}").write_text("\n".join(lines), "utf-8")
    shutil.copy(SUITES / "translation" / "models" / "rnn-zh-en" / "source.spm", tmp_path)
    return tmp_path


def test_translation(sentences: Path) -> None:
    losses = translation.train(
        sentences, sentences, Budget(steps=30), "cpu", width=64, layers=2, tokens=200
    )
    assert falls(losses["base"])
    for name in ("marian-zh-en-base", "marian-zh-en-distilled"):
        ids = MarianCodec(sentences / name).encode(["你好。"])
        model = load_torch_module(sentences / name, "AutoModelForSeq2SeqLM")
        assert model.config.vocab_size == 8001
        assert max(ids[0]) < 8001
        assert languages(sentences / name) == ("zh", "en")


def languages(folder: Path) -> tuple[str, str]:
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    return settings["source_lang"], settings["target_lang"]


def test_translation_reversed(sentences: Path) -> None:
    """It learns to write Chinese, with a vocabulary that transformers reads."""
    from transformers import MarianTokenizer

    losses = translation_reversed.train(sentences, sentences, Budget(steps=8), "cpu", tokens=200)
    assert falls(losses)
    folder = sentences / "marian-en-zh"
    assert languages(folder) == ("en", "zh")
    shipped = translation_reversed.SHIPPED
    for name in ("source.spm", "target.spm"):
        assert (folder / name).read_bytes() == (shipped / name).read_bytes()
    text = "Whose shirt is this?"
    tokens = MarianTokenizer.from_pretrained(folder)(text)["input_ids"]
    assert MarianCodec(folder).encode([text]) == [tokens]
    trained = load_torch_module(folder, "AutoModelForSeq2SeqLM").state_dict()
    started = load_torch_module(shipped, "AutoModelForSeq2SeqLM").state_dict()
    assert trained.keys() == started.keys()
    assert not trained["model.shared.weight"].equal(started["model.shared.weight"])


def test_rnn(sentences: Path) -> None:
    import torch

    assert falls(rnn.train(sentences, sentences, Budget(steps=8), "cpu", hidden=32, tokens=200))
    folder = sentences / "rnn-zh-en"
    ids = torch.tensor(MarianCodec(folder).encode(["你好。"]))
    model = load_torch_module(folder, None)
    found = model.generate(ids, torch.ones_like(ids), max_new_tokens=5)
    assert found.shape[0] == 1
    assert found.shape[1] <= 6


def test_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It learns to continue sentences, with a tokenizer that transformers reads."""
    from transformers import AutoTokenizer

    monkeypatch.setattr(generation, "_PIECES", 300)
    monkeypatch.setattr(generation, "_HELD_OUT", 3)
    lines = [f"The {word} is number {i}." for i in range(40) for word in ("cat", "dog", "fish")]
    (tmp_path / "train.en").write_text("\n".join(lines))
    losses = generation.train(
        tmp_path, tmp_path, Budget(steps=30), "cpu", hidden=64, rows_a_batch=2
    )
    assert falls(losses)
    folder = tmp_path / "llama-sentences"
    words = AutoTokenizer.from_pretrained(folder)
    text = "The cat is \N{SNOWMAN}."
    assert words.decode(words(text)["input_ids"], skip_special_tokens=True) == text
    assert (folder / "tokenizer.model").is_file()
    model = load_torch_module(folder, "AutoModelForCausalLM")
    assert model.config.vocab_size == len(words) == 300


def test_texts_of_the_training_are_whole_sentences_after_a_start_token() -> None:
    ids = {"a b": [5, 6], "c": [7]}

    class Words:
        bos_token_id = 1

        def __call__(self, texts: Sequence[str], **_: Any) -> dict[str, list[list[int]]]:
            return {"input_ids": [ids[text] for text in texts]}

    row = next(generation.texts(["a b", "c"], Words()))
    assert len(row) == 128
    assert row[0] == 1
    assert set(row[1:4]) == {5, 6, 7}
    assert all(row[i + 1] == 6 for i in range(1, 127) if row[i] == 5)


def test_prompts_and_text_for_generation_have_no_sentence_in_common(tmp_path: Path) -> None:
    generation_data.write(SUITES / "translation" / "data" / "test.eng", tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text().splitlines()]
    text = (tmp_path / "text.txt").read_text("utf-8")
    assert len(rows) == 200
    sentences = (SUITES / "translation" / "data" / "test.eng").read_text("utf-8").splitlines()
    prompts = "\n".join(row["prompt"] for row in rows)
    assert not [s for s in sentences if len(s) > 30 and s in text and s in prompts]
    for name in ("prompts.jsonl", "text.txt"):
        shipped = SUITES / "generation" / "data" / name
        assert (tmp_path / name).read_bytes() == shipped.read_bytes()


def test_candidates_are_frequent_tokens_and_those_that_were_aligned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shortlist, "_ALWAYS", 1)
    monkeypatch.setattr(shortlist, "_CANDIDATES", 2)
    sources = [[10, 11], [10, 11], [10, 12], [10]]
    targets = [[1, 20, 30], [1, 20], [1, 21, 20, 21], [1, 20, 22]]
    links = [{(0, 1), (1, 2)}, {(0, 1), (1, 0)}, {(0, 1), (0, 2), (0, 3), (1, 0)}, {(0, 1), (0, 2)}]
    found = shortlist.vocabulary_map(sources, targets, links)
    assert found == {
        None: [1],  # the most frequent
        10: [20, 21],  # 22 once
        20: [20],  # copied
        21: [21],
        22: [22],
        30: [30],
    }


def test_shortlist(sentences: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Link all tokens of each pair; the map is valid for the shipped model."""

    def aligned(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> object:
        return [
            {(i, j) for i in range(len(source)) for j in range(len(target))}
            for source, target in zip(sources, targets, strict=True)
        ]

    monkeypatch.setattr(shortlist, "aligned", aligned)
    shortlist.make(sentences, sentences / "vmap.txt")
    vocabulary = list(json.loads((shortlist.MODEL / "vocab.json").read_text("utf-8")))
    found = ctranslate2_vmap.read(sentences / "vmap.txt", vocabulary)
    assert {".", "▁the"} <= {*found[""]}
    assert 100 < len(found[""]) <= shortlist._ALWAYS


def test_links_are_those_of_either_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    def align(source: list[str], target: list[str], **paths: str) -> None:
        assert (source, target) == (["7 8", "9"], ["5 6", "4"])
        Path(paths["links_filename_fwd"]).write_text("0-0 1-1\n\n")
        Path(paths["links_filename_rev"]).write_text("1-0 1-1\n0-0\n")

    library: Any = ModuleType("eflomal")
    library.Aligner = lambda: SimpleNamespace(align=align)
    monkeypatch.setitem(sys.modules, "eflomal", library)
    assert shortlist.aligned([[7, 8], [9]], [[5, 6], [4]]) == [{(0, 0), (1, 1), (1, 0)}, {(0, 0)}]


def test_a_budget_of_seconds_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step takes 0.125 s; the 100 s before the first step do not count."""
    import torch

    now = 0.0
    monkeypatch.setattr(training, "monotonic", lambda: now)
    module = torch.nn.Linear(1, 1)

    def loss() -> torch.Tensor:
        nonlocal now
        now += 0.125
        return module(torch.ones(1)).square().sum()

    def batches() -> Iterator[Callable[[], torch.Tensor]]:
        nonlocal now
        now += 100
        yield from repeat(loss)

    losses = training.fit(
        module, batches(), Budget(seconds=5).share(0.2), peak=0.01, warm_up=1, name="a line"
    )
    assert len(losses) == 8
    assert losses[-1] < losses[0]


def test_the_shipped_weights_match_their_hashes_and_cards() -> None:
    assert list(check.differences()) == []


def test_every_card_has_a_number_of_parameters(tmp_path: Path) -> None:
    """Without weights, every card differs."""
    cards = sorted(ROOT.glob("suites/*/models/*/README.md"))
    for card in cards:
        (tmp_path / card.relative_to(ROOT)).parent.mkdir(parents=True)
        shutil.copy(card, tmp_path / card.relative_to(ROOT))
    (hashes := tmp_path / "weights.sha256").touch()
    lines = list(check.differences(tmp_path, hashes))
    assert [line.partition(" says ")[0] for line in lines] == [
        str(card.relative_to(ROOT)) for card in cards
    ]
    assert len(cards) == len({*ROOT.glob("suites/*/models/*")})


def test_differences_are_named(tmp_path: Path) -> None:
    name = "suites/vision/models/mnist-softmax/model.safetensors"
    folder = (tmp_path / name).parent
    shutil.copytree((ROOT / name).parent, folder)
    hashes = tmp_path / "weights.sha256"
    hashes.write_text(f"{'0' * 64}  {name}\n{'0' * 64}  suites/gone.safetensors\n")
    card = (folder / "README.md").read_text("utf-8")
    (folder / "README.md").write_text(card.replace("7.9 k parameters", "9 k parameters"))
    (folder.parent / "own").mkdir()
    (folder.parent / "own" / "model.safetensors").touch()
    assert list(check.differences(tmp_path, hashes)) == [
        "suites/vision/models/own/model.safetensors is not in weights.sha256",
        f"{name} does not match its hash in weights.sha256",
        "suites/gone.safetensors is missing",
        "suites/vision/models/mnist-softmax/README.md says 9 k parameters, but its files have "
        "7,850",
    ]
