"""The files that init writes load, and the runs that its limits come from meet them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from pytest_infperf import cli
from pytest_infperf.cli.init import command, measuring, suite_files
from pytest_infperf.cli.init.choices import TASKS, VARIANTS
from pytest_infperf.cli.init.draft import SuiteDraft
from pytest_infperf.cli.init.limits import suite_section
from pytest_infperf.cli.init.measuring import Slowdown, slowdown_for
from pytest_infperf.errors import UserError
from pytest_infperf.records.catalogue import Catalogue, quality_spec
from pytest_infperf.records.evidence import Evidence, NotFiniteOutputs
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord, Record, Verdict
from pytest_infperf.run.calibration import NoiseFloor
from pytest_infperf.suite.suite import Suite
from pytest_infperf.thresholds import parse
from pytest_infperf.thresholds.rendering import to_toml
from tests.tasks.test_tokens import tagger

FINDABLE = Slowdown(2, 10)
BERT = Path(__file__).parents[2] / "suites/classification/models/bert-solicitation"
CATALOGUE = Catalogue((quality_spec("bleu", "points", True),))


def draft(*variants: str) -> SuiteDraft:
    data = {"source": "a.txt", "reference": "b.txt"}
    return SuiteDraft(
        "mine", "translation", 'mo"del', data, variants, Path("suites/mine"),
        file="onnx/model.onnx", function="shop:load",
    )  # fmt: skip


def write_bert(folder: Path, labels: Sequence[str], **settings: object) -> None:
    """Write the files of a classifier without its weights."""
    folder.mkdir(parents=True)
    shutil.copy(BERT / "tokenizer.json", folder)
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "id2label": {str(number): label for number, label in enumerate(labels)},
    }
    (folder / "config.json").write_text(json.dumps({**config, **settings}))


def record_of(variant: str, speedup: float, p90_s: float = 0.1) -> Record:
    record = Record(
        "mine",
        variant,
        {
            "latency_p90": Measure(p90_s, "s", p90_s * 0.9, p90_s * 1.1),
            "peak_memory": Measure(5e8, "bytes"),
            "bleu": Measure(26.0, "points", 24.0, 28.0),
        },
        evidence=Evidence(
            quality_metric="bleu", differences={"bleu": Measure(-0.3, "points", -0.74, 0.1)}
        ),
    )
    if variant != "torch":
        record.measures["speedup"] = Measure(speedup, "ratio", speedup * 0.9, speedup * 1.1, 24)
    return record


def test_the_suite_loads_and_has_the_variants() -> None:
    """Each variant has the id that init offers."""
    written = suite_files.render(draft(*VARIANTS))
    names: dict[str, object] = {}
    exec(written[Path("suites/mine/suite.py")], names)
    suite = names["suite"]
    assert isinstance(suite, Suite)
    assert suite.variant_ids == list(VARIANTS)
    assert suite.model == 'mo"del'
    assert Path("suites/mine/test_mine.py") in written


def test_the_files_that_init_writes(snapshot: SnapshotAssertion) -> None:
    written = suite_files.render(draft("torch", "onnx"))
    assert "\n".join(f"--- {path}\n{text}" for path, text in written.items()) == snapshot


def test_the_limits_that_init_writes(snapshot: SnapshotAssertion) -> None:
    runs = [[record_of("torch", 1), record_of("onnx", 4.0)]]
    assert (
        to_toml({"mine": suite_section(draft("torch", "onnx"), runs, Slowdown(4, 60))}) == snapshot
    )


def test_limits_have_a_margin_to_measured_values() -> None:
    runs = [
        [record_of("torch", 1), record_of("onnx", 4.0)],
        [record_of("torch", 1, 0.2), record_of("onnx", 3.0)],
    ]
    section = suite_section(draft("torch", "onnx"), runs, Slowdown(4, 60))
    text = "schema = 1\n\n" + to_toml({"mine": section})
    gates = parse(text, "thresholds.toml").gates_for("mine", "onnx", CATALOGUE, [], "torch")
    limits = {(gate.measure, gate.limit.rule): gate.limit.value for gate in gates}
    assert limits["speedup", "min"] == pytest.approx(3.0 * 0.9 * 0.85, abs=0.01)
    assert limits["bleu", "min"] == 24.0
    assert limits["bleu", "max_drop"] == 0.8
    assert limits["regression", "max"] == pytest.approx(0.04)
    baseline = parse(text, "thresholds.toml").gates_for("mine", "torch", CATALOGUE, [], "torch")
    slowest = {gate.measure: gate.limit.value for gate in baseline}["latency_p90"]
    assert slowest == pytest.approx(0.2 * 1.1 * 1.2, abs=1e-3)


@pytest.mark.parametrize("task", list(TASKS))
def test_every_task_has_a_suite_that_loads(task: str) -> None:
    template = TASKS[task]
    data = {keyword: f"{keyword}.file" for keyword in template.data}
    if task == "custom":
        data = {"data": "shop:rows"}
    drafted = SuiteDraft(
        "mine", task, "model", data, template.variants, Path("suites/mine"),
        settings=template.settings, function="shop:load",
    )  # fmt: skip
    names: dict[str, object] = {}
    exec(suite_files.render(drafted)[Path("suites/mine/suite.py")], names)
    suite = names["suite"]
    assert isinstance(suite, Suite)
    assert type(suite.task).__name__ == template.class_name
    assert {k: getattr(suite.task, k) for k in template.data} == data


@pytest.mark.parametrize(
    ("content", "options", "columns", "labels"),
    [
        ("text,label\na,x\nb,y\nc,x\nd,y\n", [], "", "xy"),
        ("id;Review;Stars\n1;good;5\n2;bad;1\n3;very bad;1\n4;fine;5\n", [], "Review Stars", "15"),
        ("n,written,kind\n1,so,p\n2,so bad,q\n3,very bad,p\n4,o,q\n", [], "written kind", "pq"),
        ("text,title,label\na,some,x\nb,more,y\n", ["--text=title"], "title", "xy"),
        ("text,label,kind\na,0,x\nb,7,y\nc,9,y\n", [], "text kind", "xyz"),
    ],
)
def test_columns_are_found_by_name_and_by_content(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    options: list[str],
    columns: str,
    labels: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_set_limits", lambda *arguments: 0)
    write_bert(tmp_path / "model", labels)
    (tmp_path / "a.csv").write_text(content)
    options = ["--model=model", "--data=a.csv", "--variants=torch", "--no-workflow", *options]
    assert cli.main(["init", "mine", *options]) == 0
    written = (tmp_path / "suites/mine/suite.py").read_text()
    names = dict(zip(("text", "label"), columns.split(), strict=False))
    named = {keyword: column for keyword, column in names.items() if keyword != column}
    keywords = "".join(f', {keyword}="{column}"' for keyword, column in named.items())
    assert f'data="../../a.csv"{keywords}' in " ".join(written.split())
    for column in named.values():
        assert repr(column) in capsys.readouterr().out or len(names) > 1


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (
            "review,title,label\nvery good,a book,x\nso bad,the film,y\n",
            [],
            "a.csv has several columns of text: the suite reads 'review', not 'title'. Select "
            "another one with --text, or both with --text and --pair\n",
        ),
        ("review,title,label\nvery good,a book,x\nso bad,the film,y\n", ["--text=title"], ""),
        (
            "review,title,label\nvery good,a book,x\nso bad,the film,y\n",
            ["--text=title", "--pair=review"],
            "",
        ),
        ("review,city,label\nvery good,Paris,x\nso bad,New York,y\n", [], ""),
    ],
)
def test_another_column_of_text_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_set_limits", lambda *arguments: 0)
    write_bert(tmp_path / "model", "xy")
    (tmp_path / "a.csv").write_text(content)
    options = ["--model=model", "--data=a.csv", "--variants=torch", "--no-workflow", *options]
    assert cli.main(["init", "mine", *options]) == 0
    shown = capsys.readouterr().out
    assert words in shown
    assert ("several columns of text" in shown) == bool(words)


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("text,a,b\n1,x,x\n2,y,y\n3,x,x\n4,y,y\n", [], "no column that could be the label"),
        ("text,label\n1,x\n", ["--label=lbl"], "no column 'lbl': specify one with --label"),
    ],
)
def test_a_column_that_cannot_be_found_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text(content)
    options = ["--model=owner/name", "--task=classification", "--data=a.csv", *options]
    assert cli.main(["init", "mine", "--variants=torch", *options]) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert "the columns are text" in shown


@pytest.mark.parametrize(("accuracy", "refused"), [(55.0, True), (60.0, True), (61.0, False)])
def test_a_classifier_no_better_than_one_answer_is_refused(accuracy: float, refused: bool) -> None:
    record = Record(
        "mine",
        "torch",
        {"accuracy": Measure(accuracy, "points", accuracy - 9, accuracy + 9)},
        evidence=Evidence(quality_metric="accuracy"),
    )
    drafted = replace(draft("torch"), chance={"accuracy": 60.0})
    with pytest.raises(UserError, match="one answer for all") if refused else nullcontext():
        suite_section(drafted, [[record]], FINDABLE)


def test_limits_of_plain_numbers_are_fine_enough() -> None:
    record = Record(
        "mine",
        "torch",
        {"sts_spearman": Measure(0.8312, "", 0.8004, 0.85)},
        evidence=Evidence(
            quality_metric="sts_spearman",
            differences={"sts_spearman": Measure(-0.001, "", -0.0123, 0.01)},
        ),
    )
    section = suite_section(draft("torch"), [[record]], FINDABLE)
    assert section.gates["sts_spearman"] == {"min": 0.8, "max_drop": 0.013}


def test_a_folder_of_sentence_transformers_gets_embeddings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_set_limits", lambda *arguments: 0)
    write_bert(tmp_path / "model", "ab")
    (tmp_path / "model/modules.json").write_text("[]")
    (tmp_path / "a.csv").write_text("id,question\n1,where is it\n2,who\n")
    options = ["--model=model", "--data=a.csv", "--variants=torch", "--no-workflow"]
    assert cli.main(["init", "mine", *options]) == 0
    written = (tmp_path / "suites/mine/suite.py").read_text()
    assert 'task=Embedding(data="../../a.csv", text="question")' in written


def test_an_error_rate_gets_a_maximum() -> None:
    record = Record(
        "mine",
        "onnx",
        {"wer": Measure(2.0, "points", 1.0, 3.11)},
        evidence=Evidence(
            quality_metric="wer", differences={"wer": Measure(0.1, "points", -0.2, 0.42)}
        ),
    )
    section = suite_section(draft("torch"), [[Record("mine", "torch"), record]], FINDABLE)
    assert section.variants["onnx"].gates["wer"] == {"max": 3.2, "max_rise": 0.5}


def test_a_suite_name_can_be_a_prefix_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_set_limits", lambda *arguments: 0)
    (tmp_path / "thresholds.toml").write_text("schema = 1\n[translation.gates]\n")
    (tmp_path / "a.txt").write_text("one\n")
    options = ["--model=owner/name", "--source=a.txt", "--reference=a.txt", "--variants=torch"]
    options.append("--no-workflow")
    assert cli.main(["init", "trans", *options]) == 0
    assert "wrote suites/trans/suite.py" in capsys.readouterr().out
    assert cli.main(["init", "translation", *options]) == 2
    assert "already has a section [translation]" in capsys.readouterr().err


def test_data_that_cannot_be_used_is_an_error_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "b.txt").write_text("one\n")
    options = ["--model=owner/name", "--source=a.txt", "--reference=b.txt", "--variants=torch"]
    assert cli.main(["init", "mine", *options]) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "a.txt has 2 lines, but" in shown.err
    assert shown.err.count("\n") == 1
    assert "--variants" not in shown.err
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "b.txt"}


def test_empty_data_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").touch()
    options = ["--task=classification", "--model=owner/name", "--data=a.jsonl", "--variants=torch"]
    assert cli.main(["init", "mine", *options]) == 2
    assert "a.jsonl is empty: it needs at least one sample" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("failed", "advice"),
    [
        (["onnx"], "onnx could not be measured: no room\nFix it or omit it from --variants"),
        (["torch", "onnx"], "no variant could be measured: no room\nFix it, then run"),
    ],
)
def test_only_a_variant_that_fails_alone_can_be_left_out(failed: list[str], advice: str) -> None:
    records = [Record("mine", variant, errors=["no room"]) for variant in failed]
    assert measuring._describe_failure(records, draft("torch", "onnx")).startswith(advice)


def test_limits_are_added_to_the_file_and_a_new_run_checks_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "thresholds.toml"
    path.write_text("schema = 1 # ours\n[other]\n")
    measured_with = []

    def measure(draft: SuiteDraft, root: Path, limits: Path, budget_s: float) -> list[Record]:
        measured_with.append(limits.read_text())
        record = record_of("torch", 1)
        verdict = Verdict.PASS if len(measured_with) == 3 else Verdict.FAIL
        record.gates.append(GateRecord("latency_p90", "max = 1", verdict, ""))
        return [record, record_of("onnx", 3.0)]

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(command, "findable_slowdown", lambda *arguments: FINDABLE)
    assert command._set_limits(draft("torch", "onnx"), tmp_path, path, 1.0) == 0
    assert measured_with[0] == "schema = 1\n"
    assert measured_with[2] == path.read_text()
    assert path.read_text().startswith("schema = 1 # ours\n[other]\n\n[mine]\n")
    assert list(parse(path.read_text(), path.name).suites) == ["other", "mine"]


def test_force_replaces_the_limits_of_the_suite_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "thresholds.toml"
    path.write_text(
        "schema = 1 # ours\n[mine]\nbudget_s = 5\n[mine.gates]\nbleu = { min = 99 }\n"
        "[other.gates] # theirs\nchrf = { min = 3 }\n"
    )
    record = record_of("torch", 1)
    record.gates.append(GateRecord("latency_p90", "max = 1", Verdict.PASS, ""))
    monkeypatch.setattr(command, "measure", lambda *_: [record])
    monkeypatch.setattr(command, "findable_slowdown", lambda *_: FINDABLE)
    assert command._set_limits(draft("torch"), tmp_path, path, 1.0) == 0
    text = path.read_text()
    assert text.startswith("schema = 1 # ours\n[other.gates] # theirs\nchrf = { min = 3 }\n")
    assert "99" not in text
    assert list(parse(text, path.name).suites) == ["other", "mine"]


def test_limits_that_a_last_run_broke_are_widened_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter((0.1, 0.2, 0.4))

    def measure(*_: object) -> list[Record]:
        record = record_of("torch", 1, next(times))
        record.gates.append(GateRecord("latency_p90", "max = 1", Verdict.FAIL, ""))
        return [record]

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(command, "findable_slowdown", lambda *_: Slowdown(7, 80))
    path = tmp_path / "thresholds.toml"
    assert command._set_limits(draft("torch"), tmp_path, path, 1.0) == 1
    assert 'latency_p90 = { max = "528 ms" }' in path.read_text()
    shown = capsys.readouterr()
    assert "the limit on regression is 7 %: this host is too noisy" in shown.out
    assert "in thresholds.toml now include this run" in shown.err


def test_the_help_fits_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main(["init", "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def scored(value: float, low: float, **evidence: object) -> Record:
    return Record(
        "mine",
        "torch",
        {"bleu": Measure(value, "points", low, value + 1)},
        evidence=Evidence(quality_metric="bleu", **evidence),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (scored(0.0, 0.0), r"mine\[torch\]: bleu is 0\.00, no output is right, so a limit"),
        (
            scored(20.0, 19.0, not_finite_outputs=NotFiniteOutputs(3, 40, [1, 2, 3])),
            "bleu is 20.00, 3 of 40 outputs are not finite",
        ),
    ],
)
def test_a_score_that_means_nothing_gets_no_limit(record: Record, words: str) -> None:
    with pytest.raises(UserError, match=words):
        suite_section(draft("torch"), [[record]], FINDABLE)


def test_a_limit_that_nothing_can_break_is_not_written() -> None:
    section = suite_section(draft("torch"), [[scored(1.5, 0.04)]], FINDABLE)
    assert "bleu" not in section.gates


def test_a_tagger_gets_sentences_and_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_set_limits", lambda *arguments: 0)
    tagger(tmp_path / "model")
    (tmp_path / "a.jsonl").write_text('{"tokens": ["go"], "ner_tags": ["O"]}')
    options = ["--model=model", "--data=a.jsonl", "--variants=torch", "--no-workflow"]
    assert cli.main(["init", "mine", *options]) == 0
    written = (tmp_path / "suites/mine/suite.py").read_text()
    assert 'words="tokens", tags="ner_tags", max_tokens=64' in written


@pytest.mark.parametrize(
    ("half_width", "expected"),
    [
        (0.005, Slowdown(2, 40)),  # 2.5 s would do: the shortest time
        (0.017, Slowdown(2, 60)),  # 10 s * (2 * 0.017 / 0.02)^2, twice, in steps of 5 s
        (0.05, Slowdown(5, 80)),  # 2 * 0.05 / sqrt(40 / 10), in the longest time
    ],
)
def test_the_limit_on_regression_is_what_the_host_can_show(
    half_width: float, expected: Slowdown
) -> None:
    noise = NoiseFloor("torch", 10.0, 0.99, 100, 8, half_width, between_processes=0.005)
    assert slowdown_for(noise) == expected


def test_a_budget_above_the_default_is_written_and_no_baseline_without_another_variant() -> None:
    section = suite_section(draft("torch"), [[record_of("torch", 1, 0.0002)]], Slowdown(3, 55))
    assert to_toml({"mine": section}).startswith("[mine]\nbudget_s = 55\n")
    assert section.gates["latency_p90"] == {"max": "0.264 ms"}
    assert section.gates["regression"] == {"max": "3 %"}
    section = suite_section(draft("torch"), [[record_of("torch", 1)]], Slowdown(2, 20))
    assert section.overrides.budget_s is None


def test_a_speedup_far_below_one_gets_no_limit() -> None:
    runs = [[record_of("torch", 1), record_of("onnx", 0.004)]]
    section = suite_section(draft("torch", "onnx"), runs, FINDABLE)
    assert "speedup" not in section.variants["onnx"].gates


@pytest.mark.parametrize(
    ("metric", "measure", "chance", "words"),
    [
        ("wer", Measure(100.0, "points", 95, 105), {}, "no output is right"),
        ("bleu", Measure(0.4, "points", 0.1, 0.9), {}, "almost no output is right"),
        ("cosine", Measure(0.1, "", 0.0, 0.2), {}, "the vectors are not those of the baseline"),
        ("spearman", Measure(0.1, "", -0.1, 0.3), {}, "may be unrelated"),
        ("rmse", Measure(1.3, "", 1.0, 1.5), {"rmse": 1.25}, "numbers on the scale of the data"),
    ],
)
def test_a_quality_of_chance_is_refused_with_its_likely_cause(
    metric: str, measure: Measure, chance: dict[str, float], words: str
) -> None:
    evidence = Evidence(quality_metric=metric)
    record = Record("mine", "torch", {metric: measure}, evidence=evidence)
    with pytest.raises(UserError, match=words):
        suite_section(replace(draft("torch"), chance=chance), [[record]], FINDABLE)
