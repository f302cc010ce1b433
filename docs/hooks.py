"""Hooks of mkdocs: tables that come from the code, and links to files outside docs/.

A page asks for a table with a line such as `<!-- table: options -->`.
"""

from __future__ import annotations

import html
import inspect
import json
import posixpath
import re
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest_infperf
from pytest_infperf import cli
from pytest_infperf.options import OPTIONS, Option
from pytest_infperf.suite.loads import Load

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

_PLACEHOLDER = re.compile(r"^<!-- table: (?P<name>[a-z_ ]+) -->$", re.MULTILINE)
_OUTSIDE = re.compile(r"\]\((?P<path>\.\./[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
_CODE_WITH_BAR = re.compile(r"`([^`]*\\\|[^`]*)`")
_DEFAULT = re.compile(r"[\s,]*\(?default: (?P<default>[^)]+)\)?")


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Return the text of a page with its tables, and with links to files of the repository."""
    markdown = outside_links(markdown, page.file.src_uri, f"{config.repo_url}".rstrip("/"))
    return code_with_bars(with_tables(markdown))


def with_tables(markdown: str) -> str:
    """Return the text with each placeholder replaced by its table.

    Raises
    ------
    KeyError
        If there is no table of that name.
    """
    return _PLACEHOLDER.sub(lambda found: TABLES[found["name"]](), markdown)


def outside_links(markdown: str, source: str, repository: str) -> str:
    """Return the text in which links that leave docs/ lead to the repository's page of the file."""

    def rewritten(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(source), found["path"]))
        if path.startswith("docs/"):
            return found[0]
        return f"]({repository}/blob/main/{path}{found['anchor'] or ''})"

    return _OUTSIDE.sub(rewritten, markdown)


def code_with_bars(markdown: str) -> str:
    r"""Return the text in which code such as `N\|best` of a table is HTML.

    Python-Markdown keeps the backslash, which GitHub needs.
    """

    def rewritten(found: re.Match[str]) -> str:
        return f"<code>{html.escape(found[1]).replace(chr(92) + '|', '&#124;')}</code>"

    return "\n".join(
        _CODE_WITH_BAR.sub(rewritten, line) if line.startswith("|") else line
        for line in markdown.split("\n")
    )


