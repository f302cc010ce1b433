"""The documentation site: tables from the code, links, and nothing loaded from the network."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from ast import literal_eval
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import Mock

import pytest

from docs import hooks
from docs.offline import remote_resources
from pytest_infperf import cli, options
from pytest_infperf.history.store import DEFAULT_STORAGE

ROOT = Path(__file__).parents[1]
CLASSES = [cls for found in hooks.classes().values() for cls in found]
needs_mkdocs = pytest.mark.skipif(
    not all(map(find_spec, ("mkdocs", "material", "mkdocstrings"))), reason="needs the extra docs"
)


class Ids(HTMLParser):
    """The ids of a page's elements, and the text of its code elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str | None] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids.add(dict(attrs).get("id"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    return folder


@needs_mkdocs
def test_the_site_loads_nothing_from_the_network(site: Path) -> None:
    assert list(remote_resources(site)) == []


@needs_mkdocs
def test_the_reference_has_every_public_class_with_its_parameters(site: Path) -> None:
    for kind, classes in hooks.classes().items():
        page = (site / f"reference/{kind}.html").read_text("utf-8")
        for cls in classes:
            assert f'id="{cls.__module__}.{cls.__name__}"' in page
    torch = (site / "reference/backends.html").read_text("utf-8")
    for shown in ("Parameters:", "Raises:", "Examples:"):
        assert shown in torch
    assert "<code>UserError</code>" in re.sub(r"</?(a|span)[^>]*>", "", torch)


@needs_mkdocs
def test_the_site_shows_pictures_and_no_unreplaced_placeholder(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert not re.search(r"<!-- table: [a-z_ ]+ -->", text), page
        for source in re.findall(r'<img[^>]* src="([^"]+)"', text):
            assert (page.parent / source).is_file(), (page, source)


def test_remote_resources_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<link rel="stylesheet" href="https://fonts.example/a.css">'
        '<link rel="canonical" href="https://docs.example/">'
        '<script src="//cdn.example/b.js"></script><a href="https://example.org">a link</a>'
        '<img src="https://pictures.example/c.png"><img src="d.png">'
        "<style>@font-face { src: url('https://fonts.example/e.woff') }</style>"
    )
    (tmp_path / "f.css").write_text(
        '@import "https://fonts.example/g.css"; a { background: url(h.png) }'
    )
    assert list(remote_resources(tmp_path)) == [
        "a.html loads https://fonts.example/a.css",
        "a.html loads //cdn.example/b.js",
        "a.html loads https://pictures.example/c.png",
        "a.html loads https://fonts.example/e.woff",
        "f.css loads https://fonts.example/g.css",
    ]


def cells(table: str) -> Iterator[list[str]]:
    for line in table.splitlines()[2:]:
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_every_option_has_its_ini_key_and_default() -> None:
    rows = {row[0].strip("`").replace("\\|", "|"): row[1:] for row in cells(hooks.options())}
    declared = Mock()
    options.add(declared)
    calls = declared.getgroup.return_value.addoption.call_args_list
    assert list(rows) == [
        f"{call.args[0]} {call.kwargs.get('metavar', '')}".strip() for call in calls
    ]
    assert rows["--infperf-timeout SECONDS"][:2] == ["`infperf_timeout`", "300"]
    assert rows["--infperf-full"][:2] == ["`infperf_full`", "off"]
    assert rows["--infperf-json PATH"][1] == "none"


def test_every_command_has_its_arguments() -> None:
    text = hooks.commands()
    assert re.findall(r"^## infperf (\w+)$", text, re.M) == list(cli.COMMANDS)
    compare = text.partition("## infperf compare")[2].partition("\n## ")[0]
    assert "| `[A]` |  |" in compare
    assert "| `--fail-on LIMITS` | none |" in compare
    assert "latency_p50:5%,bleu" in compare
    assert f"| `--storage STORAGE` | {DEFAULT_STORAGE} |" in compare


def test_every_object_and_field_of_the_schema_is_described() -> None:
    schema = json.loads((files("pytest_infperf.records") / "record.schema.json").read_text())
    text = hooks.record()
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert next(iter(sections)) == "RunRecord"
    assert {*sections} == {schema["title"], *schema["$defs"]}
    for name, described in {schema["title"]: schema, **schema["$defs"]}.items():
        for field in described.get("properties", {}):
            assert f"| `{field}` |" in sections[name], (name, field)
    assert "| `value` | number | required | The value, in `unit`. |" in sections["Measure"]
    assert "| `low` | number or null | `null` | The bounds of the confidence" in sections["Measure"]
    assert "[Measure](#measure)" in sections["Record"]
    assert "One of `pass`, `fail`, `xfailed`, `inconclusive`." in sections["Verdict"]


def test_links_out_of_the_docs_lead_to_the_repository() -> None:
    page = "[a](../examples.md#b) [c](method.md) [d](../../suites/x.py) [e](../tasks.md)"
    assert hooks.outside_links(page, "reference/f.md", "https://host/r") == (
        "[a](../examples.md#b) [c](method.md) "
        "[d](https://host/r/blob/main/suites/x.py) [e](../tasks.md)"
    )
    assert hooks.outside_links("[a](../examples/README.md#b)", "f.md", "https://host/r") == (
        "[a](https://host/r/blob/main/examples/README.md#b)"
    )


def test_code_with_a_bar_in_a_table_keeps_no_backslash() -> None:
    assert hooks.code_with_bars("| `N\\|best` | `a` |\n`b\\|c`") == (
        "| <code>N&#124;best</code> | `a` |\n`b\\|c`"
    )


def test_a_placeholder_without_a_table_is_an_error() -> None:
    with pytest.raises(KeyError, match="optoins"):
        hooks.with_tables("<!-- table: optoins -->")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_default_in_words_is_that_of_the_constructor(cls: type) -> None:
    parameters = inspect.signature(cls).parameters
    section = (inspect.getdoc(cls) or "").partition("Parameters\n----------\n")[2]
    section = re.split(r"^\w+\n-+\n", section, flags=re.M)[0]
    for names, kind in re.findall(r"^(\w[\w, ]*?)(?: : (.*))?$", section, re.M):
        assert {*names.split(", ")} <= {*parameters}
        if found := re.search(r", default (.+)$", kind):
            with suppress(ValueError, SyntaxError):  # words such as "those of the model"
                assert literal_eval(found[1]) == parameters[names].default


def test_every_kind_has_its_classes() -> None:
    names = {kind: {cls.__name__ for cls in found} for kind, found in hooks.classes().items()}
    assert {"Torch", "Onnx", "Function"} <= names["backends"]
    assert {"Custom", "TextClassification"} <= names["tasks"]
    assert {"Accuracy", "F1", "Spearman"} <= names["metrics"]
    assert not names["metrics"] & names["tasks"]
    assert {"ClosedLoop", "Soak"} <= names["loads"]
