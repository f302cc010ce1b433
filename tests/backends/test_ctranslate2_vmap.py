"""Vocabulary maps of CTranslate2: their effect on outputs, and invalid maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf import BuildError, CTranslate2, Suite, UserError
from pytest_infperf.artifacts.blueprint import make_blueprint
from pytest_infperf.suite.backend import Material
from tests.backends.test_decoding import ONE, SHIPPED, STUDENT, loaded, planted, task, texts
from tests.weights import REASON, SHIPPED as WEIGHTS_SHIPPED

if not WEIGHTS_SHIPPED:
    pytest.skip(REASON, allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore")
VOCABULARY = list(json.loads((STUDENT / "vocab.json").read_text("utf-8")))
INPUTS = list(task().samples(SHIPPED).inputs[100:124])


def write(path: Path, always: list[str], ngrams: dict[str, list[str]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    lines = {"": always, **ngrams}
    text = "".join(f"{ngram}\t{' '.join(tokens)}\n" for ngram, tokens in lines.items())
    path.write_text(text, "utf-8")
    return path


def build(suite: Path, **settings: Any) -> dict[str, Any]:
    """Build a variant of the shipped model with the map in a suite's folder."""
    (artifact := suite / "artifact").mkdir()
    backend = CTranslate2(vmap="shortlist.txt", **settings)
    return backend.build(Material(STUDENT, task(), SHIPPED, folder=suite), artifact)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return loaded(CTranslate2(), STUDENT, tmp_path_factory.mktemp("plain") / "artifact")


def tokens_of(runner: Any, text: str) -> tuple[list[str], list[str]]:
    """Return the tokens of an input and of its output."""
    (row,) = task().codec(STUDENT).encode([text])
    (output,) = runner.infer([row])
    return [VOCABULARY[i] for i in row], [VOCABULARY[i] for i in output]


def test_a_map_with_all_needed_tokens_changes_no_output(tmp_path: Path, plain: Any) -> None:
    """The candidates and their number differ between queries, in both orders of the queries."""
    pairs = [tokens_of(plain, text) for text in INPUTS]
    ngrams = {" ".join(source): output for source, output in pairs}
    write(tmp_path / "shortlist.txt", ["."], ngrams)
    evidence = build(tmp_path)
    assert evidence["vmap"] == {"tokens_of_every_input": 1, "ngrams": len(ngrams)}
    runner = CTranslate2(vmap="shortlist.txt").load(tmp_path / "artifact", task(), 1)
    assert runner.decoding == ONE
    expected = texts(plain)
    assert texts(runner) == expected
    assert [tokens_of(runner, text)[1] for text in reversed(INPUTS)] == [
        output for _, output in reversed(pairs)
    ]


def test_other_tokens_are_left_out(tmp_path: Path, plain: Any) -> None:
    always = VOCABULARY[:40]
    write(tmp_path / "shortlist.txt", always, {})
    build(tmp_path)
    runner = CTranslate2(vmap="shortlist.txt").load(tmp_path / "artifact", task(), 1)
    for text in INPUTS:
        assert {*tokens_of(runner, text)[1]} <= {*always}
    assert texts(runner) != texts(plain)


def test_a_folder_brings_its_own_map(tmp_path: Path, plain: Any) -> None:
    suite, folder = tmp_path, tmp_path / "ct2"
    folder.mkdir()
    CTranslate2().build(Material(STUDENT, task(), SHIPPED), folder)
    write(suite / "shortlist.txt", VOCABULARY[:40], {})
    write(folder / "shortlist.txt", VOCABULARY, {})
    backend = CTranslate2(folder="ct2", vmap="shortlist.txt")
    assert backend.files(STUDENT, suite)[-1] == folder / "shortlist.txt"
    assert build(suite, folder="ct2")["vmap"]["tokens_of_every_input"] == len(VOCABULARY)
    assert texts(backend.load(suite / "artifact", task(), 1)) == texts(plain)
    (folder / "shortlist.txt").unlink()
    assert backend.files(STUDENT, suite)[-1] == suite / "shortlist.txt"


def test_a_token_that_would_be_looked_up_in_the_wrong_place_is_refused(tmp_path: Path) -> None:
    """In this converted model, the padding token, which begins outputs, is the last token."""
    (tmp_path / "ct2").mkdir()
    CTranslate2().build(Material(STUDENT, task(), SHIPPED), tmp_path / "ct2")
    write(tmp_path / "shortlist.txt", VOCABULARY[:40], {"。": VOCABULARY[50:60]})
    with pytest.raises(BuildError, match=r"shortlist\.txt: .* '<pad>' .* it begins each"):
        build(tmp_path, folder="ct2")


