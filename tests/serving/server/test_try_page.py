"""The page at / in a real browser, opened by a link to an example."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests import axe
from tests.chromium import Page
from tests.serving.server.echo_server import Running, Serve

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
    assert reply.body.index("</form>") < reply.body.index('<output name="answer"')
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
    assert re.fullmatch(r"Answered in \d+ ms", status)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []


def test_the_message_of_a_refusal_is_shown(echo: Running, browser: str, tmp_path: Path) -> None:
    url = f"{echo.url}/?{urlencode({'text': ' '})}"
    assert "at least 1 item" in opened(browser, url, tmp_path, "--dump-dom").stdout


def test_the_description_is_shown(echo: Running, browser: str, tmp_path: Path) -> None:
    done = opened(browser, f"{echo.url}/docs", tmp_path, "--dump-dom")
    assert 'data-path="/v1/models/echo:predict"' in done.stdout
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []


EXAMPLE = "document.querySelector('[name=example]').click()"
SENT = """
(async () => {
  while (form.ariaBusy === "true") await new Promise((resolve) => setTimeout(resolve, 20));
  return [answer.innerText, status.textContent, note.textContent];
})()
"""


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_accessible_and_fits(echo: Running, page: Page, width: int, dark: bool) -> None:
    page.open(echo.url, width=width, dark=dark)
    page.run(EXAMPLE)
    page.run("form.requestSubmit()")
    assert page.run(SENT)[0]
    assert page.run("document.documentElement.scrollWidth") == width
    page.run(f"{axe.script()}; 0")
    assert page.run(axe.VIOLATIONS) == []


def test_the_answer_is_below_the_button_on_a_phone(echo: Running, page: Page) -> None:
    tops = (
        "['textarea', '[type=submit]', '[name=answer]']"
        ".map((name) => document.querySelector(name).getBoundingClientRect().top)"
    )
    page.open(echo.url, width=390, height=400)
    places = page.run(tops)
    assert places == sorted(places)
    page.run("input.value = 'hello'; form.requestSubmit()")
    page.run(SENT)
    assert page.run("answer.getBoundingClientRect().bottom <= innerHeight")
    page.open(echo.url, width=1280)
    text, button, answer = page.run(tops)
    assert text < button
    assert answer < button


def test_the_button_is_the_only_filled_one(echo: Running, page: Page) -> None:
    page.open(echo.url)
    fills = page.run(
        "[...document.querySelectorAll('button')].map((b) => getComputedStyle(b).backgroundColor)"
    )
    assert fills.count(fills[-1]) == 1
    assert page.run("document.querySelector('[type=submit]').textContent") == "Send"


def test_it_is_used_with_the_keyboard_alone(echo: Running, page: Page) -> None:
    """The text box has the focus; Tab leads to the examples, the button and the answer."""
    page.open(echo.url)
    names = []
    for _ in range(5):
        page.press("Tab")
        names.append(page.run("document.activeElement.textContent.trim()"))
        if names[-1] == "Example 2":
            page.press("Enter")
    assert names[:4] == ["Example 1", "Example 2", "Example 3", "Send"]
    assert page.run("document.activeElement.name") == "answer"
    page.run("input.focus()")
    page.press("Enter", modifiers=2)
    answer, status, _ = page.run(SENT)
    assert answer == page.run("input.value") == page.run("examples[1]")
    assert status.startswith("Answered in ")


def test_it_says_that_ctrl_enter_sends(echo: Running, page: Page) -> None:
    page.open(echo.url)
    assert "Ctrl + Enter also sends" in page.run("form.innerText")


REFUSE = "fetch = async () => new Response({body}, {{status: {status}}})"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (413, "The request has 1 KiB, but the server accepts at most 256 KiB. Send less, or "
         "start the server with --max-body-bytes 32."),
        (429, "Too many requests are waiting. Wait a second, then send again."),
        (500, "The server failed. See the server's log for request f00."),
        (503, "The model is not ready: the server is starting or stopping. Wait a few seconds, "
         "then send again."),
        (504, "There was no response within 30 s. Send less, or start the server with a longer "
         "--timeout."),
        (422, "wrong (body.instances)"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do(echo: Running, page: Page, status: int, message: str) -> None:
    page.open(echo.url)
    error = {"message": "wrong", "where": "body.instances", "request_id": "f00"}
    page.run(REFUSE.format(status=status, body=repr(json.dumps({"error": error}))) + "; 0")
    page.run("input.value = 'hello'; form.requestSubmit()")
    assert page.run(SENT) == ["", message, ""]


def test_an_answer_that_is_not_json_is_an_error(echo: Running, page: Page) -> None:
    page.open(echo.url)
    page.run(REFUSE.format(status=502, body="'<html>'") + "; 0")
    page.run("input.value = 'hello'; form.requestSubmit()")
    assert page.run(SENT) == ["", "The server answered with status 502.", ""]


def test_a_request_that_is_too_large_is_not_sent(echo: Running, page: Page) -> None:
    page.open(echo.url)
    page.run("input.value = 'word '.repeat(60000); form.requestSubmit()")
    assert page.run(SENT)[1] == (
        "The request has 293 KiB, but the server accepts at most 256 KiB. Send less, or start the "
        "server with --max-body-bytes 524288."
    )


def test_an_unreachable_server_is_reported(serve: Serve, page: Page) -> None:
    server = serve()
    page.open(server.url)
    server.process.terminate()
    server.process.wait(30)
    page.run("input.value = 'hello'; form.requestSubmit()")
    answer, status, _ = page.run(SENT)
    assert not answer
    assert status == (
        "The server cannot be reached. Check that infperf serve is running and that you are "
        "online, then send again."
    )
