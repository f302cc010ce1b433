"""Images of every form give the same pixels, and unreadable images are named."""

from __future__ import annotations

import csv
import gc
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from pytest_infperf import HubDataset, ImageClassification, Samples, UserError
from pytest_infperf.tasks.data.images import decoded, with_channels

PIXELS = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


def encoded(pixels: np.ndarray = PIXELS, format_: str = "png", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format_, **options)
    return buffer.getvalue()


def read(data: Any, folder: Path) -> Samples:
    return ImageClassification(data=data).samples(folder)


def photos(folder: Path) -> Path:
    """Write two classes with three images between them, and files that desktops leave there."""
    for name, value in (("cats/b.png", 2), ("cats/a.PNG", 1), ("dogs/old/c.jpeg", 3)):
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(np.full((4, 5, 3), value, np.uint8), path.suffix[1:].lower()))
    for name in (".DS_Store", "cats/.hidden.png", "cats/Thumbs.db", "README.md"):
        (folder / "photos" / name).write_text("nothing")
    return folder / "photos"


def test_a_folder_has_a_subfolder_for_each_class(tmp_path: Path) -> None:
    photos(tmp_path)
    samples = read("photos", tmp_path)
    assert samples.references == ["cats", "cats", "dogs"]
    assert [image.mean().round() for image in samples.inputs] == [1, 2, 3]
    assert {(image.shape, image.dtype) for image in samples.inputs} == {
        ((4, 5, 3), np.dtype(np.uint8))
    }
    assert samples.inputs_digest() == read("photos", tmp_path).inputs_digest()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda folder: (folder / "birds").mkdir(),
            r"the class folder .*birds has no image",
        ),
        (
            lambda folder: (folder / "cats" / "notes.txt").write_text("x"),
            r"cats/notes\.txt does not have the suffix of an image",
        ),
        (
            lambda folder: (folder / "loose.png").write_bytes(encoded()),
            r"photos must have a subfolder for each class, but loose\.png is in none",
        ),
        (
            lambda folder: (folder / "cats" / "b.png").write_bytes(b""),
            r"cannot read the image .*cats/b\.png: it is not an image in the formats JPEG, PNG",
        ),
        (
            lambda folder: (folder / "cats" / "b.png").write_bytes(encoded()[:-30]),
            r"cannot read the image .*cats/b\.png: the image is damaged",
        ),
        (
            lambda folder: (folder / "cats" / "b.png").write_bytes(POINTER),
            r"cats/b\.png is a Git LFS pointer",
        ),
        (
            lambda folder: (folder / "cats" / "z.png").symlink_to("nowhere.png"),
            r"there is no image .*cats/z\.png",
        ),
    ],
)
def test_problems_of_a_folder_are_named(
    tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    change(photos(tmp_path))
    with pytest.raises(UserError, match=words):
        read("photos", tmp_path)


def test_a_folder_without_classes_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match="subfolder for each class, but it has no subfolder"):
        read("photos", tmp_path)


CELLS: dict[str, Callable[[Path], Any]] = {
    "path": lambda folder: "a.png",
    "absolute path": lambda folder: folder / "a.png",
    "bytes": lambda folder: encoded(),
    "encoded": lambda folder: {"bytes": encoded(), "path": "gone.png"},
    "encoded path": lambda folder: {"bytes": None, "path": str(folder / "a.png")},
    "pillow": lambda folder: Image.fromarray(PIXELS),
    "opened": lambda folder: Image.open(io.BytesIO(encoded())),
    "array": lambda folder: PIXELS,
    "turned array": lambda folder: np.asfortranarray(PIXELS),
}


@pytest.mark.parametrize("form", CELLS)
def test_every_cell_gives_the_same_pixels(tmp_path: Path, form: str) -> None:
    (tmp_path / "a.png").write_bytes(encoded())
    samples = read([{"image": CELLS[form](tmp_path), "label": 3}], tmp_path)
    assert np.array_equal(samples.inputs[0], PIXELS)
    assert samples.references == ["3"]
    assert samples.inputs_digest() == Samples([PIXELS], ["3"]).inputs_digest()


def write_csv(path: Path) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "label"), ("a.png", "cat")])


def write_jsonl(path: Path) -> None:
    path.write_text(json.dumps({"image": "a.png", "label": "cat"}))


