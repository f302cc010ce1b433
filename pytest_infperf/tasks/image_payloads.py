"""Requests of tasks on images: arrays of pixels, and image files in base64."""

from __future__ import annotations

import base64
import io
from typing import Annotated, Any

from pydantic import Field

from pytest_infperf.tasks.payloads import MAX_INSTANCES, Strict, ToLabel

Pixel = Annotated[int, Field(strict=True, ge=0, le=255)]
MAX_SIDE = 10_000
"""Maximum number of rows of an image, and of pixels in a row."""
PixelRow = Annotated[list[Pixel], Field(max_length=MAX_SIDE)]


class Images(Strict):
    instances: Annotated[
        list[Annotated[list[PixelRow], Field(max_length=MAX_SIDE)]],
        Field(min_length=1, max_length=MAX_INSTANCES),
    ]
    """Images, each a list of rows of pixels from 0 to 255."""


_PIXEL_CHARACTERS = 6
"""Maximum length of a pixel in JSON, with comma, space and bracket, in characters."""


class ImageToLabel(ToLabel):
    request = Images
    form = "pixels"

    def __init__(self, rows: int, columns: int) -> None:
        self.form_settings = {"rows": rows, "columns": columns}
        self.body_bytes = max(self.body_bytes, _PIXEL_CHARACTERS * rows * columns)
        self._shape = (rows, columns)

    def samples(self, request: Any) -> list[Any]:
        import numpy as np

        rows, columns = self._shape
        for number, image in enumerate(request.instances):
            if len(image) != rows or any(len(row) != columns for row in image):
                raise ValueError(f"instance {number} must have {rows} rows of {columns} pixels")
        return [np.array(image, np.uint8) for image in request.instances]

    def instance(self, sample: Any) -> Any:
        from pytest_infperf.tasks.data.images import with_channels

        return with_channels(sample, 1)[..., 0].tolist()


MAX_PIXELS = 64_000_000
"""Maximum number of pixels in all images of a request."""
MAX_IMAGE_BASE64 = 32 * 1024 * 1024
"""Maximum size of an image, in base64 characters; `Serving(max_body_bytes)` limits requests."""
MAX_ASPECT = 30
"""Maximum ratio of the sides, since resizing the shorter side can enlarge the longer one."""


class Photo(Strict):
    b64: Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_BASE64)]
    """JPEG or PNG file in base64."""


class Photos(Strict):
    instances: Annotated[list[Photo], Field(min_length=1, max_length=MAX_INSTANCES)]


class PhotoToLabel(ToLabel):
    """Payload for image files. Requires ``pytest-infperf[vision]``.

    Parameters
    ----------
    size : tuple of (int, int), optional
        The required rows and columns of images; by default any.

    Raises
    ------
    UserError
        If Pillow is not installed.
    """

    request = Photos
    form = "image"
    body_bytes = 8_000_000

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        from pytest_infperf.tasks.data.images import pillow

        pillow()
        self._size = size

    def samples(self, request: Any) -> list[Any]:
        images: list[Any] = []
        left = MAX_PIXELS
        for number, instance in enumerate(request.instances):
            images.append(self._image(number, instance.b64, left))
            left -= images[-1].shape[0] * images[-1].shape[1]
        return images

    def _image(self, number: int, encoded: str, most_pixels: int) -> Any:
        from pytest_infperf.tasks.data.images import decoded

        try:
            content = base64.b64decode(encoded, validate=True)
            image = decoded(content, ("JPEG", "PNG"), most_pixels)
        except ValueError as error:
            raise ValueError(
                f"instance {number} cannot be read as a JPEG or PNG file in base64: {error}"
            ) from None
        rows, columns = image.shape[:2]
        if self._size and (rows, columns) != self._size:
            raise ValueError(
                f"instance {number} must have {self._size[0]} rows of {self._size[1]} pixels"
            )
        if max(rows, columns) > MAX_ASPECT * min(rows, columns):
            raise ValueError(
                f"instance {number} has {rows} rows of {columns} pixels: one side may be at most "
                f"{MAX_ASPECT} times the other"
            )
        return image

    def instance(self, sample: Any) -> Any:
        from pytest_infperf.tasks.data.images import pillow

        buffer = io.BytesIO()
        pillow().fromarray(sample).save(buffer, "png")
        return Photo(b64=base64.b64encode(buffer.getvalue()).decode())
