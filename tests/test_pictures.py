"""The command that runs the tutorial and makes the documentation's pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from docs import pictures
from docs.offline import remote_resources
from docs.pictures import Walk

OUTPUT = """\
\x1b[1m===== test session starts =====\x1b[0m
platform linux -- Python 3.11
infperf: 0.1.0, on a host
suites/spam/test_spam.py
infperf 1/4 · spam[function] starting
.
F..                                          [100%]
===== inference =====
\x1b[31mFAIL\x1b[0m spam[function] regression


infperf page: report.html

----- benchmark 'spam': 1 tests -----
Name (time in us)
===== \x1b[31m1 failed\x1b[0m, 3 passed in 43.37s =====
"""


def test_a_page_is_run_and_gets_its_outputs(tmp_path: Path) -> None:
    page = (
        "```python\n# shop/say.py\nprint('\\x1b[31mold prices')\n```\n"
        "```console\n$ pip install nothing-of-this-name\n$ python \\\n    shop/say.py\n```\n"
        "```text\nan older output\n```\n"
        "```toml\nkept = true\n```\n"
    )
    walk = Walk(tmp_path)
    assert walk.run(page) == page.replace("an older output", "old prices")
    assert walk.outputs == ["\x1b[31mold prices\n"]


def test_a_command_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no-such-command exited with 127"):
        Walk(tmp_path).run("```console\n$ no-such-command\n```\n")


def test_an_output_is_shortened() -> None:
    assert pictures.shortened(OUTPUT) == (
        "===== test session starts =====\n"
        "infperf: 0.1.0, on a host\n"
        "suites/spam/test_spam.py . F..                                          [100%]\n"
        "===== inference =====\n"
        "FAIL spam[function] regression\n"
        "\n"
        "===== 1 failed, 3 passed in 43.37s ====="
    )


def test_the_sessions_within_init_are_left_out() -> None:
    session = "===== test session starts =====\n...\n===== 4 passed in 1s =====\n"
    output = f"wrote suites/spam/suite.py\n{session}measuring\n{session}every limit is met"
    assert pictures.shortened(output) == (
        "wrote suites/spam/suite.py\n[...]\nmeasuring\n[...]\nevery limit is met"
    )


def test_the_picture_of_a_terminal_loads_no_font(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    pictures.terminal_picture(OUTPUT, path, "pytest --infperf")
    text = path.read_text("utf-8")
    for shown in ("$&#160;pytest&#160;--infperf", "FAIL", "1&#160;failed"):
        assert shown in text
    assert "benchmark" not in text
    assert list(remote_resources(tmp_path)) == []


def test_the_picture_of_a_page_is_small(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    if not any(map(shutil.which, pictures.BROWSERS)):
        pytest.skip("no Chromium is installed")
    page, picture = tmp_path / "a.html", tmp_path / "a.webp"
    page.write_text("<h1>A report</h1>")
    pictures.page_picture(page, picture, 300)
    assert 0 < picture.stat().st_size < pictures.MAX_BYTES


def test_the_committed_pictures_are_small() -> None:
    found = list(pictures.IMAGES.iterdir())
    assert {"regression.svg", "report.webp", "terminal.svg"} <= {path.name for path in found}
    assert all(path.stat().st_size < pictures.MAX_BYTES for path in found)
