"""Images of test data: arrays of pixels from files, bytes, Pillow images and arrays.

Pixels are uint8, shape [rows, columns] for grey images and [rows, columns, 3] for colour images.
Requires ``pytest-infperf[vision]``.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.repository import lfs

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm",
    ".pgm", ".pbm",
)  # fmt: skip
_LEFT_BY_DESKTOPS = ("thumbs.db", "desktop.ini", "__macosx")
_GREY_MODES = ("1", "L", "LA", "La")
_LUMA = (19595, 38470, 7471)
"""Weights of red, green and blue in ITU-R 601-2 luma, as in Pillow, in units of 2^-16."""


def pillow() -> Any:
    """Return the module `PIL.Image`.

    Raises
    ------
    UserError
        If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise UserError('reading images needs: pip install "pytest-infperf[vision]"') from error
    return Image


def decoded(
    content: bytes, formats: Collection[str] = FORMATS, most_pixels: int | None = None
) -> Any:
    """Return the pixels of an image file, with its EXIF orientation applied.

    Parameters
    ----------
    content : bytes
        The file. The first image is used if there are several.
    formats : collection of str
        The accepted formats, by their names in Pillow.
    most_pixels : int, optional
        The maximum number of pixels. By default, it is Pillow's, 89 million.

    Raises
    ------
    ValueError
        If the file is not an image, is damaged, or has too many pixels.
    """
    module = pillow()
    try:
        with module.open(io.BytesIO(content), formats=formats) as image:
            unusable = _unusable(
                image, module.MAX_IMAGE_PIXELS if most_pixels is None else most_pixels
            )
            if not unusable:
                return _pixels(image)
    except (module.DecompressionBombError, module.DecompressionBombWarning) as error:
        raise ValueError(f"it has too many pixels ({error})") from error
    except module.UnidentifiedImageError as error:
        raise ValueError(f"it is not an image in the formats {', '.join(formats)}") from error
    except Exception as error:  # Pillow's decoders raise many types of errors for damaged files
        raise ValueError(f"the image is damaged ({error})") from error
    raise ValueError(unusable)


def _unusable(image: Any, most_pixels: int | None) -> str:
    """Return why the pixels of an image cannot be used; empty if they can."""
    if most_pixels is not None and image.width * image.height > most_pixels:
        return f"it has {image.width} x {image.height} pixels, but {most_pixels:,} are allowed"
    if image.mode[0] in "IF":
        return f"it has more than 8 bits per channel (mode {image.mode}): save it with 8"
    return ""


def _pixels(image: Any) -> Any:
    import numpy as np
    from PIL import ImageOps

    image.load()
    upright = ImageOps.exif_transpose(image)
    if image.mode in _GREY_MODES:
        return np.array(upright.convert("L"))
    if upright.mode == "P" and "transparency" in upright.info:
        upright = upright.convert("RGBA")
    return np.array(upright.convert("RGB"))


def image_of(cell: Any, folder: Path, place: str) -> Any:
    """Return the pixels of the image in a cell of a table.

    Parameters
    ----------
    cell : str, Path, bytes, mapping, PIL.Image.Image or ndarray
        A path, the bytes of a file, `{"bytes": ..., "path": ...}` as in `datasets`, a Pillow
        image, or a uint8 array, shape [rows, columns] or [rows, columns, 3].
    folder : Path
        The folder to which paths are relative.
    place : str
        The location of the cell, for messages.

    Raises
    ------
    UserError
        If there is no image, or it cannot be read.
    """
    if isinstance(cell, Mapping) and {"bytes", "path"} & {*cell}:
        cell = cell.get("path") if cell.get("bytes") is None else cell["bytes"]
    try:
        if isinstance(cell, str | os.PathLike):
            return _read_file(folder / cell)
        if isinstance(cell, bytes | bytearray):
            return decoded(bytes(cell))
        if isinstance(cell, pillow().Image):
            return _of_pillow(cell)
        return _checked_array(cell)
    except (OSError, ValueError) as error:
        raise UserError(f"{place}: {error}") from error


def _read_file(path: Path) -> Any:
    """Return the pixels of a file. Raises OSError or ValueError, with the path in the message."""
    if not path.is_file():
        raise ValueError(f"there is no image {path}")
    if lfs.is_pointer(path):
        raise ValueError(lfs.fetch_it(path))
    content = path.read_bytes()
    try:
        return decoded(content)
    except ValueError as error:
        raise ValueError(f"cannot read the image {path}: {error}") from error


def _of_pillow(image: Any) -> Any:
    """Return the pixels of a Pillow image. Raises OSError or ValueError."""
    if unusable := _unusable(image, None):
        raise ValueError(unusable)
    try:
        return _pixels(image)
    except Exception as error:  # a file that is opened and not yet decoded
        raise ValueError(f"the image is damaged ({error})") from error


def _checked_array(cell: Any) -> Any:
    import numpy as np

    if not isinstance(cell, np.ndarray):
        raise ValueError(
            "an image must be a path, the bytes of a file, a Pillow image or an array, not "
            f"{type(cell).__name__}"
        )
    shape = cell.shape[:2] if cell.ndim == 3 and cell.shape[2] == 1 else cell.shape
    if (
        cell.dtype != np.uint8
        or not cell.size
        or not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3))
    ):
        raise ValueError(
            "an image array must have the type uint8 and the shape [rows, columns] or "
            f"[rows, columns, 3], not {cell.dtype} and {[*cell.shape]}"
        )
    return np.ascontiguousarray(cell.reshape(shape))


def read_folder(folder: Path) -> tuple[list[Any], list[str]]:
    """Return the images in a folder and their labels, which are the names of its subfolders.

    Hidden files and files that desktops create, such as thumbs.db, are ignored.

    Raises
    ------
    UserError
        If there is no subfolder, if a subfolder has no image or a file that is not an image, or if
        an image is outside the subfolders.
    """
    classes = [path for path in _listing(folder) if path.is_dir()]
    loose = [path for path in _listing(folder) if path.suffix.lower() in _SUFFIXES]
    if not classes or loose:
        found = f"but {loose[0].name} is in none" if loose else "but it has no subfolder"
        raise UserError(f"the test data {folder} must have a subfolder for each class, {found}")
    images, labels = [], []
    for class_folder in classes:
        paths = _files(class_folder)
        if not paths:
            raise UserError(f"the class folder {class_folder} has no image: add some or remove it")
        for path in paths:
            if path.suffix.lower() not in _SUFFIXES:
                raise UserError(
                    f"{path} does not have the suffix of an image ({', '.join(_SUFFIXES)}): move "
                    "it out of the class folder"
                )
            try:
                images.append(_read_file(path))
            except (OSError, ValueError) as error:
                raise UserError(str(error)) from error
            labels.append(class_folder.name)
    return images, labels


def _files(folder: Path) -> list[Path]:
    """Return the files in a folder and its subfolders."""
    nested = [_files(path) if path.is_dir() else [path] for path in _listing(folder)]
    return [path for paths in nested for path in paths]


def _listing(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error}") from error
    return [
        path
        for path in paths
        if not path.name.startswith(".") and path.name.lower() not in _LEFT_BY_DESKTOPS
    ]


def with_channels(image: Any, channels: int) -> Any:
    """Return pixels of the shape [rows, columns, channels], for 1 or 3 channels."""
    import numpy as np

    if channels == 3:
        return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    if image.ndim == 2:
        return image[..., None]
    grey = (image.astype(np.uint32) @ np.array(_LUMA, np.uint32) + 0x8000) >> 16
    return grey.astype(np.uint8)[..., None]
