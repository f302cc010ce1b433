"""docs/reference.md is what the docstrings say, and they say what the constructors do."""

from __future__ import annotations

import ast
import inspect
import re
from contextlib import suppress

import pytest

from docs import reference

CLASSES = [cls for classes in reference.groups().values() for cls in classes]


def test_the_page_is_what_the_command_writes() -> None:
    assert reference.PAGE.read_text("utf-8") == reference.page(), "run: make reference"


def test_every_kind_has_its_classes() -> None:
    names = {title: [cls.__name__ for cls in found] for title, found in reference.groups().items()}
    assert {"Torch", "Onnx", "Function"} <= {*names["Backends"]}
    assert {"Custom", "TextClassification"} <= {*names["Tasks"]}
    assert {"Accuracy", "F1", "Spearman"} <= {*names["Metrics"]}
    assert names["Metrics"] == sorted({*names["Metrics"]} - {*names["Tasks"]})
    assert {"ClosedLoop", "Soak"} <= {*names["Loads"]}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_default_in_words_is_that_of_the_constructor(cls: type) -> None:
    parameters = inspect.signature(cls).parameters
    for entry in reference.Docstring(cls).entries("Parameters"):
        assert {*entry.names} <= {*parameters}
        if found := re.search(r", default (.+)$", entry.head):
            with suppress(ValueError, SyntaxError):  # words such as "those of the model"
                stated = ast.literal_eval(found[1])
                assert stated == parameters[entry.names[0]].default, entry.head


def test_a_section_has_a_table_and_errors() -> None:
    class Sized:
        """A size.

        More words.

        Parameters
        ----------
        rows : int or None, optional
            The number of rows, ``"all"`` or a|b.
        names, ids
            As elsewhere, on
            two lines.

        Raises
        ------
        UserError
            If there is none.
        """

        def __init__(self, rows: int | None = None, names: str = "", ids: str = "") -> None: ...

    assert list(reference.section(Sized)) == [
        "### Sized",
        "A size.",
        "",
        "| parameter | type | default | meaning |",
        "|---|---|---|---|",
        r'| `rows` | `int or None` | `None` | The number of rows, `"all"` or a\|b. |',
        "| `names`, `ids` |  |  | As elsewhere, on two lines. |",
        "",
        "Raises `UserError`: If there is none.",
        "",
    ]
