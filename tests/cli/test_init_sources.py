"""The suites that init writes for a folder, an ONNX file and a function, and data of any kind."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from pytest_infperf import cli
from pytest_infperf.cli.init import command
from pytest_infperf.cli.init.draft import SuiteDraft
from pytest_infperf.cli.init.measuring import Slowdown
from pytest_infperf.suite.suite import Suite
from tests.cli.test_init import write_bert
from tests.other_plugins import LEFT_OUT
from tests.plugin.test_against import git

Files = Callable[[Path], object]
"""Writes the files of a project to its root."""

SHOP = """
from time import sleep

MS = {ms}


def rows():
    return [(f"text {{i}}", ("even", "odd")[i % 2]) for i in range(12)]


def answer(text):
    sleep(MS / 1e3)
    return ("even", "odd")[int(text.split()[-1]) % 2]


def load(folder, threads):
    return lambda texts: [answer(text) for text in texts]
"""
FUNCTION = ["shop", "--function=shop:load", "--data=shop:rows"]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty project without a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("sys.path", [*sys.path])
    yield tmp_path
    sys.modules.pop("shop", None)


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> list[SuiteDraft]:
    """Replace the measurement; return the list of drafts whose files were written."""
    drafts: list[SuiteDraft] = []

    def written(draft: SuiteDraft, *_: object) -> int:
        drafts.append(draft)
        return 0

    monkeypatch.setattr(command, "_set_limits", written)
    return drafts


def write_shop(root: Path, ms: float = 0.2) -> None:
    (root / "shop.py").write_text(SHOP.format(ms=ms))


def write_graph(path: Path, middle: float = 0.0) -> None:
    """Write a graph whose first logit is the larger one if a token has an id above `middle`."""
    from onnx import TensorProto, checker, helper, save

    path.parent.mkdir(parents=True, exist_ok=True)
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["real"], ["largest"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["largest", "middle"], ["first"]),
        helper.make_node("Neg", ["first"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["logits"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor("middle", TensorProto.FLOAT, [1], [middle])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model)
    save(model, path)


def write_reviews(root: Path) -> None:
    rows = ("we meet at noon,good", "we win a prize,bad")
    lines = [f"{i},{rows[i % 2]},x" for i in range(8)]
    (root / "reviews.csv").write_text("\n".join(["id,written,verdict,label", *lines]) + "\n")


def write_file_with_its_model(root: Path) -> None:
    write_bert(root / "export", ["good", "bad"])
    write_graph(root / "export/onnx/model.onnx")
    write_reviews(root)


def write_vit(folder: Path, names: Sequence[str] = ("cat", "dog")) -> None:
    """Write the files of a vision transformer without its weights."""
    folder.mkdir()
    config = {
        "architectures": ["ViTForImageClassification"],
        "model_type": "vit",
        "id2label": {str(number): name for number, name in enumerate(names)},
    }
    (folder / "config.json").write_text(json.dumps(config))
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 8, "width": 8},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def write_photos(root: Path) -> None:
    write_vit(root / "vit")
    lines = ["where,what"]
    for name in ("cat", "dog"):
        (root / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(root / "photos" / name / "1.png")
        lines.append(f"photos/{name}/1.png,{name}")
    (root / "photos.csv").write_text("\n".join(lines) + "\n")


def write_speech(root: Path) -> None:
    """Write the files of a model for 8 kHz that knows capital letters, and recordings."""
    (root / "wav2vec2").mkdir()
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ENOTW"]
    files = {
        "config.json": {"architectures": ["Wav2Vec2ForCTC"], "model_type": "wav2vec2"},
        "vocab.json": {letter: number for number, letter in enumerate(letters)},
        "tokenizer_config.json": {"tokenizer_class": "Wav2Vec2CTCTokenizer"},
        "preprocessor_config.json": {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "sampling_rate": 8000,
        },
    }
    for name, content in files.items():
        (root / "wav2vec2" / name).write_text(json.dumps(content))
    (root / "clips").mkdir()
    soundfile.write(root / "clips/a.wav", np.zeros(800), 8000)
    (root / "clips/metadata.csv").write_text("file_name,words\na.wav,One two\n")


def write_lines(root: Path) -> None:
    (root / "a.txt").write_text("one\n")


KINDS: Mapping[str, tuple[Files, list[str], str]] = {
    "translation": (
        write_lines,
        ["--model=owner/name", "--source=a.txt", "--reference=a.txt", "--variants="
         "torch,torch-int8,onnx-fused-int8,ctranslate2-int8"],
        'task=Translation(source="../../a.txt", reference="../../a.txt"),',
    ),
    "file": (
        write_file_with_its_model,
        ["--model=export/onnx/model.onnx", "--data=reviews.csv"],
        'variants=[ Onnx(file="onnx/model.onnx"), '
        'Onnx(file="onnx/model.onnx", int8="dynamic"), '
        'OpenVino(file="onnx/model.onnx"), ],',
    ),
    "function": (
        write_shop,
        FUNCTION[1:],
        'task=Custom(data="shop:rows", metrics=["accuracy"]), variants=[Function("shop:load")], )',
    ),
    "function with a table": (
        lambda root: (write_shop(root), write_reviews(root)),
        ["--function=shop:load", "--data=reviews.csv", "--text=written", "--label=verdict"],
        'data="../../reviews.csv", text="written", label="verdict"',
    ),
    "photos": (
        write_photos,
        ["--model=vit", "--data=photos"],
        'task=ImageClassification(data="../../photos"), model="../../vit", baseline="torch",',
    ),
    "table of photos": (
        write_photos,
        ["--model=vit", "--data=photos.csv"],
        'ImageClassification(data="../../photos.csv", image="where", label="what")',
    ),
    "speech": (
        write_speech,
        ["--model=wav2vec2", "--data=clips"],
        'data="../../clips", audio="file_name", text="words", rate=8000, normalization="basic",',
    ),
    "scores": (
        lambda root: (
            write_bert(root / "bert", ["score"], max_position_embeddings=128),
            (root / "pairs.csv").write_text("q,a,id,score\none,two,1,0.5\ntwo,three,2,0.7\n"),
        ),
        ["--model=bert", "--data=pairs.csv", "--text=q", "--pair=a"],
        'data="../../pairs.csv", text="q", score="score", pair="a", max_tokens=128 ),',
    ),
}  # fmt: skip
"""What there is, the options, and what the suite must have."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", list(KINDS))
def test_the_written_suite_is_short_formatted_and_loads(
    kind: str, root: Path, unmeasured: list[SuiteDraft]
) -> None:
    write, options, expected = KINDS[kind]
    write(root)
    assert cli.main(["init", "mine", *options]) == 0
    path = root / "suites/mine/suite.py"
    text = path.read_text()
    assert expected in " ".join(text.split())
    assert len(text.splitlines()) < 20
    formatted = ["ruff", "format", "--isolated", "--diff", "suites"]
    subprocess.run([sys.executable, "-m", *formatted], cwd=root, check=True)
    names: dict[str, Any] = {}
    exec(text, names)
    suite = names["suite"]
    assert isinstance(suite, Suite)
    assert suite.variant_ids == [*unmeasured[0].variants]
    assert suite.task.samples(path.parent).inputs


