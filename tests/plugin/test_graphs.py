"""ONNX graphs of unknown origin are measured without a task of their kind, and without a model."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.plugin.small_project import Project

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

IRIS = Path(onnxruntime.__file__).parent / "datasets" / "logreg_iris.onnx"
"""A classifier of two numbers whose batch is fixed to 3; it answers 0 for all flowers here."""
SUITE = """
    import numpy as np
    from pytest_infperf import Custom, Onnx, OpenVino, Suite

    flowers = [([5.1, 3.5], 0), ([7.0, 3.2], 1), ([6.3, 3.3], 2), ([4.9, 3.0], 0)]
    suite = Suite(
        "echo",
        task=Custom(
            data=[(np.array(sizes), species) for sizes, species in flowers],
            metrics=["accuracy"], {labels}
        ),
        variants=[{variants}],
    )
"""
QUALITY = "def test_quality(variant): variant.quality(batch=4).check()\n"


def write(project: Project, variants: str, labels: str = "") -> None:
    shutil.copy(IRIS, project.folder / "suites" / "echo" / "iris.onnx")
    project.suite(SUITE.replace("{variants}", variants).replace("{labels}", labels))
    project.tests(QUALITY)
    project.thresholds("[echo.gates]\naccuracy = { min = 40 }\n")


def test_a_graph_with_labels_and_a_fixed_batch(project: Project) -> None:
    write(project, 'Onnx(file="iris.onnx", output="label")')
    outcome = project.measure()
    assert outcome.outcomes() == {"test_quality[onnx-file]": "passed"}, outcome.text
    record = outcome.record("onnx-file")
    assert record["evidence"]["batch_of_graph"] == 3
    assert record["measures"]["accuracy"]["value"] == 50


def test_a_graph_of_several_outputs_asks_for_one(project: Project) -> None:
    write(project, 'Onnx(file="iris.onnx")')
    outcome = project.measure()
    assert "has 2 outputs: label int64[3], probabilities seq(map(int64,tensor(float)))[]" in (
        outcome.message("test_quality[onnx-file]").replace("\n", " ")
    )


def test_a_file_that_is_missing_from_the_suite(project: Project) -> None:
    write(project, 'Onnx(file="flower.onnx")')
    outcome = project.measure()
    assert "flower.onnx is not in the suite's folder" in outcome.words
    assert "the .onnx files are iris.onnx" in outcome.words


@pytest.mark.skipif(find_spec("magika") is None, reason="needs magika")
@pytest.mark.filterwarnings("ignore")
def test_the_model_of_another_package(project: Project) -> None:
    project.write(
        "suites/echo/some.json", '{"name": "a", "numbers": [' + "1, 22, 3, " * 99 + "4]}\n"
    )
    project.write("suites/echo/some.html", "<!doctype html>\n<html><p>Some text</p></html>\n" * 9)
    project.suite("""
        import json
        from pathlib import Path

        import magika
        import numpy as np
        from pytest_infperf import Custom, Onnx, OpenVino, Suite

        MODEL = next(Path(magika.__file__).parent.glob("models/standard_*"))
        HERE = Path(__file__).parent

        def files():
            paths = [HERE / "suite.py", HERE / "some.json", HERE / "some.html"]
            return [(codes(path.read_bytes()), kind) for path, kind in
                    zip(paths, ["python", "json", "html"])]

        def codes(content):
            start, end = [*content.strip()[:1024]], [*content.strip()[-1024:]]
            padding = [256] * (1024 - len(start))
            return np.array([*start, *padding, *padding, *end], np.int32)

        suite = Suite(
            "echo",
            task=Custom(
                data=files(), metrics=["accuracy"],
                labels=json.loads((MODEL / "config.min.json").read_text())["target_labels_space"],
            ),
            variants=[kind(file=str(MODEL / "model.onnx")) for kind in (Onnx, OpenVino)],
        )
    """)
    project.tests(QUALITY)
    project.thresholds("[echo.gates]\naccuracy = { min = 100 }\n")
    outcome = project.measure()
    assert outcome.outcomes() == {
        "test_quality[onnx-file]": "passed",
        "test_quality[openvino-file]": "passed",
    }, outcome.text