def table(*rows: Iterable[str]) -> str:
    """Return a Markdown table; the first row is its header."""
    header, *body = [[" ".join(cell.replace("|", r"\|").split()) for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def options() -> str:
    """Return the table of pytest's options and ini keys."""
    return table(
        ("option", "ini key", "default", "meaning"), *(_option(each) for each in OPTIONS.values())
    )


def _option(option: Option) -> tuple[str, ...]:
    meaning, default = _without_default(option.help)
    return (
        f"`{option.flag} {option.metavar}".rstrip() + "`",
        f"`{option.key}`",
        default or ("off" if option.is_switch else "none"),
        _sentence(meaning),
    )


def _without_default(text: str) -> tuple[str, str]:
    """Return a help text without the default that it states, and that default."""
    found = _DEFAULT.search(text)
    return (_DEFAULT.sub("", text), found["default"]) if found else (text, "")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def commands() -> str:
    """Return a section for each command of `infperf`: its usage, arguments and options."""
    return "\n\n".join(part for name in cli.COMMANDS for part in _command(name))


def _command(name: str) -> Iterator[str]:
    parser = ArgumentParser(f"infperf {name}", add_help=False)
    import_module(f"{cli.__name__}.{name}").configure(parser)
    yield f"## infperf {name}\n\n{_sentence(cli.COMMANDS[name])}"
    rows = []
    for action in parser._actions:
        meaning, default = _without_default((action.help or "") % _Help(vars(action)))
        if not default and action.option_strings:
            unset = action.default is None or action.default == ""
            default = "off" if action.nargs == 0 else "none" if unset else f"`{action.default}`"
        value = parser._get_formatter()._format_args(
            action, (action.dest.upper() if action.option_strings else action.dest)
        )
        flags = f"{', '.join(action.option_strings)} {value}".strip()
        rows.append((f"`{flags}`", default, _sentence(meaning)))
    if rows:
        yield table(("argument", "default", "meaning"), *rows)


class _Help(dict[str, Any]):
    """The values that argparse puts into a help text."""

    def __init__(self, action: dict[str, Any]) -> None:
        super().__init__({**action, "prog": "infperf"})


def record() -> str:
    """Return a section for each object of the record, in the order in which the file has them."""
    schema = json.loads((files("pytest_infperf.records") / "record.schema.json").read_text("utf-8"))
    objects = {schema["title"]: schema} | schema["$defs"]
    return "\n\n".join(_object(name, objects[name]) for name in _reached(schema, objects))


def _reached(schema: dict[str, Any], objects: dict[str, Any]) -> list[str]:
    """Return the names of the objects, each after the first one that has it as a field."""
    found = [schema["title"]]
    for name in found:
        named = re.findall(r'"#/\$defs/(\w+)"', json.dumps(objects[name].get("properties", {})))
        found += [each for each in dict.fromkeys(named) if each not in found]
    return found


def _object(name: str, schema: dict[str, Any]) -> str:
    heading = f"## {name}\n\n{schema.get('description', '').partition(chr(10) * 2)[0]}"
    if "enum" in schema:
        return f"{heading}\n\nOne of {', '.join(f'`{value}`' for value in schema['enum'])}."
    meanings = _field_meanings(name)
    return f"{heading}\n\n" + table(
        ("field", "type", "default", "meaning"),
        *(
            (
                f"`{field}`",
                _json_type(kind),
                "required" if field in schema.get("required", []) else _json_default(kind),
                meanings.get(field, ""),
            )
            for field, kind in schema.get("properties", {}).items()
        ),
    )


def _json_default(schema: dict[str, Any]) -> str:
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else "empty"


def _json_type(schema: dict[str, Any]) -> str:
    """Return a type of JSON Schema in words, with links to the objects it names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_json_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    kind = schema.get("type", "any value")
    if kind == "array":
        items = schema.get("items") or {"type": "any value"}
        return f"array of {_json_type(items)}"
    if kind == "object" and isinstance(values := schema.get("additionalProperties"), dict):
        return f"object, each value: {_json_type(values)}"
    return str(kind)


@cache
def _field_meanings(name: str) -> dict[str, str]:
    """Return what the docstrings of a class of `pytest_infperf.records` say of its fields."""
    import griffe

    package = griffe.load("pytest_infperf.records", docstring_parser=griffe.Parser.numpy)
    [found] = [
        module[name]
        for module in package.modules.values()
        if name in module.members and not module[name].is_alias
    ]
    meanings = {
        field: attribute.docstring.value
        for field, attribute in found.attributes.items()
        if attribute.docstring
    }
    for section in found.docstring.parsed if found.docstring else ():
        if section.kind is griffe.DocstringSectionKind.parameters:
            for entry in section.value:
                for field in entry.name.split(", "):
                    meanings.setdefault(field, entry.description)
    return meanings


def classes() -> dict[str, list[type]]:
    """Return the public classes that a suite is made of, by kind."""
    from pytest_infperf import (
        Backend,
        EndpointPayload,
        HubDataset,
        Perplexity,
        Serving,
        Suite,
        Sweep,
        Task,
    )

    public = [getattr(pytest_infperf, name) for name in sorted(dir(pytest_infperf))]
    made = [cls for cls in public if not inspect.isabstract(cls) and cls not in (Task, Load)]
    scoring = [cls for cls in made if callable(getattr(cls, "score", None))]
    return {
        "suites": [Suite, Sweep, Serving, HubDataset, Perplexity],
        "tasks": [cls for cls in made if issubclass(cls, Task)],
        "backends": [Backend, *(cls for cls in made if issubclass(cls, Backend))],
        "payloads": [cls for cls in made if issubclass(cls, EndpointPayload)],
        "metrics": [cls for cls in scoring if not getattr(cls, "_is_protocol", False)],
        "loads": [Load, *(cls for cls in made if issubclass(cls, Load))],
    }


def _members(kind: str) -> Callable[[], str]:
    """Return a function that returns mkdocstrings' directives for the classes of a kind."""
    return lambda: "\n\n".join(f"::: {cls.__module__}.{cls.__name__}" for cls in classes()[kind])


TABLES: dict[str, Callable[[], str]] = {
    "options": options,
    "commands": commands,
    "record": record,
    **{
        f"classes {kind}": _members(kind)
        for kind in ("suites", "tasks", "backends", "payloads", "metrics", "loads")
    },
}
"""The function that writes each table, by the name in the placeholder."""
