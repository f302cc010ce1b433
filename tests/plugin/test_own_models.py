"""Models and data of users that the shipped suites do not contain."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.plugin.small_project import Outcome, Project
from tests.tasks.test_embedding import BERT, encoder
from tests.tasks.test_speech import wav2vec2
from tests.tasks.test_text_to_text import m2m100
from tests.tasks.test_tokens import LABELS, tagger
from tests.tasks.tiny_whisper import tiny_whisper

pytestmark = pytest.mark.filterwarnings("ignore")

WHISPER = """
from pytest_infperf import CTranslate2, SpeechRecognition, Suite, Torch

suite = Suite(
    "echo",
    task=SpeechRecognition(
        data="../../manifest.jsonl",
        text="words",
        normalization="english",
        language="en",
        max_new_tokens=8,
    ),
    model="../../whisper",
    baseline="torch",
    variants=[{}],
)
"""
QUALITY = "def test_quality(variant): variant.quality(batch=4).check()\n"


def measured(project: Project, suite: str, limits: str, tests: str = QUALITY) -> Outcome:
    for path in (project.folder / "suites").iterdir():
        shutil.rmtree(path)
    project.write("suites/own/suite.py", suite)
    project.write("suites/own/test_own.py", tests)
    project.thresholds(limits)
    return project.measure()


def classifier(folder: Path) -> Path:
    """Write a tiny classifier of pairs with labels in its configuration."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    folder.mkdir()
    shutil.copy(BERT / "tokenizer.json", folder)
    size = json.loads((BERT / "config.json").read_text())["vocab_size"]
    torch.manual_seed(5)
    names = {0: "no", 1: "yes", 2: "perhaps"}
    BertForSequenceClassification(
        BertConfig(
            vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=64, id2label=names,
            label2id={name: number for number, name in names.items()}, initializer_range=0.5,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the models; pytester unloads what a test imports, and torch cannot be loaded twice."""
    folder = tmp_path_factory.mktemp("models")
    classifier(folder / "bert")
    encoder(folder / "encoder", "mean_tokens", normalizes=True)
    tagger(folder / "tagger")
    m2m100(folder / "m2m100")
    wav2vec2(folder / "wav2vec2")
    wav2vec2(folder / "hubert", "Hubert")
    tiny_whisper(folder / "whisper", seconds=2)
    return folder


def flac_files(folder: Path, rate: int) -> None:
    """Write recordings in stereo with a manifest."""
    lines = []
    for i in range(6):
        sound = np.sin(np.arange(rate // 2 + 500 * i) / (5 + i)).astype(np.float32) / 2
        soundfile.write(folder / f"{i}.flac", np.stack([sound, sound], 1), rate)
        lines.append(json.dumps({"file_name": f"{i}.flac", "words": "One, two."}))
    (folder / "manifest.jsonl").write_text("\n".join(lines))


def test_pairs_from_a_csv_file_in_torch_int8_and_onnx(models: Path, project: Project) -> None:
    shutil.copytree(models / "bert", project.folder / "bert")
    lines = [f"is it {i},it is {i * i},{('no', 'yes', 'perhaps')[i % 3]}" for i in range(12)]
    project.write("pairs.csv", "\n".join(["question,answer,right", *lines]) + "\n")
    outcome = measured(
        project,
        """
        from pytest_infperf import Onnx, OpenVino, Suite, TextClassification, Torch

        suite = Suite(
            "echo",
            task=TextClassification(
                data="../../pairs.csv", text="question", pair="answer", label="right", max_tokens=64
            ),
            model="../../bert",
            baseline="torch",
            variants=[Torch(), Torch(int8="dynamic"), Onnx(), Onnx(fused=True), OpenVino()],
        )
        """,
        '[echo]\nbaseline = "torch"\n[echo.gates]\nagreement = { min = 0.99 }\n'
        "[echo.variants.torch-int8]\nagreement = { min = 0.5 }\n",
    )
    outcome.assert_outcomes(passed=5)
    assert outcome.measure("onnx-fused", "agreement")["value"] == 1
    assert outcome.record("torch")["evidence"]["quality_metric"] == "accuracy"


def test_named_entities_from_a_conll_file(models: Path, project: Project) -> None:
    shutil.copytree(models / "tagger", project.folder / "tagger")
    sentences = [
        "\n".join(f"word{i * j} {LABELS[i * j % len(LABELS)]}" for j in range(1, 6))
        for i in range(12)
    ]
    project.write("test.conll", "-DOCSTART- O\n\n" + "\n\n".join(sentences) + "\n")
    outcome = measured(
        project,
        """
        from pytest_infperf import Onnx, OpenVino, Suite, TokenClassification, Torch

        suite = Suite(
            "echo",
            task=TokenClassification(
                data="../../test.conll", words=0, tags=-1, max_tokens=64
            ),
            model="../../tagger",
            baseline="torch",
            variants=[
                Torch(), Torch(int8="dynamic"), Onnx(), Onnx(fused=True, int8="dynamic"), OpenVino()
            ],
        )
        """,
        '[echo]\nbaseline = "torch"\n[echo.gates]\nentity_f1 = { max_drop = 50 }\n'
        "token_accuracy = { min = 0.1, max_drop = 50 }\nagreement = { min = 0.2 }\n"
        "[echo.variants.onnx]\nagreement = { min = 0.99 }\n"
        "[echo.variants.openvino]\nagreement = { min = 0.99 }\n",
    )
    outcome.assert_outcomes(passed=5)
    for variant in ("onnx", "openvino"):
        assert outcome.measure(variant, "agreement")["value"] == 1
        ours, theirs = (outcome.measure(name, "entity_f1") for name in (variant, "torch"))
        assert ours["value"] == theirs["value"]
    assert outcome.record("torch")["evidence"]["quality_metric"] == "entity_f1"


def test_embeddings_of_a_folder_of_sentence_transformers(models: Path, project: Project) -> None:
    shutil.copytree(models / "encoder", project.folder / "encoder")
    rows = [{"a": f"win {i} prizes", "b": f"meet {i} people", "s": i} for i in range(12)]
    project.write("sts.jsonl", "\n".join(map(json.dumps, rows)))
    outcome = measured(
        project,
        """
        from pytest_infperf import Embedding, Onnx, OpenVino, Suite, Torch

        suite = Suite(
            "echo",
            task=Embedding(
                data="../../sts.jsonl", text="a", pair="b", score="s",
                metrics=("sts_spearman", "cosine", "cosine_min", "cosine_fraction"),
            ),
            model="../../encoder",
            baseline="torch",
            variants=[Torch(), Torch(int8="dynamic"), Onnx(), OpenVino()],
        )
        """,
        '[echo]\nbaseline = "torch"\n[echo.gates]\ncosine = { min = 0.999 }\n'
        "cosine_min = { min = 0.99 }\nsts_spearman = { max_drop = 0.1 }\n"
        "[echo.variants.torch-int8]\ncosine = { min = 1.0 }\nsts_spearman = { max_drop = 2 }\n",
    )
    assert outcome.outcomes() == {
        "test_quality[torch]": "passed",
        "test_quality[torch-int8]": "failed",
        "test_quality[onnx]": "passed",
        "test_quality[openvino]": "passed",
    }
    assert outcome.measure("onnx", "cosine")["value"] == pytest.approx(1)
    assert 0.9 < outcome.measure("torch-int8", "cosine")["value"] < 1
    assert "cosine" not in outcome.record("torch")["measures"]
    assert "agreement" not in outcome.record("onnx")["measures"]


def test_a_search_draws_queries_and_never_documents(models: Path, project: Project) -> None:
    shutil.copytree(models / "encoder", project.folder / "encoder")
    texts = {f"d{i}": f"win {i * i} {7 * i} prizes now" for i in range(60)}
    rows = [{"_id": name, "text": text} for name, text in texts.items()]
    project.write("corpus.jsonl", "\n".join(map(json.dumps, rows)))
    asked = [{"_id": f"q{i}", "text": f"win {i * i} {7 * i} prizes"} for i in range(50)]
    project.write("queries.jsonl", "\n".join(map(json.dumps, asked)))
    relevant = [f"q{i}\td{i}\t1" for i in range(50)]
    project.write("test.tsv", "\n".join(["query-id\tcorpus-id\tscore", *relevant]))
    outcome = measured(
        project,
        """
        from pytest_infperf import Retrieval, Suite, Torch

        suite = Suite(
            "echo",
            task=Retrieval(
                queries="../../queries.jsonl", documents="../../corpus.jsonl",
                relevant="../../test.tsv", metrics=("ndcg", "recall_at_5", "mrr", "cosine_min"),
                sample_size=40,
            ),
            model="../../encoder",
            baseline="torch",
            variants=[Torch(), Torch(int8="dynamic")],
        )
        """,
        '[echo]\nbaseline = "torch"\n[echo.gates]\nndcg = { min = 1, max_drop = 1 }\n'
        "cosine_min = { min = 0.99 }\nmrr = { max_drop = 100 }\n"
        "[echo.variants.torch-int8]\nndcg = { min = 101 }\n",
    )
    assert outcome.outcomes() == {
        "test_quality[torch]": "passed",
        "test_quality[torch-int8]": "failed",
    }
    ndcg, cosine = (outcome.measure("torch-int8", name) for name in ("ndcg", "cosine_min"))
    assert ndcg["value"] == pytest.approx(outcome.measure("torch", "ndcg")["value"], abs=1)
    assert outcome.measure("torch", "recall_at_5")["value"] == 100
    assert (ndcg["n"], cosine["n"]) == (40, 40 + 60)
    assert ndcg["low"] < ndcg["value"] < ndcg["high"]
    assert "agreement" not in outcome.record("torch-int8")["measures"]


@pytest.mark.parametrize(("model", "rate"), [("wav2vec2", 8000), ("hubert", 44100)])
def test_ctc_with_a_manifest_of_flac_files(
    models: Path, project: Project, model: str, rate: int
) -> None:
    shutil.copytree(models / model, project.folder / "ctc")
    flac_files(project.folder, rate)
    outcome = measured(
        project,
        """
        from pytest_infperf import Onnx, SpeechRecognition, Suite, Torch

        suite = Suite(
            "echo",
            task=SpeechRecognition(
                data="../../manifest.jsonl", text="words", normalization="basic"
            ),
            model="../../ctc",
            baseline="torch",
            variants=[Torch(), Torch(int8="dynamic"), Onnx()],
        )
        """,
        '[echo]\nbaseline = "torch"\n[echo.gates]\ncer = { max = 100000 }\n'
        "[echo.variants.onnx]\nagreement = { min = 0.99 }\n",
    )
    outcome.assert_outcomes(passed=3)
    assert outcome.measure("onnx", "agreement")["value"] == 1


def test_whisper_with_a_manifest_of_flac_files(models: Path, project: Project) -> None:
    shutil.copytree(models / "whisper", project.folder / "whisper")
    flac_files(project.folder, 44100)
    outcome = measured(
        project,
        WHISPER.format('Torch(), Torch(int8="dynamic"), CTranslate2()'),
        '[echo]\nbaseline = "torch"\n[echo.gates]\nwer = { max = 100000 }\n'
        "[echo.variants.ctranslate2]\nagreement = { min = 0.99 }\n"
        "[echo.variants.torch-int8]\nwer = { max = 0.01 }\n",
    )
    assert outcome.outcomes() == {
        "test_quality[torch]": "passed",
        "test_quality[torch-int8]": "failed",
        "test_quality[ctranslate2]": "passed",
    }
    assert outcome.measure("ctranslate2", "agreement")["value"] == 1


def test_the_real_time_factor_of_whisper(models: Path, project: Project) -> None:
    shutil.copytree(models / "whisper", project.folder / "whisper")
    flac_files(project.folder, 16000)
    outcome = measured(
        project,
        WHISPER.format("Torch()"),
        '[echo]\nbaseline = "torch"\n',
        "def test_latency(variant): variant.latency()\n",
    )
    outcome.assert_outcomes(passed=1)
    factor = outcome.measure("torch", "real_time_factor")
    assert factor["unit"] == "ratio"
    assert factor["value"] > 0


def test_m2m100_with_two_references_in_chinese(models: Path, project: Project) -> None:
    shutil.copytree(models / "m2m100", project.folder / "m2m100")
    rows = [f"I want {i} cups of tea,我要{i}杯茶,请给我{i}杯茶" for i in range(8)]
    project.write("en-zh.csv", "\n".join(["en,first,second", *rows]) + "\n")
    outcome = measured(
        project,
        """
        from pytest_infperf import CTranslate2, Onnx, Suite, TextToText, Torch

        suite = Suite(
            "echo",
            task=TextToText(
                data="../../en-zh.csv", text="en", reference=("first", "second"),
                source_language="en", target_language="zh", max_new_tokens=8, metrics=("bleu",),
            ),
            model="../../m2m100",
            baseline="torch",
            variants=[Torch(), Torch(int8="dynamic"), CTranslate2(), Onnx()],
        )
        """,
        '[echo]\nbaseline = "torch"\n[echo.gates]\nagreement = { min = 0.99 }\n'
        "[echo.variants.torch-int8]\nagreement = { min = 0 }\n",
    )
    outcome.assert_outcomes(passed=4)
    signature = outcome.record("onnx")["evidence"]["signatures"]["bleu"]
    assert "nrefs:2" in signature
    assert "tok:zh" in signature
