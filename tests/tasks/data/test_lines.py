"""Lines of text files are those that an editor shows; files without lines are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_infperf import UserError
from pytest_infperf.tasks.data.lines import read_lines, read_parallel


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\r\ntwo\rthree", ["one", "two", "three"]),
        ("\ufeffone\ntwo", ["one", "two"]),
        (
            "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\ntwo\n",
            ["a\u2028b\u2029c\x85d\x0be\x0cf\x1cg", "two"],
        ),
        ("one\n\nthree\n", ["one", "", "three"]),
    ],
)
def test_only_line_ends_end_a_line(tmp_path: Path, content: str, lines: list[str]) -> None:
    assert read_lines(written(tmp_path, "a", content.encode())) == lines


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf", b" \n\n"])
def test_an_empty_file_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match=r"the test data .*nothing is empty"):
        read_lines(written(tmp_path, "nothing", content))


def test_a_pointer_of_git_lfs_is_no_data(tmp_path: Path) -> None:
    """Its three lines would be three samples."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n"
    with pytest.raises(UserError, match=r"a\.txt is a Git LFS pointer.* run `git lfs pull`"):
        read_lines(written(tmp_path, "a.txt", pointer))


def test_a_file_of_another_encoding_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a", "eins zwei".encode("utf-16"))
    with pytest.raises(UserError, match=r"cannot read the test data .*utf-8"):
        read_lines(path)


@pytest.mark.parametrize(
    ("first", "second", "lines"),
    [
        (b"a\nb\n\n", b"x\ny\n", (["a", "b"], ["x", "y"])),
        (b"a\nb\n\n\n", b"x\ny\n\n", (["a", "b"], ["x", "y"])),
        (b"a\nb\n", b"x\n\n", (["a", "b"], ["x", ""])),
        (b"a\n\nc\n", b"x\n\nz\n", (["a", "", "c"], ["x", "", "z"])),
    ],
)
def test_blank_lines_at_the_end_are_no_samples(
    tmp_path: Path, first: bytes, second: bytes, lines: tuple[list[str], list[str]]
) -> None:
    paths = [written(tmp_path, "a", first), written(tmp_path, "b", second)]
    assert tuple(read_parallel(paths)) == lines


def test_the_file_with_fewer_lines_is_named(tmp_path: Path) -> None:
    paths = [written(tmp_path, "a", b"a\n"), written(tmp_path, "b", b"x\ny\n\n")]
    with pytest.raises(
        UserError, match=r"b has 2 lines, but .*a has 1: line i of one must translate"
    ):
        read_parallel(paths)
