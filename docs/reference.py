"""Write reference.md from the docstrings of the public classes: `python -m docs.reference`."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest_infperf
from pytest_infperf import Backend, EndpointPayload, HubDataset, Serving, Suite, Sweep, Task
from pytest_infperf.suite.loads import Load

PAGE = Path(__file__).with_name("reference.md")
FACE = """\
# Reference
What the constructors of `pytest_infperf` take. `make reference` writes this page from the
docstrings, which `help(pytest_infperf.Torch)` shows with examples.
"""
_TITLED_SECTION = re.compile(r"^(?P<title>[A-Z]\w+)\n-+\n", re.MULTILINE)
_ENTRY = re.compile(r"^(?P<head>\S.*)\n(?P<text>(?:(?: .*)?(?:\n|\Z))*)", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """What a section of a docstring says under one head, such as `users : int`."""

    head: str
    text: str

    @property
    def names(self) -> list[str]:
        return [name.strip() for name in self.head.partition(" : ")[0].split(",")]

    @property
    def type(self) -> str:
        """The type without the default, as the docstring has it; empty if it has none."""
        return re.sub(r"(^|, )(optional|default .*)$", "", self.head.partition(" : ")[2])


class Docstring:
    """A docstring in numpydoc's form."""

    def __init__(self, cls: type) -> None:
        first, *rest = _TITLED_SECTION.split(inspect.getdoc(cls) or "")
        self.summary = _in_markdown(first.partition("\n\n")[0])
        self._sections = dict(zip(rest[::2], rest[1::2], strict=True))

    def entries(self, section: str) -> list[Entry]:
        return [
            Entry(found["head"], _in_markdown(found["text"]))
            for found in _ENTRY.finditer(self._sections.get(section, ""))
        ]


def _in_markdown(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def default_of(cls: type, name: str) -> str:
    """Return the default of a parameter as Python code, "required", or empty for one of its own."""
    default = inspect.signature(cls).parameters[name].default
    if default is inspect.Parameter.empty:
        return "required"
    text = repr(default).replace("'", '"')
    return "" if text == "<factory>" else f"`{text}`"


def row(cls: type, entry: Entry) -> str:
    default = default_of(cls, entry.names[0]) if len(entry.names) == 1 else ""
    names = ", ".join(f"`{name}`" for name in entry.names)
    kind = f"`{entry.type}`" if entry.type else ""
    cells = [cell.replace("|", r"\|") for cell in (names, kind, default, entry.text)]
    return f"| {' | '.join(cells)} |"


def section(cls: type) -> Iterator[str]:
    """Yield the lines about one class."""
    docstring = Docstring(cls)
    yield from (f"### {cls.__name__}", docstring.summary, "")
    if parameters := docstring.entries("Parameters"):
        yield from ("| parameter | type | default | meaning |", "|---|---|---|---|")
        yield from (row(cls, entry) for entry in parameters)
        yield ""
    for error in docstring.entries("Raises"):
        yield from (f"Raises `{error.head}`: {error.text}", "")


def groups() -> dict[str, list[type]]:
    """Return the public classes that a suite is made of, by kind."""
    public = [getattr(pytest_infperf, name) for name in sorted(dir(pytest_infperf))]
    made = [cls for cls in public if not inspect.isabstract(cls) and cls not in (Task, Load)]
    scoring = [cls for cls in made if callable(getattr(cls, "score", None))]
    return {
        "Suites": [Suite, Sweep, Serving, HubDataset],
        "Tasks": [cls for cls in made if issubclass(cls, Task)],
        "Backends": [Backend, *(cls for cls in made if issubclass(cls, Backend))],
        "Payloads of endpoints": [cls for cls in made if issubclass(cls, EndpointPayload)],
        "Metrics": [cls for cls in scoring if not getattr(cls, "_is_protocol", False)],
        "Loads": [Load, *(cls for cls in made if issubclass(cls, Load))],
    }


def page() -> str:
    """Return the text of reference.md."""
    lines = [FACE]
    for title, classes in groups().items():
        links = ", ".join(f"[{cls.__name__}](#{cls.__name__.lower()})" for cls in classes)
        lines += [f"## {title}", links, ""]
        for cls in classes:
            lines += section(cls)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
