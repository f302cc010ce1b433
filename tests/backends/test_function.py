"""Function runs any code of a project, and reports why code cannot be run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pytest_infperf import (
    Custom,
    Echo,
    Fake,
    Function,
    Material,
    Runner,
    Slowed,
    Suite,
    TextClassification,
    UserError,
)
from pytest_infperf.artifacts.blueprint import make_blueprint
from pytest_infperf.suite import naming
from pytest_infperf.suite.codec import InputsCodec
from pytest_infperf.suite.discovery import suite_beside

CODE = """
    from pathlib import Path

    def load(folder, threads):
        prefix = f"{Path(folder).name} {threads} "
        return lambda texts: [prefix + text for text in texts]

    def fails(folder, threads):
        raise OSError("no weights")

    def nothing(folder, threads):
        pass

    def declares(folder, threads):
        def answer(texts):
            return texts
        answer.decoding = {"max_tokens": 512}
        return answer

    def declares_a_number(folder, threads):
        answer = declares(folder, threads)
        answer.decoding = 512
        return answer

    def shortens(folder, threads):
        return lambda texts: texts[1:]

    def generates(folder, threads):
        return lambda texts: (text for text in texts)

    def array(folder, threads):
        import numpy
        return lambda texts: numpy.array(texts)

    class Pipeline:
        def __init__(self, folder, threads):
            self.folder = folder

        def __call__(self, texts):
            return [len(text) for text in texts]

    number = 3
"""


@pytest.fixture(autouse=True)
def _modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write the modules of a shop, and remove them from `sys.modules` afterwards."""
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "__init__.py").touch()
    (shop / "inference.py").write_text(dedent(CODE))
    (shop / "broken.py").write_text("import json\nimport a_package_that_is_missing\n")
    (shop / "wrong.py").write_text("value = 1\nvalue / 0\n")
    known = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in ("shop", "perf", "infperf_suites"):
            del sys.modules[name]


def loaded(name: str, tmp_path: Path, threads: int | None = 2) -> Runner:
    return Function(f"shop.{name}").load(tmp_path / "model", Echo(), threads)


def test_load_gets_the_folder_and_the_threads_and_answers_inputs(tmp_path: Path) -> None:
    runner = loaded("inference:load", tmp_path)
    assert runner.infer(["a", "b"]) == ["model 2 a", "model 2 b"]
    assert runner.threads == 2
    assert loaded("inference:load", tmp_path, None).infer(["a"]) == ["model None a"]
    assert loaded("inference:load", tmp_path, None).threads >= 1


def test_a_class_is_a_function_too(tmp_path: Path) -> None:
    assert loaded("inference:Pipeline", tmp_path).infer(["a", "bcd"]) == [1, 3]


def test_decoding_is_what_the_callable_declares(tmp_path: Path) -> None:
    assert loaded("inference:declares", tmp_path).decoding == {"max_tokens": 512}
    task = TextClassification(data="no file")
    assert Function("shop.inference:load").load(tmp_path, task, 1).decoding == {}


