"""The page at / in a real browser, opened by a link to an example."""

from __future__ import annotations

import shutil
import subprocess
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.serving.server.echo_server import Running

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture
def browser() -> str:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("Chromium is not installed")
    return path


def opened(browser: str, url: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--enable-logging=stderr", "--v=0", f"--user-data-dir={folder / 'profile'}",
            "--disable-background-networking", "--no-first-run", "--virtual-time-budget=10000",
            *options, url,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip


def test_it_shows_both_boxes_and_loads_nothing_from_elsewhere(echo: Running) -> None:
    reply = echo.get("/")
    assert reply.status == 200
    assert reply.body.count("<textarea") == 1
    assert "Translation<output" in reply.body
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in reply.body.replace("http-equiv", "")


def test_a_text_is_sent_and_its_answer_shown(echo: Running, browser: str, tmp_path: Path) -> None:
    text = "one <b>bold</b>\n\ntwo & three"
    url = f"{echo.url}/?{urlencode({'text': text})}"
    done = opened(browser, url, tmp_path, "--dump-dom")
    answer = done.stdout.split('<output name="answer"', 1)[1].split(">", 1)[1].split("</output>")[0]
    assert unescape(answer) == "one <b>bold</b>\ntwo & three"
    status = done.stdout.split('<output name="status"', 1)[1].split(">", 1)[1].split("</output>")[0]
    assert status.endswith(" ms")
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []


def test_the_message_of_a_refusal_is_shown(echo: Running, browser: str, tmp_path: Path) -> None:
    url = f"{echo.url}/?{urlencode({'text': ' '})}"
    assert "at least 1 item" in opened(browser, url, tmp_path, "--dump-dom").stdout


def test_the_description_is_shown(echo: Running, browser: str, tmp_path: Path) -> None:
    done = opened(browser, f"{echo.url}/docs", tmp_path, "--dump-dom")
    assert 'data-path="/v1/models/echo:predict"' in done.stdout
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
