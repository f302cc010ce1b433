"""Images: reading IDX files, and the features and answers of a model."""

from __future__ import annotations

import gzip
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pytest_infperf import Accuracy, ImageClassification, Samples, Torch, UserError
from pytest_infperf.suite.backend import Material
from pytest_infperf.suite.codec import InputsCodec
from pytest_infperf.tasks.image_codec import ImageCodec, ProcessorCodec
from pytest_infperf.tasks.vision import read_idx
from tests.plugin.small_project import Project

ROOT = Path(__file__).parents[2]
PHOTOS = ImageClassification(data="photos")


def idx(path: Path, values: np.ndarray, *, packed: bool = False) -> Path:
    raw = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}i", *values.shape)
    raw += values.astype("u1").tobytes()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_an_idx_file_is_read_with_its_shape(tmp_path: Path, packed: bool) -> None:
    values = np.arange(24).reshape(2, 3, 4)
    assert np.array_equal(read_idx(idx(tmp_path / "images", values, packed=packed)), values)


@pytest.mark.parametrize("content", [b"", b"no idx", b"\x1f\x8bbroken", b"\0\0\x08\x01\0\0\0\x09"])
def test_an_error_names_a_file_that_is_not_idx(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read .*images as an IDX file"):
        read_idx(tmp_path / "images")


def test_an_image_without_a_label_is_an_error(tmp_path: Path) -> None:
    idx(tmp_path / "images", np.zeros((3, 2, 2)))
    idx(tmp_path / "labels", np.zeros(2))
    task = ImageClassification(images="images", labels="labels")
    with pytest.raises(UserError, match=r"3 images, but .* has 2 labels"):
        task.samples(tmp_path)


def test_pixels_are_normalised_with_the_models_configuration(tmp_path: Path) -> None:
    config = {"input": [1, 2, 2], "mean": 0.5, "std": 0.25}
    (tmp_path / "config.json").write_text(json.dumps(config))
    image = np.array([[0, 255], [51, 102]], dtype="u1")
    features = ImageCodec(tmp_path).encode([image, image])
    assert features["image"].shape == (2, 1, 2, 2)
    assert features["image"].dtype == np.float32
    assert np.allclose(features["image"][1, 0], [[-2, 2], [-1.2, -0.4]])


def test_the_class_with_the_largest_logit_is_the_answer(tmp_path: Path) -> None:
    config = {"input": [1, 2, 2], "mean": 0, "std": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert ImageCodec(tmp_path).decode(np.array([[0.1, 0.7, 0.2], [5, 1, 2]]), {}) == [1, 0]


def test_each_channel_has_its_normalisation(tmp_path: Path) -> None:
    config = {"input": [3, 1, 2], "mean": [0, 0.5, 0.2], "std": [1, 0.5, 0.1]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    coloured = np.array([[[0, 255, 51], [255, 0, 102]]], dtype="u1")
    grey = np.array([[0, 51]], dtype="u1")
    features = ImageCodec(tmp_path).encode([coloured, grey])["image"]
    expected = [[[[0, 1]], [[1, -1]], [[0, 2]]], [[[0, 0.2]], [[-1, -0.6]], [[-2, 0]]]]
    assert np.allclose(features, expected, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"input": [2, 1, 2]},
        {"input": [1, 2]},
        {"mean": [0, 0]},
        {"std": 0},
        {"std": "wide"},
        {"mean": [[0, 1], [2]]},
    ],
)
def test_a_configuration_that_cannot_normalise_is_named(
    tmp_path: Path, change: dict[str, object]
) -> None:
    config = {"input": [3, 1, 2], "mean": 0, "std": 1, **change}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"config\.json must have the `input` shape"):
        ImageCodec(tmp_path)


def test_an_error_names_a_configuration_without_normalisation(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"mean": 0}')
    with pytest.raises(UserError, match="must have the `input` shape"):
        ImageCodec(tmp_path)


