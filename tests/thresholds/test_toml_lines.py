"""Each key of a TOML text gets the line on which its statement begins."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings, strategies as st

from pytest_infperf.thresholds.toml_lines import KeyPath, line_numbers

EXAMPLES = {
    "nothing": ("", {}),
    "comments and blank lines": ("# a = 1\n\n  \t\na = 1 # b = 2", {("a",): 4}),
    "windows line ends": ("a = 1\r\n\r\nb = 2\r\n", {("a",): 1, ("b",): 3}),
    "tables": (
        "[a]\nx = 1\n [ a . b ] # c\ny = 2\n",
        {("a",): 1, ("a", "x"): 2, ("a", "b"): 3, ("a", "b", "y"): 4},
    ),
    "quoted keys": (
        '["a.b".\'c d\']\n"e=f" = 1\n"" = 2\n',
        {
            ("a.b",): 1,
            ("a.b", "c d"): 1,
            ("a.b", "c d", "e=f"): 2,
            ("a.b", "c d", ""): 3,
        },
    ),
    "dotted keys": (
        "a.b.c = 1\na.d = 2",
        {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 1, ("a", "d"): 2},
    ),
    "inline tables": (
        "[t]\na = { b = 1, c.d = 2 }",
        {("t",): 1, ("t", "a"): 2, ("t", "a", "b"): 2, ("t", "a", "c"): 2, ("t", "a", "c", "d"): 2},
    ),
    "multi-line strings": (
        "a = \"\"\"\n[b]\nc = 1\n\"\"\"\nd = '''\ne = 2'''\nf = 3",
        {("a",): 1, ("d",): 5, ("f",): 7},
    ),
    "multi-line arrays": (
        "a = [ # one\n  1,\n\n  { b = 2 },\n]\nc = 3",
        {("a",): 1, ("a", "b"): 1, ("c",): 6},
    ),
    "arrays of tables": (
        "[[a]]\nx = 1\n[[a]]\ny = 2\n[a.b]\nz = 3",
        {("a",): 1, ("a", "x"): 2, ("a", "y"): 4, ("a", "b"): 5, ("a", "b", "z"): 6},
    ),
    "other line separators are no line ends": (
        "a = 1 # \x85\u2028\u2029\nb = 2",
        {("a",): 1, ("b",): 2},
    ),
}


@pytest.mark.parametrize(("text", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_examples(text: str, expected: dict[KeyPath, int]) -> None:
    assert line_numbers(text) == expected


def test_keys_may_nest_deeper_than_the_stack() -> None:
    depth = 3000
    path = ("a",) * depth
    assert line_numbers(f"b = 1\n{'.'.join(path)} = 1")[path] == 2


def key_paths(table: dict[str, Any], prefix: KeyPath = ()) -> Iterator[KeyPath]:
    for key, value in table.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from key_paths(value, (*prefix, key))


SCALARS = (
    st.text(max_size=9)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.datetimes()
    | st.lists(st.integers() | st.text(max_size=3), max_size=9)
)
DOCUMENTS = st.recursive(
    st.dictionaries(st.text(max_size=5), SCALARS, max_size=3),
    lambda below: st.dictionaries(st.text(max_size=5), SCALARS | below, max_size=4),
)


def with_multiline_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: with_multiline_strings(below) for key, below in value.items()}
    # tomlkit writes a carriage return into a multi-line string as it is, which TOML forbids.
    if isinstance(value, str) and "\r" not in value:
        return tomlkit.string(value, multiline=True)
    return value


@settings(deadline=None)
@given(DOCUMENTS, st.booleans())
def test_each_key_stands_on_its_line(document: dict[str, Any], multiline_strings: bool) -> None:
    text = tomlkit.dumps(with_multiline_strings(document) if multiline_strings else document)
    lines = text.split("\n")
    found = line_numbers(text)
    assert set(found) == set(key_paths(tomllib.loads(text)))
    for path, line in found.items():
        assert tomlkit.key(path[-1]).as_string() in lines[line - 1]
