"""A headless Chromium, in which tests open pages and run scripts."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import aiohttp
import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_TIMEOUT_S = 60.0


class Page:
    """The only page of a browser, controlled with the DevTools protocol."""

    def __init__(self, runner: asyncio.Runner, connection: aiohttp.ClientWebSocketResponse) -> None:
        self._runner = runner
        self._connection = connection
        self._ids = count()

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Open an address in a window of the given size, and wait until it is loaded."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Page.navigate", url=url)
        until = monotonic() + _TIMEOUT_S
        here = "location.href !== 'about:blank' && document.readyState === 'complete'"
        while not self.run(here) and monotonic() < until:
            sleep(0.02)

    def run(self, script: str) -> Any:
        """Return the value of an expression in JavaScript, or of its promise."""
        reply = self._call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in reply:
            raise AssertionError(reply["exceptionDetails"])
        return reply["result"].get("value")

    def press(self, key: str, modifiers: int = 0) -> None:
        """Press a key; the modifier 2 is Ctrl."""
        code = {"Tab": 9, "Enter": 13, " ": 32}[key]
        text = {"text": {"Enter": "\r", " ": " "}[key]} if key != "Tab" and not modifiers else {}
        named = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self._call("Input.dispatchKeyEvent", type="keyDown", **named, **text)
        self._call("Input.dispatchKeyEvent", type="keyUp", **named)

    def picture(self, path: Path) -> None:
        """Write a picture of the whole page."""
        reply = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(reply["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._runner.run(self._answer(next(self._ids), method, parameters))

    async def _answer(self, number: int, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        await self._connection.send_json({"id": number, "method": method, "params": parameters})
        while True:
            reply = await self._connection.receive_json(timeout=_TIMEOUT_S)
            if reply.get("id") == number:
                assert "error" not in reply, reply
                result: dict[str, Any] = reply["result"]
                return result


@contextmanager
def opened(folder: Path, *options: str) -> Iterator[Page]:
    """Start a browser with its profile in a folder; skip the test if none is installed."""
    browser = next(filter(None, map(shutil.which, _NAMES)), None)
    if browser is None:
        pytest.skip("Chromium is not installed")
    profile = folder / "profile"
    process = subprocess.Popen(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run",
            "--disable-background-networking", *options, "about:blank",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with asyncio.Runner() as runner:
            session, connection = runner.run(_connected(_port(profile)))
            try:
                yield Page(runner, connection)
            finally:
                runner.run(session.close())
    finally:
        process.terminate()
        process.wait(30)


def _port(profile: Path) -> str:
    port_file = profile / "DevToolsActivePort"
    until = monotonic() + _TIMEOUT_S
    while not (port_file.exists() and port_file.read_text()) and monotonic() < until:
        sleep(0.05)
    return port_file.read_text().splitlines()[0]


async def _connected(
    port: str,
) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
    session = aiohttp.ClientSession()
    page: dict[str, Any] | None = None
    while page is None:
        async with session.get(f"http://127.0.0.1:{port}/json") as response:
            pages = await response.json()
        page = next((page for page in pages if page["type"] == "page"), None)
        await asyncio.sleep(0.05)
    return session, await session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)