def test_logits_that_are_not_finite_have_no_class(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"input": [1, 2, 2], "mean": 0, "std": 1}))
    logits = np.array([[0.1, np.nan, 0.2], [5, 1, 2], [np.inf, 0, 0]])
    assert ImageCodec(tmp_path).decode(logits, {}) == [None, 0, None]


def test_files_without_images_are_named(tmp_path: Path) -> None:
    idx(tmp_path / "images", np.zeros((0, 2, 2)))
    idx(tmp_path / "labels", np.zeros(0))
    with pytest.raises(UserError, match="images has no image"):
        ImageClassification(images="images", labels="labels").samples(tmp_path)


def test_a_server_needs_a_model_that_says_the_size_of_images() -> None:
    task = ImageClassification(images="images", labels="labels")
    with pytest.raises(
        UserError, match=r"only be served with a model whose config\.json has the size"
    ):
        task.payload(InputsCodec())
    photos: Any = PHOTOS.payload(InputsCodec())
    assert photos.request.__name__ == "Photos"


def write_model(folder: Path, **settings: Any) -> Path:
    """Write a tiny ViT for three animals, with its image processor."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(1)
    names = ["cat", "dog", "owl"]
    tiny: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "image_size": 32,
        "patch_size": 8,
        "initializer_range": 0.5,
        "id2label": dict(enumerate(names)),
        "label2id": {name: number for number, name in enumerate(names)},
    }
    config = ViTConfig(**{**tiny, **settings})
    ViTForImageClassification(config).eval().save_pretrained(folder)
    of_channel = [0.4, 0.5, 0.6][: config.num_channels]
    ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=of_channel, image_std=of_channel, resample=3
    ).save_pretrained(folder)
    return folder


def write_photos(folder: Path) -> None:
    random = np.random.default_rng(2)
    for name in ("cat", "dog", "owl"):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            small = random.integers(0, 256, (4, 5, 3), dtype=np.uint8)
            photo = Image.fromarray(small).resize((40 + number, 56))
            photo.save(folder / name / f"{number}.{'png' if number % 2 else 'jpg'}")


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with the model `vit` and the test data `photos`. Do not change it."""
    folder = tmp_path_factory.mktemp("vit")
    write_model(folder / "vit")
    write_photos(folder / "photos")
    return folder


def expected_logits(model: Path, images: list[Any]) -> Any:
    import torch
    from transformers import ViTForImageClassification, ViTImageProcessor

    features = ViTImageProcessor.from_pretrained(model)(images, return_tensors="pt")
    with torch.inference_mode():
        return ViTForImageClassification.from_pretrained(model)(**features).logits.numpy()


@pytest.mark.filterwarnings("ignore")
def test_features_equal_those_of_the_image_processor(vit: Path) -> None:
    from transformers import AutoImageProcessor

    samples = PHOTOS.samples(vit)
    codec = PHOTOS.codec(vit / "vit")
    features = codec.encode(samples.inputs)["pixel_values"]
    processor = AutoImageProcessor.from_pretrained(vit / "vit", use_fast=False)
    expected = processor([*map(Image.fromarray, samples.inputs)], return_tensors="np")
    assert np.array_equal(features, expected["pixel_values"])
    assert (features.dtype, features.shape) == (np.float32, (12, 3, 32, 32))
    assert codec.axes == {"pixel_values": ("batch", 3, 32, 32)}
    grey = samples.inputs[0][..., 0]
    repeated = np.repeat(grey[..., None], 3, axis=2)
    assert np.array_equal(
        codec.encode([grey])["pixel_values"], codec.encode([repeated])["pixel_values"]
    )