@pytest.mark.parametrize(("suppressed", "works"), [(30, True), (55, False), (70, True)])
def test_a_suppressed_token_keeps_its_place(tmp_path: Path, suppressed: int, works: bool) -> None:
    """The token is a candidate of every input, of some inputs, or of none."""
    model = planted(tmp_path / "model", suppress_tokens=[suppressed])
    write(tmp_path / "shortlist.txt", VOCABULARY[:40], {"。": VOCABULARY[50:60]})
    (artifact := tmp_path / "artifact").mkdir()
    material = Material(model, task(), SHIPPED, folder=tmp_path)
    if works:
        assert CTranslate2(vmap="shortlist.txt").build(material, artifact)["vmap"]
        return
    with pytest.raises(BuildError, match=r"it is suppressed, .* Remove vmap, or do not"):
        CTranslate2(vmap="shortlist.txt").build(material, artifact)


def test_outputs_begin_with_a_forced_token_if_it_keeps_its_place(tmp_path: Path) -> None:
    """The token is a candidate of every input, before or after the candidates of some inputs."""
    some = {VOCABULARY[i]: VOCABULARY[i : i + 100] for i in range(300, 8000, 10)}
    backend = CTranslate2(vmap="shortlist.txt")
    model = planted(tmp_path / "model", forced_bos_token_id=200)
    write(model / "shortlist.txt", VOCABULARY[2:300], some)
    runner = loaded(backend, model, tmp_path / "artifact")
    assert {tokens_of(runner, text)[1][0] for text in INPUTS} == {VOCABULARY[200]}
    model = planted(tmp_path / "other", forced_bos_token_id=400)
    write(model / "shortlist.txt", VOCABULARY[2:300], some)
    with pytest.raises(BuildError, match=r"it begins each output, .* or convert the model with it"):
        loaded(backend, model, tmp_path / "refused")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"shortlist\.txt:1: '' is not an n-gram, a tab and tokens"),
        ("\t.\n。 .\n", r"shortlist\.txt:2: '。 \.' is not an n-gram, a tab and tokens"),
        ("\t.\n。\t.\t,\n", r"shortlist\.txt:2: .* is not an n-gram"),
        ("\t.\n。\t.\n了\t.\n。\t,\n", r"shortlist\.txt:4: '。' already has tokens in line 2"),
        (
            "\t.\n。\t. Ωmega\n",
            r"shortlist\.txt:2: 'Ωmega' is not in the vocabulary .* 8,001 tokens",
        ),
        ("\t.\n。 Ωmega\t.\n", r"shortlist\.txt:2: 'Ωmega' is not in the vocabulary"),
        ("\t.  ,\n", r"shortlist\.txt:1: '' is not in the vocabulary"),
    ],
)
def test_an_invalid_line_of_a_map_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "shortlist.txt").write_text(text, "utf-8")
    with pytest.raises(BuildError, match=message):
        build(tmp_path)


def test_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "shortlist.txt").write_bytes("\t。\n".encode("gb18030"))
    with pytest.raises(BuildError, match=r"shortlist\.txt is not in UTF-8 .*: save it in UTF-8"):
        build(tmp_path)


def test_a_missing_map_is_named_before_anything_is_built(tmp_path: Path) -> None:
    (tmp_path / "lexicon.txt").touch()
    with pytest.raises(
        UserError, match=r"shortlist\.txt is neither in .* lexicon\.txt: correct the"
    ):
        CTranslate2(vmap="shortlist.txt").files(STUDENT, tmp_path)


def test_the_artifact_depends_on_the_map(tmp_path: Path) -> None:
    keys = set()
    for always in (["."], [","]):
        write(tmp_path / "shortlist.txt", always, {})
        backend = CTranslate2(vmap="shortlist.txt")
        suite = Suite("student", task=task(), model=".", variants=[backend], folder=tmp_path)
        keys.add(make_blueprint(suite, backend, STUDENT).key)
    assert len(keys) == 2


def test_the_id_and_the_reasons_name_the_map() -> None:
    backend = CTranslate2(int8=True, vmap="shortlist.txt")
    assert backend.variant_id == "ctranslate2-int8-vmap"
    assert CTranslate2(folder="ct2", vmap="shortlist.txt").variant_id == "ctranslate2-folder-vmap"
    assert "vocabulary map" in backend.doubts({})[-1]
    assert backend.model_files == ("shortlist.txt",)