@pytest.mark.parametrize("name", ["shop", "shop:", ":load", "shop load:x", "shop:a.b", "shop/a:b"])
def test_a_name_of_another_form_is_refused_at_once(name: str) -> None:
    with pytest.raises(UserError, match=r"does not name a function: .*shop\.inference:load"):
        Function(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "inferense:load",
            r"no module shop\.inferense; did you mean inference\?.*beside suite\.py",
        ),
        ("inference.more:load", r"no module shop\.inference\.more\. It must be"),
        ("inference:lode", r"inference\.py has no lode; did you mean load\?"),
        ("inference:number", r"has a number that is not callable"),
        ("broken:load", r"No module named 'a_package_that_is_missing' \(.*broken\.py:2\)"),
        ("wrong:load", r"importing shop\.wrong raised ZeroDivisionError: .*wrong\.py:2\)"),
        ("inference:fails", r"fails'\) raised OSError: no weights \(.*inference\.py:9\)"),
        ("inference:nothing", r"returned None, which is not callable: return a callable"),
        ("inference:declares_a_number", r"`decoding` is an object of type int"),
    ],
)
def test_code_that_cannot_be_loaded_is_an_error(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        loaded(name, tmp_path)


def test_a_missing_module_at_the_top_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no module shopp; did you mean shop\?"):
        Function("shopp.inference:load").load(tmp_path, Echo(), 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shortens", "returned 1 outputs for 2 inputs: it must return one output per input"),
        ("generates", "answered with an object of type generator, not with a list$"),
        (
            "array",
            r"answered with an object of type ndarray, not with a list: return its tolist\(\)",
        ),
    ],
)
def test_an_answer_of_another_form_is_an_error(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        loaded(f"inference:{name}", tmp_path).infer(["a", "b"])


def test_inputs_and_outputs_pass_the_codec_unchanged() -> None:
    inputs = ("a", object())
    features = InputsCodec().encode(inputs)
    assert features == [*inputs]
    assert InputsCodec().decode(features, features) is features
    with pytest.raises(UserError, match="exclude it with Sweep"):
        InputsCodec().encode(inputs, length=8)


def suite(*variants: Any, model: str | None = None) -> Suite:
    return Suite("shop", task=Echo(), model=model, variants=variants)


def test_only_variants_that_answer_inputs_do_without_a_model() -> None:
    function = Function("shop.inference:load")
    assert suite(function, Slowed(function, by=0.1)).model_of(function) is None
    with pytest.raises(UserError, match=r"the variant fake has no model: .*Fake\(model=\.\.\.\)"):
        suite(function, Fake())
    assert suite(function, Fake(model="model")).variant_ids == ["function", "fake"]


def test_the_artifact_does_not_depend_on_the_code_but_on_the_model(tmp_path: Path) -> None:
    function = Function("shop.inference:load")
    key = make_blueprint(suite(function), function, None).key
    code = tmp_path / "shop" / "inference.py"
    code.write_text(code.read_text() + "\nmore = 1\n")
    assert make_blueprint(suite(function), function, None).key == key
    (tmp_path / "model").mkdir()
    blueprint = make_blueprint(suite(function), function, tmp_path / "model")
    assert blueprint.key != key
    assert naming.restore(blueprint.backend) == function
    evidence = function.build(Material(tmp_path, Echo(), tmp_path), tmp_path)
    assert evidence == {}
    assert json.loads((tmp_path / "function.json").read_text()) == {
        "function": "shop.inference:load"
    }


def test_a_suite_without_a_model_gives_its_own_folder(tmp_path: Path) -> None:
    function = Function("shop.inference:load")
    given = suite(function).at(tmp_path / "perf").loaded(function, "", "artifact", 1)
    assert given.infer(["a"]) == ["perf 1 a"]
    given = suite(function).loaded(function, "some/model", "artifact", 1)
    assert given.infer(["a"]) == ["model 1 a"]
    slowed = Slowed(function, by=0.1)
    assert suite(slowed).loaded(slowed, "some/model", "artifact", 1).infer(["a"]) == ["model 1 a"]


@pytest.mark.parametrize("folder", ["perf", "code"])
def test_a_module_beside_the_suite_is_named_as_a_part_of_its_package(
    tmp_path: Path, folder: str
) -> None:
    beside = tmp_path / folder
    beside.mkdir()
    (beside / "suite.py").write_text(
        "from pytest_infperf import *\n"
        'f = Function("inference:load")\n'
        "suite = Suite('s', task=Custom(data='data:read', metrics=['accuracy']),\n"
        '    variants=[f, Slowed(f, by=1), Function("shop.inference:load", id="of the root")])\n'
    )
    (beside / "inference.py").write_text(dedent(CODE))
    (beside / "data.py").write_text("def read(): return [('a', 'b')]\n")
    address = suite_beside(beside / "test_it.py", tmp_path)
    found = address.load()
    function, slowed, of_the_root = found.variants
    assert isinstance(function, Function)
    assert isinstance(slowed, Slowed)
    assert isinstance(of_the_root, Function)
    prefix = "" if folder == "perf" else "infperf_suites."
    assert function.function == f"{prefix}{folder}.inference:load"
    assert slowed.inner == function
    assert of_the_root.function == "shop.inference:load"
    assert found.loaded(function, "", "", 1).infer(["a"]) == [f"{folder} 1 a"]
    assert isinstance(found.task, Custom)
    assert found.task.samples(found.folder).references == ["b"]
