"""The page at /: try the model by hand. One file, with no request to anywhere else."""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.suite.payload import About

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "script-src 'unsafe-inline'",
        "img-src data:",
        "connect-src 'self'",
    )
)

_LABELS = {"translate": ("Text", "Translation"), "label": ("Text", "Label")}


def render(form: str, about: About, path: str) -> str:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    given, got = _LABELS[form]
    template = environment.get_template("page.html.j2")
    return template.render(about=about, path=path, form=form, given=given, got=got)
