"""CoNLL files in common forms are read, and others are refused with file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pytest_infperf import UserError
from pytest_infperf.tasks.data import read_conll

CONLL_2003 = (
    "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\n"
)
CONLL_U = "# sent_id = 1\n# text = EU acts\n1\tEU\t_\tPROPN\n2\tacts\t_\tVERB\n\n"
TWEETS = "#ff\tO\n@you\tO\n\n# id 7\n#\tO\nNew York\tB-LOC\n"


@pytest.mark.parametrize(
    ("content", "words", "tags", "sentences"),
    [
        (CONLL_2003, 0, -1, [("EU rejects", "B-ORG O"), ("Peter", "B-PER")]),
        (CONLL_2003, 0, 1, [("EU rejects", "NNP VBZ"), ("Peter", "NNP")]),
        (CONLL_U, 1, 3, [("EU acts", "PROPN VERB")]),
        ("a  O \n\n\n\nb O", 0, 1, [("a", "O"), ("b", "O")]),
        ("\ufeffa O\r\n\r\nb O\r\n", 0, 1, [("a", "O"), ("b", "O")]),
        ("B-X a\nI-X b\n", -1, 0, [("a b", "B-X I-X")]),
        ("# id 1\tdomain=en\n# _ _ O\nb _ _ O\n", 0, 3, [("# b", "O O")]),
    ],
)
def test_sentences_are_read(
    tmp_path: Path, content: str, words: int, tags: int, sentences: list[tuple[str, str]]
) -> None:
    (tmp_path / "a.conll").write_bytes(content.encode())
    table = read_conll(tmp_path / "a.conll", words, tags)
    found = [
        (" ".join(row_words), " ".join(row_tags))
        for row_words, row_tags in zip(table.lists("words"), table.lists("tags"), strict=True)
    ]
    assert found == sentences


def test_a_word_between_tabs_may_have_spaces_and_begin_with_a_hash(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(TWEETS)
    table = read_conll(tmp_path / "a.tsv", 0, 1)
    assert table.lists("words") == [["#ff", "@you"], ["#", "New York"]]
    assert table.places == [f"{tmp_path / 'a.tsv'}:1", f"{tmp_path / 'a.tsv'}:5"]


def test_characters_that_unicode_calls_space_are_words(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.conll.gz", "wt", encoding="utf-8") as file:
        file.write("\u3000 O\n\x85 O\n")
    assert read_conll(tmp_path / "a.conll.gz", 0, 1).lists("words") == [["\u3000", "\x85"]]


@pytest.mark.parametrize(
    ("content", "words", "tags", "complaint"),
    [
        ("a O\nb\n", 0, 1, r"a\.conll:2: 1 columns, but other tokens have 2: write a token"),
        ("a O\nb O x\n", 0, 1, r"a\.conll:2: 3 columns, but other tokens have 2"),
        ("a O\n# note x\n", 0, 1, r"a\.conll:2: 3 columns, but other tokens have 2"),
        ("a O\n\n#tag\n", 0, 1, r"a\.conll:3: 1 columns, but other tokens have 2"),
        ("a\tO\nb\t\n", 0, 1, r"a\.conll:2: .* but one of them is empty"),
        ("a O\n", 0, 2, r"a\.conll has no column 2: its tokens have 2 columns.* words=0, tags=-1"),
        ("a O\n", -3, 1, r"a\.conll has no column -3"),
        (
            "a\nb\n",
            0,
            -1,
            r"words=0 and tags=-1 are the same column, because its tokens have 1 columns",
        ),
        ("-DOCSTART- O\n\n", 0, -1, r"a\.conll has no column 0: its tokens have 0 columns"),
        ("\n", 0, -1, r"a\.conll is empty"),
    ],
)
def test_invalid_lines_are_named(
    tmp_path: Path, content: str, words: int, tags: int, complaint: str
) -> None:
    (tmp_path / "a.conll").write_text(content)
    with pytest.raises(UserError, match=complaint):
        read_conll(tmp_path / "a.conll", words, tags)


def test_a_missing_file_is_named_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "test.conll").write_text(CONLL_2003)
    with pytest.raises(UserError, match=r"there is no test data .*; did you mean test\.conll\?"):
        read_conll(tmp_path / "tests.conll", 0, -1)
    with pytest.raises(UserError, match="is a folder"):
        read_conll(tmp_path, 0, -1)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from([CONLL_2003, CONLL_U, TWEETS]).map(str.encode),
    mutations=st.lists(
        st.tuples(
            st.sampled_from(["cut", "change", "insert", "delete"]),
            st.floats(0, 1, exclude_max=True),
            st.sampled_from([b"\t", b" ", b"\n", b"\r", b"#", b"\x00", b"\xff", b"\xe3\x80\x80"]),
        ),
        min_size=1,
        max_size=20,
    ),
)
def test_a_mutated_file_is_read_or_refused_by_its_name(
    tmp_path: Path, content: bytes, mutations: list[tuple[str, float, bytes]]
) -> None:
    mutated = bytearray(content)
    for kind, place, new in mutations:
        at = int(place * len(mutated))
        match kind:
            case "cut" if len(mutated) > 20:
                del mutated[at + 1 :]
            case "change":
                mutated[at : at + 1] = new
            case "insert":
                mutated[at:at] = new
            case "delete" if len(mutated) > 1:
                del mutated[at]
    path = tmp_path / "a.conll"
    path.write_bytes(mutated)
    try:
        table = read_conll(path, 0, -1)
    except UserError as error:
        assert "a.conll" in str(error)  # noqa: PT017 - a file may also be read
        return
    words, tags = table.lists("words"), table.lists("tags")
    assert list(map(len, words)) == list(map(len, tags))
    assert all(all(row) for row in [*words, *tags])
