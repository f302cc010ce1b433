"""Models in files of scikit-learn, XGBoost and LightGBM give the results of their libraries."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_infperf import (
    BuildError,
    Custom,
    LightGBM,
    Sklearn,
    TabularClassification,
    TabularRegression,
    UserError,
    XGBoost,
)
from pytest_infperf.suite.backend import Backend, Material

pytest.importorskip("sklearn")
pytestmark = pytest.mark.filterwarnings("ignore")

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(120, 3))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int) + (X[:, 2] > 1)
NAMES = ["a", "b", "c"]
TREE = ["sklearn.tree._tree.Tree"]
"""What skops does not trust of a forest."""
ROWS = [
    {**dict(zip(NAMES, map(float, x), strict=True)), "label": int(y)}
    for x, y in zip(X, Y, strict=True)
]
NUMBERS = TabularClassification(data=ROWS)


def built(backend: Backend, folder: Path, task: Any = NUMBERS) -> tuple[Path, dict[str, Any]]:
    artifact = folder / "artifact"
    artifact.mkdir()
    return artifact, backend.build(Material(folder, task, folder), artifact)


def answers(backend: Backend, folder: Path, task: Any = NUMBERS) -> list[Any]:
    artifact, _ = built(backend, folder, task)
    runner = backend.load(artifact, task, 1)
    assert runner.threads == 1
    codec = task.informed_codec(folder, folder)
    features = codec.encode(task.samples(folder).inputs)
    return list(codec.decode(runner.infer(features), features))


def saved(estimator: Any, path: Path) -> Path:
    skops = pytest.importorskip("skops.io")
    skops.dump(estimator, path)
    return path


def forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(8, random_state=0, n_jobs=2).fit(X, Y)


def test_an_estimator_saved_with_skops(tmp_path: Path) -> None:
    model = forest()
    saved(model, tmp_path / "forest.skops")
    expected = [str(label) for label in model.predict(X)]
    assert answers(Sklearn("forest.skops", trust=TREE), tmp_path) == expected


def test_a_pipeline_fitted_on_a_dataframe_with_texts(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rows = [
        {"size": i % 5, "colour": ("red", "blue")[i % 2], "more": 1, "kind": "ab"[i % 2]}
        for i in range(20)
    ]
    frame = pandas.DataFrame(rows)
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough"),
        LogisticRegression(),
    ).fit(frame[["colour", "size"]], frame["kind"])
    saved(model, tmp_path / "model.skops")
    task = TabularClassification(data=rows, label="kind")
    assert answers(Sklearn("model.skops"), tmp_path, task) == list(frame["kind"])
    task = TabularClassification(data=rows, label="kind", features=["size"])
    (tmp_path / "artifact" / "model.skops").unlink()
    (tmp_path / "artifact").rmdir()
    with pytest.raises(UserError, match=r"the data lacks the columns 'colour'"):
        built(Sklearn("model.skops"), tmp_path, task)


def test_a_pipeline_of_texts(tmp_path: Path) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    texts = ["a fine day", "cold and grey", "fine and sunny", "grey again"]
    labels = ["good", "bad", "good", "bad"]
    saved(
        make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(texts, labels), tmp_path / "m.skops"
    )
    rows = {"text": texts, "label": labels}
    assert answers(Sklearn("m.skops"), tmp_path, TabularClassification(data=rows)) == labels


def test_arrays_of_custom(tmp_path: Path) -> None:
    model = forest()
    saved(model, tmp_path / "m.skops")
    task = Custom(data=(X, Y), metrics=["accuracy"])
    assert answers(Sklearn("m.skops", trust=TREE), tmp_path, task) == model.predict(X).tolist()


def test_types_that_are_not_trusted(tmp_path: Path) -> None:
    saved(forest(), tmp_path / "m.skops")
    with pytest.raises(UserError) as caught:
        built(Sklearn("m.skops"), tmp_path)
    assert f"m.skops has types that skops does not trust: {TREE[0]}. If" in str(caught.value)
    assert f"say Sklearn('m.skops', trust={TREE})" in str(caught.value)


def test_pickles_need_trust(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(forest()))
    with pytest.raises(UserError, match=r"m.pkl is a pickle.*Sklearn\('m.pkl', trust=True\)"):
        built(Sklearn("m.pkl", trust=["some.Type"]), tmp_path)
    (tmp_path / "artifact").rmdir()
    assert len(answers(Sklearn("m.pkl", trust=True), tmp_path)) == len(X)


def test_another_version_is_in_the_evidence(tmp_path: Path) -> None:
    model = forest()
    state = pickle.dumps(model)
    from sklearn import __version__

    (tmp_path / "m.pkl").write_bytes(state.replace(__version__.encode(), b"0" * len(__version__)))
    backend = Sklearn("m.pkl", trust=True)
    _, evidence = built(backend, tmp_path)
    assert evidence == {"saved_by": "0" * len(__version__)}
    assert "was saved by scikit-learn 00000" in backend.doubts(evidence)[0]
    assert backend.doubts({}) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.skops", b"no zip", "m.skops cannot be read: BadZipFile"),
        ("m.pkl", b"no pickle", "m.pkl cannot be read: "),
        ("m.onnx", b"", "the file must be .skops, or a pickle"),
        ("m.pkl", pickle.dumps([1]), "has an object of type list, which has no predict"),
    ],
)
def test_files_that_are_no_estimators(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        built(Sklearn(name, trust=True), tmp_path)


def test_columns_that_do_not_fit(tmp_path: Path) -> None:
    saved(forest(), tmp_path / "m.skops")
    task = TabularClassification(data=ROWS, features=["a", "b"])
    with pytest.raises(BuildError, match="X has 2 features, but RandomForestClassifier is expect"):
        built(Sklearn("m.skops", trust=TREE), tmp_path, task)


def test_texts_for_a_model_of_numbers(tmp_path: Path) -> None:
    saved(forest(), tmp_path / "m.skops")
    task = TabularClassification(data=ROWS, texts=["b"])
    with pytest.raises(
        UserError, match="the columns 'b' have texts, but the model requires numbers"
    ):
        built(Sklearn("m.skops", trust=TREE), tmp_path, task)


@pytest.mark.parametrize("booster", ["gbtree", "gblinear"])
@pytest.mark.parametrize("suffix", [".json", ".ubj"])
def test_xgboost_answers_as_its_classifier(tmp_path: Path, suffix: str, booster: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=2, booster=booster).fit(X, Y)
    model.save_model(tmp_path / f"m{suffix}")
    expected = [str(label) for label in model.predict(X)]
    assert answers(XGBoost(f"m{suffix}"), tmp_path) == expected


def test_xgboost_binary_with_names_and_an_early_stop(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    pandas = pytest.importorskip("pandas")
    frame, target = pandas.DataFrame(X, columns=NAMES), (Y > 0).astype(int)
    noise = RANDOM.permutation(target)
    model = xgboost.XGBClassifier(n_estimators=40, early_stopping_rounds=30).fit(
        frame[["c", "a", "b"]], target, eval_set=[(frame[["c", "a", "b"]], noise)], verbose=False
    )
    assert model.best_iteration < 9
    model.save_model(tmp_path / "m.json")
    rows = [{**row, "label": "yes" if yes else "no"} for row, yes in zip(ROWS, target, strict=True)]
    task = TabularClassification(data=rows, classes=["no", "yes"])
    expected = [["no", "yes"][label] for label in model.predict(frame[["c", "a", "b"]])]
    assert answers(XGBoost("m.json"), tmp_path, task) == expected


def test_xgboost_regression(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBRegressor(n_estimators=5).fit(X[:, :2], X[:, 2])
    model.save_model(tmp_path / "m.ubj")
    task = TabularRegression(data=ROWS, target="c", features=["a", "b"])
    assert answers(XGBoost("m.ubj"), tmp_path, task) == pytest.approx(model.predict(X[:, :2]))


@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize("binary", [True, False])
def test_lightgbm_answers_as_its_classifier(tmp_path: Path, names: bool, binary: bool) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    pandas = pytest.importorskip("pandas")
    data = pandas.DataFrame(X, columns=NAMES) if names else X
    target = (Y > 0).astype(int) if binary else Y
    model = lightgbm.LGBMClassifier(n_estimators=5, verbosity=-1).fit(data, target)
    model.booster_.save_model(tmp_path / "m.txt")
    rows = [{**row, "label": int(label)} for row, label in zip(ROWS, target, strict=True)]
    expected = [str(label) for label in model.predict(data)]
    assert answers(LightGBM("m.txt"), tmp_path, TabularClassification(data=rows)) == expected


def test_lightgbm_regression(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMRegressor(n_estimators=5, verbosity=-1).fit(X[:, :2], X[:, 2])
    model.booster_.save_model(tmp_path / "m.txt")
    task = TabularRegression(data=ROWS, target="c", features=["a", "b"])
    assert answers(LightGBM("m.txt"), tmp_path, task) == pytest.approx(model.predict(X[:, :2]))


@pytest.mark.parametrize(
    ("backend", "library"),
    [
        (XGBoost("m.json"), "xgboost"),
        (XGBoost("m.ubj"), "xgboost"),
        (LightGBM("m.txt"), "lightgbm"),
    ],
)
def test_boosters_that_cannot_be_read(tmp_path: Path, backend: Any, library: str) -> None:
    pytest.importorskip(library)
    (tmp_path / backend.file).write_text("nothing")
    with pytest.raises(UserError, match="cannot be read by"):
        built(backend, tmp_path)


def test_a_model_with_numbers_of_classes_and_data_with_names(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    xgboost.XGBClassifier(n_estimators=2).fit(X, Y).save_model(tmp_path / "m.json")
    rows = [{**row, "label": f"class {row['label']}"} for row in ROWS]
    with pytest.raises(UserError, match=r"m.json: the model returns .* classes=\['class 0', "):
        built(XGBoost("m.json"), tmp_path, TabularClassification(data=rows))