def write_parquet(path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [{"image": {"bytes": encoded(), "path": "a.png"}, "label": "cat"}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


@pytest.mark.parametrize(
    ("name", "write"),
    [("t.csv", write_csv), ("t.jsonl", write_jsonl), ("t.parquet", write_parquet)],
)
def test_paths_are_relative_to_the_file_of_the_table(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(encoded())
    write(tmp_path / "data" / name)
    samples = read(f"data/{name}", tmp_path)
    assert samples.references == ["cat"]
    assert np.array_equal(samples.inputs[0], PIXELS)


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("as_path", [False, True])
def test_images_of_a_dataset_are_read(tmp_path: Path, as_path: bool) -> None:
    import datasets

    folder = tmp_path / "shop"
    folder.mkdir()
    if as_path:
        (folder / "test").mkdir()
        (folder / "test" / "a.png").write_bytes(encoded())
        (folder / "test" / "metadata.csv").write_text("file_name,label\na.png,cat\n")
    else:
        features = datasets.Features(
            image=datasets.Image(), label=datasets.ClassLabel(names=["dog", "cat"])
        )
        rows = {"image": [Image.fromarray(PIXELS)], "label": [1]}
        made = datasets.Dataset.from_dict(rows, features)
        made.to_parquet(folder / "test-00000-of-00001.parquet")
    samples = read(HubDataset("shop"), tmp_path)
    assert samples.references == ["cat"]
    assert np.array_equal(samples.inputs[0], PIXELS)
    gc.collect()  # datasets leaves files open, which no other test shall be told of


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("b.png", r"there is no image .*b\.png"),
        ("", r"there is no image"),
        ("t.csv", r"cannot read the image .*t\.csv: it is not an image in the formats"),
        (b"GIF89a", r"it is not an image in the formats|the image is damaged"),
        (encoded()[:-30], r"the image is damaged"),
        ({"bytes": None, "path": None}, r"not NoneType"),
        ({"array": [1]}, r"an image must be a path, .* not dict"),
        (7, r"an image must be a path, .* not int"),
        (np.zeros((2, 2, 4), np.uint8), r"not uint8 and \[2, 2, 4\]"),
        (np.zeros((2, 2)), r"not float64 and \[2, 2\]"),
        (np.zeros((0, 2), np.uint8), r"not uint8 and \[0, 2\]"),
        (Image.new("I;16", (2, 2)), r"more than 8 bits per channel"),
        (None, r"is missing"),
    ],
)
def test_a_cell_that_is_no_image_is_named(tmp_path: Path, cell: Any, words: str) -> None:
    (tmp_path / "t.csv").write_text("a,b\n")
    rows = [{"image": PIXELS, "label": 0}, {"image": cell, "label": 1}]
    with pytest.raises(UserError, match=rf"in the suite, row 2: 'image'.*(?:{words})"):
        read(rows, tmp_path)


def test_an_error_has_the_line_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded())
    (tmp_path / "t.csv").write_text("image,label\na.png,cat\nb.png,cat\n")
    with pytest.raises(UserError, match=r"t\.csv:3: 'image': there is no image .*b\.png"):
        read("t.csv", tmp_path)
    (tmp_path / "t.jsonl").write_text('{"image": "a.png", "label": ["cat"]}\n')
    with pytest.raises(UserError, match=r"t\.jsonl:1: 'label' must be one label, not \['cat'\]"):
        read("t.jsonl", tmp_path)


def test_pixels_are_upright_and_in_rgb_or_grey() -> None:
    image = Image.fromarray(PIXELS)
    exif = Image.Exif()
    exif[0x0112] = 6
    assert np.array_equal(decoded(encoded(exif=exif)), np.rot90(PIXELS, 3))
    clear = image.convert("RGBA")
    clear.putalpha(7)
    assert np.array_equal(decoded(encoded(np.asarray(clear))), PIXELS)
    grey = np.asarray(image.convert("L"))
    assert np.array_equal(decoded(encoded(grey)), grey)
    assert with_channels(grey, 3).shape == (6, 8, 3)
    assert np.array_equal(with_channels(PIXELS, 1)[..., 0], grey)
    assert np.array_equal(with_channels(with_channels(grey, 3), 1), with_channels(grey, 1))
    buffer = io.BytesIO()
    image.convert("P").save(buffer, "png", transparency=bytes(range(256)))
    assert decoded(buffer.getvalue()).shape == (6, 8, 3)
    wide = encoded(np.full((2, 2), 40_000, np.uint16))
    with pytest.raises(ValueError, match="more than 8 bits"):
        decoded(wide)


@pytest.mark.filterwarnings("ignore")
def test_an_image_with_too_many_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="it has 8 x 6 pixels, but 47 are allowed"):
        decoded(encoded(), most_pixels=47)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    with pytest.raises(ValueError, match="it has 8 x 6 pixels, but 30 are allowed"):
        decoded(encoded())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(ValueError, match="too many pixels"):
        decoded(encoded())


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_file_is_read_or_named(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["a.png", "a.jpg", "a.gif", "a.webp", "a.tiff"]))
    content = bytearray(encoded(format_={"jpg": "jpeg"}.get(name[2:], name[2:])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["change", "insert", "delete", "cut"])):
            case "change":
                content[at] = data.draw(st.integers(0, 255))
            case "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=4))
            case "delete" if len(content) > 1:
                del content[at]
            case "cut" if at:
                del content[at:]
    (tmp_path / name).write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        complaint = complaint_about(tmp_path, name)
    assert not complaint or name in complaint


def complaint_about(folder: Path, name: str) -> str:
    """Return why an image is refused; empty if it is read."""
    try:
        [image] = read([{"image": name, "label": 0}], folder).inputs
        assert (image.dtype, image.ndim in (2, 3)) == (np.uint8, True)
    except UserError as error:
        return str(error)
    return ""
