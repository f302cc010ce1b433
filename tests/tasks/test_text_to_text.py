"""Models of transformers that write texts: T5 with a prefix, M2M100 with languages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import (
    Backend,
    CTranslate2,
    Onnx,
    TextToText,
    Torch,
    Translation,
    UserError,
)
from pytest_infperf.suite.backend import Material
from pytest_infperf.tasks.seq2seq import Seq2SeqCodec

MARIAN = Path(__file__).parents[2] / "suites/translation/models/marian-zh-en-distilled"
TEXTS = ["i want tea", "tea"]

pytestmark = pytest.mark.filterwarnings("ignore")


def t5(folder: Path, seed: int = 1) -> Path:
    """Write a tiny T5 with a tokenizer of whole words, and return its folder."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    words = [
        "<pad>",
        "</s>",
        "<unk>",
        *["i", "want", "tea", "translate", ":", "we", "have", "a", "cup"],
    ]
    fast = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
    fast.pre_tokenizer = pre_tokenizers.Whitespace()
    fast.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=fast, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(words), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2,
            decoder_start_token_id=0,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


def m2m100(folder: Path) -> Path:
    """Write a tiny M2M100 with the SentencePiece model of a Marian model, and return its folder."""
    import torch
    from sentencepiece import SentencePieceProcessor
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

    folder.mkdir()
    pieces = SentencePieceProcessor(model_file=str(MARIAN / "target.spm"))
    names = ["<s>", "<pad>", "</s>", "<unk>"]
    names += [pieces.id_to_piece(i) for i in range(3, 200)]
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    shutil.copy(MARIAN / "target.spm", folder / "sentencepiece.bpe.model")
    tokenizer = M2M100Tokenizer(
        str(folder / "vocab.json"),
        str(folder / "sentencepiece.bpe.model"),
        num_madeup_words=0,
        additional_special_tokens=[f"__{code}__" for code in FAIRSEQ_LANGUAGE_CODES["m2m100"]],
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    M2M100ForConditionalGeneration(
        M2M100Config(
            vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
            decoder_ffn_dim=16, max_position_embeddings=64,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


def answers(backend: Backend, task: TextToText, model: Path, folder: Path) -> list[Any]:
    folder.mkdir()
    source = None
    if exporter := backend.built_from():
        source = folder / "source"
        source.mkdir()
        exporter.build(Material(model, task, model), source)
    backend.build(Material(model, task, model, source), folder)
    codec = task.codec(model)
    features = codec.encode(TEXTS)
    return codec.decode(backend.load(folder, task, 1).infer(features), features)


@pytest.mark.parametrize("beams", [1, 3])
def test_t5_answers_as_transformers_generates(tmp_path: Path, beams: int) -> None:
    from transformers import AutoTokenizer, T5ForConditionalGeneration

    task = TextToText(data=[], prefix="translate : ", beams=beams, max_new_tokens=8)
    for seed in range(20):  # of many models some write nothing
        model = t5(tmp_path / f"model-{seed}", seed)
        tokenizer: Any = AutoTokenizer.from_pretrained(model)
        texts = [f"translate : {text}" for text in TEXTS]
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        network: Any = T5ForConditionalGeneration.from_pretrained(model)
        sequences = network.generate(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
            num_beams=beams, max_new_tokens=8,
        )  # fmt: skip
        if any(expected := tokenizer.batch_decode(sequences, skip_special_tokens=True)):
            break
    assert any(expected)
    assert task.codec(model).encode(TEXTS)[1] == [6, 7, 5, 1]
    assert answers(Torch(), task, model, tmp_path / "torch") == expected
    assert len(answers(Torch(int8="dynamic"), task, model, tmp_path / "int8")) == 2


def test_the_target_language_is_the_first_token(tmp_path: Path) -> None:
    from transformers import M2M100ForConditionalGeneration, M2M100Tokenizer

    model = m2m100(tmp_path / "model")
    task = TextToText(data=[], source_language="en", target_language="fr", max_new_tokens=8)
    codec: Any = task.codec(model)
    tokenizer: Any = M2M100Tokenizer.from_pretrained(model, src_lang="en")
    assert codec.first_token == tokenizer.get_lang_id("fr")
    assert codec.encode(TEXTS) == tokenizer(TEXTS)["input_ids"]
    network: Any = M2M100ForConditionalGeneration.from_pretrained(model)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    sequences = network.generate(
        **batch, forced_bos_token_id=tokenizer.get_lang_id("fr"), max_new_tokens=8
    )
    expected = tokenizer.batch_decode(sequences, skip_special_tokens=True)
    assert answers(Torch(), task, model, tmp_path / "torch") == [t.strip() for t in expected]
    folder = tmp_path / "int8"
    folder.mkdir()
    int8 = Torch(int8="dynamic")
    int8.build(Material(model, task, model), folder)
    results = int8.load(folder, task, 1).infer(codec.encode(TEXTS))
    assert {row[1] for row in results} == {tokenizer.get_lang_id("fr")}


@pytest.mark.parametrize("backend", [CTranslate2(), Onnx()], ids=lambda b: b.default_id)
def test_another_runtime_begins_with_the_target_language(tmp_path: Path, backend: Backend) -> None:
    model = m2m100(tmp_path / "model")
    task = TextToText(data=[], source_language="en", target_language="fr", max_new_tokens=8)
    assert answers(backend, task, model, tmp_path / "other") == answers(
        Torch(), task, model, tmp_path / "torch"
    )


def test_a_language_that_is_not_known_is_named(tmp_path: Path) -> None:
    model = m2m100(tmp_path / "m2m100")
    with pytest.raises(UserError, match=r"no language 'fra'; did you mean 'fr'\?"):
        Seq2SeqCodec(model, "en", "fra")
    with pytest.raises(UserError, match="has no languages: remove source_language"):
        Seq2SeqCodec(t5(tmp_path / "t5"), target_language="fr")
    task = Translation(source="a", reference="b", target_language="fr")
    with pytest.raises(UserError, match=r'is a Marian model, .*set prefix=">>fra<< "'):
        task.codec(MARIAN)
    with pytest.raises(UserError, match="has no tokenizer that transformers can read"):
        Seq2SeqCodec(tmp_path)


def test_the_prompt_of_a_model_without_an_encoder_is_no_output(tmp_path: Path) -> None:
    prompts = [[3, 4, 5], [6]]
    continued = [[3, 4, 5, 8, 9, 10], [6, 8, 9, 1, 0, 0]]
    codec = Seq2SeqCodec(t5(tmp_path / "model"))
    assert codec.token_counts(continued, prompts) == (4, 6 + 1 + 3 + 1)  # a copy of the input
    (tmp_path / "model/config.json").write_text('{"model_type": "own"}')
    codec = Seq2SeqCodec(tmp_path / "model")
    assert codec.token_counts(continued, prompts) == (4, 3 + 1 + 2 + 1)


def test_references_can_be_in_several_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("zh,first,second\n茶,tea,the tea\n水,water,some water\n")
    task = TextToText(data="a.csv", text="zh", reference=("first", "second"))
    samples = task.samples(tmp_path)
    assert samples.inputs == ["茶", "水"]
    assert samples.references == [["tea", "the tea"], ["water", "some water"]]
    with pytest.raises(UserError, match="no column 'third'"):
        TextToText(data="a.csv", text="zh", reference="third").samples(tmp_path)


def test_inputs_are_truncated_to_the_length_of_a_sweep(tmp_path: Path) -> None:
    task = TextToText(data=[], prefix="translate : ")
    codec: Any = task.codec(t5(tmp_path / "model"))
    text = task.sized(TEXTS, 0, 12)
    assert [len(row) for row in codec.encode([text], 6)] == [6]
    [whole] = codec.encode([text])
    codec._longest = len(whole)
    assert codec.cut([text, text + TEXTS[0]]) == [False, True]
