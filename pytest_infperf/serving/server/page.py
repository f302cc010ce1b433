"""The page at /, to try the model by hand: one file that loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from pytest_infperf.suite.payload import About, Payload

_LABELS = {
    "translate": ("Text", "Translation"),
    "label": ("Text", "Label"),
    "text": ("Text", "Predictions"),
    "json": ("Instances, as JSON", "Predictions"),
    "image": ("Images, as JPEG or PNG files", "Predictions"),
    "pixels": ("Images, which are scaled and made grey", "Predictions"),
    "audio": ("Recordings", "Predictions"),
}
"""Labels of the input and of the output, by `Payload.form`."""
_ACCEPTED = {"image": "image/jpeg,image/png", "pixels": "image/*", "audio": "audio/*"}
"""Types of the files that can be chosen, by `Payload.form`."""


def page_router(payload: Payload, about: About) -> APIRouter:
    """Return a router with the page, or without any route if the payload has no form."""
    router = APIRouter()
    if payload.form:

        @router.get("/", response_class=HTMLResponse, include_in_schema=False)
        async def try_it() -> HTMLResponse:
            return HTMLResponse(_render(payload, about))

    return router


def _render(payload: Payload, about: About) -> str:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    input_label, output_label = _LABELS[payload.form]
    template = environment.get_template("page.html.j2")
    return template.render(
        about=about,
        path=payload.path(about.suite),
        form=payload.form,
        settings=payload.form_settings,
        accept=_ACCEPTED.get(payload.form),
        example=payload.form_example,
        input_label=input_label,
        output_label=output_label,
    )
