"""The page at /, where users can try the model. It loads nothing from other hosts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse

from pytest_infperf.serving.server.engine import Engine
from pytest_infperf.suite.payload import About, Payload

_EXAMPLES_CHARACTERS = 300_000
"""Longest JSON of all examples on the page, in characters."""


@dataclass(frozen=True)
class _Form:
    label: str
    hint: str
    accept: str = ""
    """Types of files to choose from; empty for a text box."""


_TEXT = _Form("Text", "One text per line.")
_FORMS = {
    "translate": _TEXT,
    "label": _TEXT,
    "text": _TEXT,
    "json": _Form("Instances", "A JSON list with one item per instance."),
    "image": _Form("Images", "JPEG or PNG files, one or several.", "image/jpeg,image/png"),
    "pixels": _Form(
        "Images", "Any images; the page scales them to {columns} x {rows} grey pixels.", "image/*"
    ),
    "audio": _Form(
        "Recordings", "Audio files or a new recording; the page sends WAV at {rate} Hz.", "audio/*"
    ),
}
"""Forms by `Payload.form`."""
_OF_TEXTS = frozenset(name for name, form in _FORMS.items() if form is _TEXT)


def page_router(
    payload: Payload, about: About, engine: Engine, max_body_bytes: int, timeout_s: float
) -> APIRouter:
    """Return a router with the page, or without any route if the payload has no form."""
    router = APIRouter()
    if not payload.form:
        return router
    cut = getattr(engine.codec, "cut", None)

    @router.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def try_it() -> HTMLResponse:
        return HTMLResponse(_render(payload, about, engine, max_body_bytes, timeout_s))

    def numbers_of_cut(body: Any) -> list[int]:
        """Return the numbers of the instances that the model does not read to their end."""
        try:
            samples = payload.samples(body)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        return [number for number, is_cut in enumerate(cut(samples)) if is_cut]  # type: ignore[misc]

    if cut:
        numbers_of_cut.__annotations__["body"] = payload.request
        router.post("/cut", include_in_schema=False)(numbers_of_cut)
    return router


def _render(
    payload: Payload, about: About, engine: Engine, max_body_bytes: int, timeout_s: float
) -> str:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    form = _FORMS[payload.form]
    return environment.get_template("page.html.j2").render(
        about=about,
        path=payload.path(about.suite),
        form=payload.form,
        settings=payload.form_settings,
        label=form.label,
        hint=form.hint.format(**payload.form_settings),
        accept=form.accept,
        initial=payload.form_example,
        examples=_examples(payload, engine.examples),
        decoding=engine.decoding,
        max_body_bytes=max_body_bytes,
        timeout_s=timeout_s,
        tells_cut=hasattr(engine.codec, "cut"),
    )


def _examples(payload: Payload, inputs: Sequence[Any]) -> list[Any]:
    """Return the instances of samples, as long as they are small.

    A sample that cannot be sent in a request is omitted.
    """
    examples: list[Any] = []
    left = _EXAMPLES_CHARACTERS
    for sample in inputs:
        try:
            request = payload.ask([sample]).model_dump(mode="json")
        except Exception:  # of the author's payload, which can serve without `ask`
            continue
        instances = request.get("instances", [])[:1]
        if payload.form in _OF_TEXTS and not all(isinstance(each, str) for each in instances):
            continue  # the messages of a chat
        left -= len(json.dumps(instances))
        if left < 0:
            break
        examples += instances
    return examples
