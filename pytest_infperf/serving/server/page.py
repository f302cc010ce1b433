"""The page at /, to try the model by hand: one file that loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from pytest_infperf.suite.payload import About, Payload

_LABELS = {"translate": ("Text", "Translation"), "label": ("Text", "Label")}
"""Labels of the input and of the output, by `Payload.form`."""


def page_router(payload: Payload, about: About) -> APIRouter:
    """Return a router with the page, or without any route if the payload has no form."""
    router = APIRouter()
    if payload.form:

        @router.get("/", response_class=HTMLResponse, include_in_schema=False)
        async def try_it() -> HTMLResponse:
            return HTMLResponse(_render(payload.form, about, payload.path(about.suite)))

    return router


def _render(form: str, about: About, path: str) -> str:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    input_label, output_label = _LABELS[form]
    template = environment.get_template("page.html.j2")
    return template.render(
        about=about, path=path, input_label=input_label, output_label=output_label
    )