WITH_A_TABLE = ["--function=shop:load", "--text=written", "--label=verdict"]


def test_a_path_outside_the_project_is_named_before_the_files_are_committed(
    tmp_path_factory: pytest.TempPathFactory, root: Path, unmeasured: list[SuiteDraft]
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_shop(root)
    write_reviews(elsewhere)
    table = elsewhere / "reviews.csv"
    assert cli.main(["init", "mine", *WITH_A_TABLE, f"--data={table}"]) == 0
    assert unmeasured[0].outside == [str(table)]
    advice = command._before_commit(unmeasured[0])
    assert f"paths that other hosts may not have: {table}. Copy them into this project" in advice


@pytest.mark.parametrize("given", ["reviews.csv", "{root}/reviews.csv"])
def test_a_link_in_the_project_is_a_path_of_the_project(
    given: str,
    tmp_path_factory: pytest.TempPathFactory,
    root: Path,
    unmeasured: list[SuiteDraft],
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_shop(root)
    write_reviews(elsewhere)
    (root / "reviews.csv").symlink_to(elsewhere / "reviews.csv")
    data = given.format(root=root)
    assert cli.main(["init", "mine", *WITH_A_TABLE, f"--data={data}"]) == 0
    assert unmeasured[0].data == {"data": "../../reviews.csv"}
    assert command._before_commit(unmeasured[0]) == "Commit these files"


def run_init(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    """Return the exit status and all that was written to the terminal."""
    status = cli.main(["init", *options])
    shown = capsys.readouterr()
    return status, shown.out + shown.err


def only_graph(root: Path) -> None:
    write_reviews(root)
    write_graph(root / "model.onnx")


def graph_without_tokenizer(root: Path) -> None:
    write_file_with_its_model(root)
    (root / "export/tokenizer.json").unlink()
    (root / "export/onnx/model.onnx").rename(root / "model.onnx")
    (root / "export/config.json").rename(root / "config.json")


def cut_off_graph(root: Path) -> None:
    write_reviews(root)
    (root / "model.onnx").write_bytes(b"\x08\x07")


ONNX = ["mine", "--model=model.onnx", "--data=reviews.csv"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("write", "options", "words"),
    [
        (only_graph, ONNX, "model.onnx has no config.json beside it"),
        (only_graph, ONNX, "inputs input_ids and the outputs logits"),
        (only_graph, ONNX, "with its tokenizer.json; or write a function that runs it, and give"),
        (graph_without_tokenizer, ONNX, "was exported from beside it, or write a function"),
        (cut_off_graph, ONNX, "is not a complete ONNX graph"),
        (write_reviews, ONNX, "there is no ONNX file"),
        (write_shop, ["a", "--function=shop:lod", "--data=shop:rows"], "did you mean load?"),
        (write_shop, ["a", "--function=shop:load"], "the task of shop:load is not known"),
        (write_shop, ["a", "--function=shop:load", "--task=custom"], "--data is missing"),
        (write_reviews, ["a", "--model=o/n", "--task=custom"], "--task custom is for functions"),
        (
            write_photos,
            ["a", "--model=vit", "--data=photos", "--variants=onnx-file"],
            "onnx-file needs an ONNX file",
        ),
        (
            lambda root: (write_photos(root), (root / "photos/dog").rename(root / "photos/cow")),
            ["a", "--model=vit", "--data=photos"],
            "'cow'",
        ),
    ],
)
def test_what_is_missing_is_named_before_anything_is_written(
    write: Files,
    options: list[str],
    words: str,
    root: Path,
    unmeasured: list[SuiteDraft],
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(root)
    status, shown = run_init(capsys, *options)
    assert status == 2
    assert words in shown
    assert not (root / "suites").exists()


def test_an_unknown_architecture_is_told_with_what_can_be_done(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bert(root / "bert", "ab", architectures=["BertForMaskedLM"])
    status, shown = run_init(capsys, "mine", "--model=bert", "--data=a.csv")
    assert status == 2
    assert "found: BertForMaskedLM" in shown
    assert "the task of bert is not known from its files or data: specify it with --task" in shown


def test_a_quantised_file_is_not_quantised_again(root: Path, unmeasured: list[SuiteDraft]) -> None:
    import onnx

    write_file_with_its_model(root)
    path = root / "export/onnx/model.onnx"
    model = onnx.load(path)
    model.graph.node[0].op_type = "DynamicQuantizeLinear"
    onnx.save(model, path)
    options = ["--model=export/onnx/model.onnx", "--data=reviews.csv"]
    assert cli.main(["init", "mine", *options]) == 0
    assert unmeasured[0].variants == ["onnx-file", "openvino-file"]


def test_a_second_suite_keeps_the_workflow(
    root: Path, unmeasured: list[SuiteDraft], capsys: pytest.CaptureFixture[str]
) -> None:
    write_shop(root)
    (root / "requirements.txt").write_text("numpy\n")
    status, shown = run_init(capsys, *FUNCTION)
    workflow = root / ".github/workflows/inference.yml"
    assert (status, "wrote .github/workflows/inference.yml" in shown) == (0, True)
    packages = '"pytest-infperf[suites,html,comment]" -r requirements.txt\n'
    assert f"pip install {packages}" in workflow.read_text()
    assert "against: ${{ github.event.pull_request.base.sha }}" in workflow.read_text()
    workflow.write_text("ours\n")
    status, shown = run_init(capsys, "second", *FUNCTION[1:])
    assert (status, "kept .github/workflows/inference.yml" in shown) == (0, True)
    assert workflow.read_text() == "ours\n"
    assert (root / "suites/second/suite.py").is_file()


def test_questions_show_what_was_found_and_enter_accepts_it(
    root: Path, unmeasured: list[SuiteDraft], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bert(root / "bert", ["good", "bad"])
    write_reviews(root)
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    answers = iter(["bert", "", "", "", "", "", "torch,onnx"])
    asked = []

    def answer(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("builtins.input", answer)
    assert cli.main(["init"]) == 0
    assert [question.partition(" (")[0].partition(":")[0] for question in asked] == [
        "what to measure",
        "name of the suite [bert]",
        "task",
        "table with texts and their labels [reviews.csv]",
        "column of the text",
        "column of the label",
        "variants, the baseline first [torch,torch-int8,onnx-fused-int8,openvino]",
    ]
    assert asked[2].endswith(" [classification]: ")
    assert asked[5] == "column of the label (id, written, verdict, label) [verdict]: "
    assert unmeasured[0].columns == {"text": "written", "label": "verdict"}
    assert unmeasured[0].variants == ["torch", "onnx"]


def test_a_closed_terminal_is_a_missing_option(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    assert run_init(capsys)[0] == 2


def started(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    return subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env={**inherited, "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


INIT = ["-c", "from pytest_infperf.cli import main; raise SystemExit(main())", "init"]
PYTEST = ["-m", "pytest", *LEFT_OUT, "--infperf"]


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "a step")


def test_what_init_writes_passes_at_once_and_finds_a_planted_slowdown(root: Path) -> None:
    """The function becomes 50 % slower, because a noisy host cannot show 5 % within seconds."""
    write_shop(root, ms=4)
    git(root, "init", "--quiet", "-b", "main")
    (root / ".gitignore").write_text("__pycache__\n.benchmarks\n")
    ran = started(root, *INIT, *FUNCTION, "--budget=1")
    assert "limit on regression" in ran.stdout, ran.stdout + ran.stderr
    limits = root / "thresholds.toml"
    written = limits.read_text()
    assert "accuracy = { min = 99.0 }" in written
    assert "speedup" not in written
    # Times of one second may be missed in the next, and equal code may be hard to tell from slower.
    kept = [line for line in written.splitlines() if not line.startswith(("latency", "budget"))]
    limits.write_text("\n".join(kept).replace("[shop]", '[shop]\ninconclusive = "warn"'))
    commit(root)
    (root / "README").write_text("no change of code\n")
    commit(root)
    command = [*PYTEST, "--infperf-budget=5", "--infperf-against=HEAD~1"]
    same = started(root, *command)
    assert same.returncode == 0, same.stdout
    write_shop(root, ms=6)
    commit(root)
    slower = started(root, *command)
    assert slower.returncode == 1, written + slower.stdout
    assert "FAILED suites/shop/test_shop.py::test_latency[function]" in slower.stdout
    assert "FAIL shop[function] regression" in slower.stdout
    assert "1 failed, 3 passed" in slower.stdout


def test_a_file_is_measured_and_a_quality_of_chance_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tokenizers import Tokenizer

    monkeypatch.setattr(command, "findable_slowdown", lambda *_: Slowdown(9, 20))
    write_file_with_its_model(root)
    options = ["mine", "--model=export/onnx/model.onnx", "--data=reviews.csv"]
    options += ["--variants=onnx-file", "--budget=0.3", "--no-workflow"]
    status, shown = run_init(capsys, *options)
    assert status == 2
    assert "accuracy is 50.00, and one answer for all samples scores 50" in shown
    assert not (root / "thresholds.toml").exists()
    tokenizer = Tokenizer.from_file(str(root / "export/tokenizer.json"))
    good, bad = (max(tokenizer.encode(text).ids) for text in ("we meet at noon", "we win a prize"))
    assert good > bad
    write_graph(root / "export/onnx/model.onnx", (good + bad) / 2)
    status, shown = run_init(capsys, *options, "--force")
    assert status == 0 or "the last run broke some limits" in shown  # times of half a second
    text = (root / "thresholds.toml").read_text()
    assert "accuracy = { min = 99.0 }" in text
    assert 'regression = { max = "9 %" }' in text
