"""Templates of pages: they extend `base.html.j2`, and every value in them is escaped."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any


def template(name: str, beside: str) -> Any:
    """Return a Jinja template in which an undefined value is an error.

    Parameters
    ----------
    name
        File name, for example `page.html.j2`.
    beside
        Import path of a module in the template's folder.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(module, ".") for module in (beside, __name__)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = files(__package__).joinpath("page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals.update(script=Markup(script), script_hash=f"sha256-{digest}")
    return environment.get_template(name)