@pytest.mark.filterwarnings("ignore")
def test_a_processor_that_is_saved_as_fast_gives_the_same_features(
    vit: Path, tmp_path: Path
) -> None:
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((vit / "vit" / name).read_bytes())
    path = tmp_path / "preprocessor_config.json"
    written = json.loads(path.read_text())
    images = PHOTOS.samples(vit).inputs
    expected = ProcessorCodec(vit / "vit").encode(images)["pixel_values"]
    for kind in ("ViTImageProcessorFast", None):  # without a type, it is that of the model
        path.write_text(json.dumps({**written, "image_processor_type": kind}))
        assert np.array_equal(ProcessorCodec(tmp_path).encode(images)["pixel_values"], expected)


@pytest.mark.filterwarnings("ignore")
def test_a_model_with_one_channel_gets_grey_images(tmp_path: Path) -> None:
    codec = ProcessorCodec(write_model(tmp_path, num_channels=1))
    image = np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(image).convert("L"))
    features = codec.encode([image])["pixel_values"]
    assert features.shape == (1, 1, 32, 32)
    assert np.allclose(features[0, 0], (grey / 255 - 0.4) / 0.4, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_torch_answers_with_the_labels_of_the_model(vit: Path, tmp_path: Path) -> None:
    samples = PHOTOS.samples(vit)
    Torch().build(Material(vit / "vit", PHOTOS, vit), tmp_path)
    runner = Torch().load(tmp_path, PHOTOS, 1)
    logits = expected_logits(vit / "vit", samples.inputs)
    names = np.array(["cat", "dog", "owl"])
    assert len({*logits.argmax(-1)}) > 1
    for ranked in (1, 3):
        task = ImageClassification(data="photos", ranked=ranked, metrics=())
        codec = task.codec(vit / "vit")
        task.check(samples, codec)
        features = codec.encode(samples.inputs)
        results = runner.infer(features)
        assert np.allclose(results, logits, atol=1e-5)
        best = names[np.argsort(-logits, axis=-1)[:, :ranked]].tolist()
        assert codec.decode(results, features) == (
            best if ranked > 1 else [label for (label,) in best]
        )


@pytest.mark.filterwarnings("ignore")
def test_labels_of_photos_are_compared_with_the_models(vit: Path) -> None:
    codec = PHOTOS.codec(vit / "vit")
    image = np.zeros((4, 4), np.uint8)
    with pytest.raises(UserError, match=r"labels of photos .*'cats' is probably 'cat'"):
        PHOTOS.check(Samples([image], ["cats"]), codec)
    with pytest.raises(UserError, match=r"the data has '0', '3', and id2label in .*config\.json"):
        PHOTOS.check(Samples([image] * 2, ["0", "3"]), codec)
    PHOTOS.check(Samples([image], ["2"]), codec)
    assert codec.decode(np.array([[0.0, 2, 1]]), {}) == ["1"]
    PHOTOS.check(Samples([image], [2]), codec)
    assert codec.decode(np.array([[0.0, 2, 1]]), {}) == [1]
    with pytest.raises(UserError, match=r"has labels from 0 to 3, but the classes .* 0 to 2"):
        PHOTOS.check(Samples([image] * 2, [0, 3]), codec)
    with pytest.raises(UserError, match=r"returns 2 values .*config\.json has 3 labels"):
        codec.decode(np.zeros((1, 2)), {})


def test_a_model_without_names_has_numbers(tmp_path: Path) -> None:
    config = {"input": [1, 2, 2], "mean": 0, "std": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    codec = ImageCodec(tmp_path, 2)
    image = np.zeros((2, 2), np.uint8)
    with pytest.raises(
        UserError, match=r"has the labels 'cat', but the model has only class numbers"
    ):
        PHOTOS.check(Samples([image] * 2, ["1", "cat"]), codec)
    with pytest.raises(UserError, match=r"image 2 has 2 rows of 3 pixels, but `input`"):
        PHOTOS.check(Samples([image, np.zeros((2, 3, 3), np.uint8)], ["0", "1"]), codec)
    PHOTOS.check(Samples([image], ["3"]), codec)
    logits = np.array([[0.0, 2, 1, 2], [np.nan, 0, 0, 0]])
    assert codec.decode(logits, {}) == [["1", "3"], None]
    assert [*codec.probabilities(logits)[0]] == ["0", "1", "2", "3"]
    with pytest.raises(UserError, match=r"has the label 3, but the model returns 3 values"):
        codec.decode(logits[:, :3], {})
    with pytest.raises(UserError, match="ranked=5 is more than the 4 labels of the model"):
        ImageCodec(tmp_path, 5).decode(logits, {})


@pytest.mark.filterwarnings("ignore")
def test_a_processor_that_cannot_be_used_is_named(vit: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ranked=4 is more than the 3 labels of the model"):
        ProcessorCodec(vit / "vit", 4)
    (tmp_path / "config.json").write_text((vit / "vit" / "config.json").read_text())
    path = tmp_path / "preprocessor_config.json"
    for text in ("{", "[]", '{"image_processor_type": "NoSuchImageProcessor"}'):
        path.write_text(text)
        with pytest.raises(UserError, match=r"cannot use .*preprocessor_config\.json"):
            ProcessorCodec(tmp_path)
    path.write_text(
        '{"image_processor_type": "CLIPImageProcessor", "do_center_crop": false,'
        '"size": {"shortest_edge": 32}}'
    )
    with pytest.raises(UserError, match=r"preprocessor_config\.json returns images of different"):
        ProcessorCodec(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "vit", "num_channels": 4}')
    with pytest.raises(UserError, match=r"num_channels is 4, but must be 1 or 3"):
        ProcessorCodec(tmp_path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, r"requires either data=\.\.\., or both images"),
        ({"images": "a"}, r"requires either data"),
        ({"data": "a", "labels": "b"}, r"requires either data"),
        ({"data": "a", "images": "b", "labels": "c"}, r"requires either data"),
        ({"data": "a", "ranked": 0}, r"ranked=0\): must be at least 1"),
        ({"data": "a", "ranked": 5}, r'accuracy scores a single label: use metrics=\("top1_acc'),
        ({"data": "a", "ranked": 5, "metrics": (Accuracy(),)}, r"accuracy scores a single label"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        ImageClassification(**settings)


def test_the_shipped_suite_has_the_samples_and_features_it_always_had() -> None:
    from hashlib import sha256

    from suites.vision.suite import suite

    samples = suite.task.samples(ROOT / "suites" / "vision")
    assert samples.inputs_digest().startswith("06259bfc66926b41")
    assert samples.references[:5] == [7, 2, 1, 0, 4]
    codec = suite.task.codec(ROOT / "suites" / "vision" / "models" / "mnist-inception")
    suite.task.check(samples, codec)
    pixels = codec.encode(samples.inputs[:500])["image"]
    assert sha256(pixels.tobytes()).hexdigest().startswith("06458f1a95aedb1e")
    assert codec.decode(np.eye(10), {}) == [*range(10)]


@pytest.mark.filterwarnings("ignore")
def test_the_suite_of_the_docs_runs(vit: Path, pytester: pytest.Pytester, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "images.md").read_text("utf-8")
    suite, tests = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    project = Project(pytester.path, tmp_path, pytester)
    project.write("perf/suite.py", suite)
    project.write("perf/test_photos.py", tests)
    for name in ("vit", "photos"):
        (project.folder / "perf" / name).symlink_to(vit / name)
    project.thresholds("[photos.gates]\naccuracy = { min = 0 }\n")
    process = project.start("perf", "-k", "not int8")
    process.wait(timeout=240)  # a worker imports torch and transformers
    outcome = project.finish(process)
    assert outcome.ret == 0, outcome.text
    samples = PHOTOS.samples(vit)
    best = expected_logits(vit / "vit", samples.inputs).argmax(-1)
    right = [["cat", "dog", "owl"].index(label) for label in samples.references] == best
    measures = outcome.record("torch", "photos")["measures"]
    assert measures["accuracy"]["value"] == pytest.approx(100 * right.mean())
    assert measures["latency_p50"]["value"] > 0
