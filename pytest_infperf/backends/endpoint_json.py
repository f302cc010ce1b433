"""Values and paths in the JSON of requests and responses."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_infperf.errors import UserError

_STEP = re.compile(r"\[(\d+|\*)\]|([^.\[\]]+)")
_PATH = re.compile(r"((^|\.)[^.\[\]]+|\[(\d+|\*)\])+")


def in_json(value: Any) -> Any:
    """Return an input in JSON types.

    Arrays become nested lists; bytes, and images as PNG, become texts in base64.

    Raises UserError if the input cannot be converted.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): in_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [in_json(inner) for inner in value]
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    if type(value).__module__.startswith("PIL."):
        file = io.BytesIO()
        value.save(file, "PNG")
        return base64.b64encode(file.getvalue()).decode("ascii")
    if type(value).__module__ == "numpy":
        return value.tolist()
    raise UserError(
        f"an input of type {type(value).__name__} cannot be written as JSON: use a task with "
        "texts, numbers, arrays, images or bytes, or PydanticPayload(to_request=...)"
    )


def at_path(answer: Any, path: str) -> Any:
    """Return the value at a path, such as `items[*].label`.

    Raises ValueError if the value does not exist or is null.
    """
    steps = [key or (place if place == "*" else int(place)) for place, key in _STEP.findall(path)]
    return _followed(answer, steps, "")


def _followed(value: Any, steps: Sequence[str | int], where: str) -> Any:
    if value is None:
        raise ValueError(f"{where or 'it'} is null")
    if not steps:
        return value
    step, *others = steps
    place = f"{where}[{step}]" if isinstance(step, int) or step == "*" else f"{where}.{step}"
    place = place.removeprefix(".")
    if step == "*" and isinstance(value, list):
        return [_followed(item, others, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(step, int) and isinstance(value, list) and step < len(value):
        return _followed(value[step], others, place)
    if isinstance(step, str) and isinstance(value, dict) and step in value:
        return _followed(value[step], others, place)
    raise ValueError(f"it has no {place}")


def list_at(answer: Any, path: str) -> list[Any]:
    found = at_path(answer, path)
    if not isinstance(found, list):
        raise ValueError(f"{path or 'it'} is not a list")
    if None in found:
        raise ValueError(f"{path or 'it'}[{found.index(None)}] is null")
    return found


def text_at(answer: Any, path: str) -> str:
    found = at_path(answer, path)
    if not isinstance(found, str):
        raise ValueError(f"{path} is not text")
    return found.strip()


def check_path(owner: str, path: str, *, may_be_empty: bool) -> None:
    if not (_PATH.fullmatch(path) or (may_be_empty and not path)):
        raise UserError(
            f"{owner}(answer={path!r}): that is not a path; write keys and positions, such as "
            '"result.items[0].label"'
        )


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise UserError(
            f"an input of type {type(value).__name__} is not text, which this payload sends: "
            "use JsonTemplate or PydanticPayload"
        )
    return value
