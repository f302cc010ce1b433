"""ONNX variants of a tiny random Marian model decode like transformers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf.backends import seq2seq
from pytest_infperf.errors import BuildError
from tests.versions import BEFORE_TRANSFORMERS_5

pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

MAX_NEW_TOKENS = 12
DECODING = {"beams": 1, "max_new_tokens": MAX_NEW_TOKENS}
PAD = START = 49
EOS = 0
SUPPRESSED = (44, PAD)
VARIANTS = ("onnx", "onnx-fused", "onnx-int8", "onnx-fused-int8")
BATCH = [
    [5, 11, 23, 8, 31, EOS],
    [17, 4, EOS, PAD, PAD, PAD],
    [40, 12, 9, 33, EOS, PAD],
    [3, EOS, PAD, PAD, PAD, PAD],
    [26, 26, 2, 14, EOS, PAD],
    [44, 1, 18, EOS, PAD, PAD],
]


Rows = list[list[int]]


@dataclass(frozen=True)
class Marian:
    """A model, its folder, and the folder of its export."""

    model: Any
    folder: Path
    exported: Path

    def generate(self, rows: Rows, max_new_tokens: int = MAX_NEW_TOKENS, beams: int = 1) -> Rows:
        import torch

        ids = torch.tensor(rows)
        generated: Rows = self.model.generate(
            input_ids=ids,
            attention_mask=(ids != PAD).long(),
            num_beams=beams,
            do_sample=False,
            max_new_tokens=max_new_tokens,
        ).tolist()
        return generated

    def build(
        self, variant: str, folder: Path, max_new_tokens: int = MAX_NEW_TOKENS, beams: int = 1
    ) -> Path:
        shutil.copytree(self.exported, folder)
        if "fused" in variant:
            seq2seq.fuse(self.folder, folder)
        if "int8" in variant:
            seq2seq.quantize(folder)
        generation = seq2seq.Generation.from_config(
            self.folder, {"beams": beams, "max_new_tokens": max_new_tokens}
        )
        return seq2seq.compose(folder, generation)


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Marian:
    """A model with which the rows of BATCH end after different lengths, one at the limit."""
    return make_marian(tmp_path_factory.mktemp("marian"))


def make_marian(root: Path, activation: str = "swish") -> Marian:
    import torch
    from transformers import MarianConfig, MarianMTModel

    torch.manual_seed(51)
    config = MarianConfig(  # type: ignore[no-untyped-call]
        vocab_size=50,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=32,
        activation_function=activation,
        scale_embedding=True,
        init_std=0.4,
        pad_token_id=PAD,
        eos_token_id=EOS,
        forced_eos_token_id=EOS,
        decoder_start_token_id=START,
    )
    model: Any = MarianMTModel(config)
    model.train(False)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.2)
    model.final_logits_bias.normal_(std=0.5)
    model.final_logits_bias[0, EOS] += 1.5
    model.generation_config.bad_words_ids = [[token] for token in SUPPRESSED]
    folder, exported = root / "model", root / "exported"
    model.save_pretrained(folder)
    exported.mkdir()
    seq2seq.export(folder, exported)
    return Marian(model, folder, exported)


@pytest.fixture(scope="module")
def graphs(marian: Marian, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("variants")
    return {variant: marian.build(variant, root / variant) for variant in VARIANTS}


def decode(graph: Path, rows: Rows, pad: int = PAD) -> Rows:
    import numpy
    import onnxruntime

    ids = numpy.asarray(rows)
    session = onnxruntime.InferenceSession(graph)
    mask = (ids != pad).astype("int64")
    [sequences] = session.run(None, {"input_ids": ids, "attention_mask": mask})
    decoded: Rows = sequences.tolist()
    return decoded


def unpadded(row: list[int]) -> list[int]:
    return [token for token in row if token != PAD]


@BEFORE_TRANSFORMERS_5  # with a seed, version 5 makes other weights
def test_batch_covers_every_way_to_end(marian: Marian) -> None:
    lengths = {len(unpadded(row)) for row in marian.generate(BATCH)}
    assert MAX_NEW_TOKENS in lengths
    assert 1 in lengths
    assert len(lengths) >= 4


@pytest.mark.parametrize("variant", ["onnx", "onnx-fused"])
def test_padded_batch_decodes_like_transformers(
    marian: Marian, graphs: dict[str, Path], variant: str
) -> None:
    assert decode(graphs[variant], BATCH) == marian.generate(BATCH)


@pytest.mark.parametrize("variant", ["onnx", "onnx-fused"])
@pytest.mark.parametrize("row", BATCH)
def test_single_row_decodes_like_transformers(
    marian: Marian, graphs: dict[str, Path], variant: str, row: list[int]
) -> None:
    single = [unpadded(row)]
    assert decode(graphs[variant], single) == marian.generate(single)


@pytest.mark.parametrize("variant", ["onnx", "onnx-fused"])
@pytest.mark.parametrize("max_new_tokens", [2, 3])
def test_short_length_limit_ends_rows_like_transformers(
    marian: Marian, tmp_path: Path, variant: str, max_new_tokens: int
) -> None:
    graph = marian.build(variant, tmp_path / variant, max_new_tokens)
    assert decode(graph, BATCH) == marian.generate(BATCH, max_new_tokens)


@pytest.mark.parametrize("variant", ["onnx", "onnx-fused"])
def test_without_forced_end_rows_are_cut_like_transformers(
    marian: Marian, tmp_path: Path, variant: str
) -> None:
    config = marian.model.generation_config
    folder = tmp_path / "unforced"
    shutil.copytree(marian.folder, folder)
    rewrite(folder / "generation_config.json", forced_eos_token_id=None)
    unforced = Marian(marian.model, folder, marian.exported)
    config.forced_eos_token_id = None
    try:
        expected = unforced.generate(BATCH)
    finally:
        config.forced_eos_token_id = EOS
    assert decode(unforced.build(variant, tmp_path / variant), BATCH) == expected


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_fused_graph_has_the_activation_of_the_model(tmp_path: Path, activation: str) -> None:
    marian = make_marian(tmp_path, activation)
    graph = marian.build("onnx-fused", tmp_path / "onnx-fused")
    assert decode(graph, BATCH) == marian.generate(BATCH)


@pytest.mark.parametrize("variant", VARIANTS)
def test_suppressed_tokens_never_occur(graphs: dict[str, Path], variant: str) -> None:
    for row in decode(graphs[variant], BATCH):
        assert 44 not in row
        assert PAD not in unpadded(row)


@pytest.mark.parametrize("variant", ["onnx-int8", "onnx-fused-int8"])
def test_int8_decodes_to_rows_that_end(graphs: dict[str, Path], variant: str) -> None:
    rows = decode(graphs[variant], BATCH)
    assert len(rows) == len(BATCH)
    for row in rows:
        assert row[0] == START
        assert 2 <= len(row) <= MAX_NEW_TOKENS + 1
        assert unpadded(row)[-1] == EOS
        assert unpadded(row).count(EOS) == 1


def test_int8_is_smaller(graphs: dict[str, Path]) -> None:
    """Compare the bytes of the weights: they are a small part of the file of a tiny model."""
    import onnx

    def weight_bytes(graph: Path) -> int:
        tensors = onnx.load(graph).graph.initializer
        return sum(len(tensor.raw_data) for tensor in tensors)

    assert weight_bytes(graphs["onnx-int8"]) < 0.7 * weight_bytes(graphs["onnx"])
    assert weight_bytes(graphs["onnx-fused-int8"]) < 0.7 * weight_bytes(graphs["onnx-fused"])


def test_fuse_counts_operators_of_both_graphs(marian: Marian, tmp_path: Path) -> None:
    folder = tmp_path / "fused"
    shutil.copytree(marian.exported, folder)
    counts = seq2seq.fuse(marian.folder, folder)
    assert counts["encoder.Attention"] == 2
    assert counts["decoder.GroupQueryAttention"] == 2
    assert counts["decoder.MultiHeadAttention"] == 2
    assert counts["encoder.QuickGelu"] == counts["decoder.QuickGelu"] == 2


def test_weights_are_stored_once(graphs: dict[str, Path]) -> None:
    import onnx

    graph = onnx.load(graphs["onnx"]).graph
    contents = [
        (tensor.data_type, tuple(tensor.dims), tensor.raw_data)
        for tensor in graph.initializer
        if tensor.raw_data
    ]
    assert len(contents) == len(set(contents))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("repetition_penalty", 1.2), ("bad_words_ids", [[3, 4]]), ("eos_token_id", [0, 1])],
)
def test_unsupported_settings_are_refused(
    marian: Marian, tmp_path: Path, setting: str, value: object
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(marian.folder, folder)
    rewrite(folder / "generation_config.json", **{setting: value})
    with pytest.raises(BuildError, match=setting):
        seq2seq.Generation.from_config(folder, DECODING)


def test_more_tokens_than_positions_are_refused(marian: Marian) -> None:
    with pytest.raises(BuildError, match="lower max_new_tokens"):
        seq2seq.Generation.from_config(marian.folder, DECODING | {"max_new_tokens": 33})


def test_export_refuses_a_model_without_a_decoder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(BuildError, match="a bert is not an encoder-decoder"):
        seq2seq.export(tmp_path, tmp_path / "exported")


def test_a_model_that_cannot_be_traced_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"is_encoder_decoder": true}')
    (tmp_path / "modeling.py").write_text(
        "import torch\n\n\nclass Broken(torch.nn.Module):\n"
        "    def encoder_graph(self):\n        return lambda ids, mask: 1 / 0\n\n"
        "    step_graph = encoder_graph\n\n\ndef load(folder):\n    return Broken()\n"
    )
    with pytest.raises(BuildError, match=r"division by zero; use Torch\(\) or CTranslate2\(\)"):
        seq2seq.export(tmp_path, tmp_path)


def test_fuse_refuses_another_architecture(marian: Marian, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(marian.folder, folder)
    rewrite(folder / "config.json", model_type="t5")
    with pytest.raises(BuildError, match="not 't5'; use the unfused variant"):
        seq2seq.fuse(folder, tmp_path)


def test_compose_names_missing_graphs(tmp_path: Path) -> None:
    generation = seq2seq.Generation(START, EOS, PAD, (), None, MAX_NEW_TOKENS, vocabulary=50)
    with pytest.raises(BuildError, match=r"encoder\.onnx and no step\.onnx"):
        seq2seq.compose(tmp_path, generation)


def test_import_loads_no_runtime() -> None:
    code = (
        "import sys, pytest_infperf.backends.seq2seq;"
        "print({'onnx', 'onnxruntime', 'optimum', 'torch', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def rewrite(path: Path, **settings: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
