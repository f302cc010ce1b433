"""A server that streams a known number of tokens by OpenAI's API, in a thread, as a fixture."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

PROMPT_TOKENS = 7


@dataclass
class TokenServer:
    """Streams `tokens` words, each as an event, and then the numbers of tokens."""

    first_s: float = 0.02
    """Time to the first token, in seconds."""
    gap_s: float = 0.02
    """Time between two tokens, in seconds."""
    tokens: int = 4
    streams: bool = True
    counts: bool = True
    """Whether it sends the numbers of tokens."""
    fault: str = ""
    """What happens after the first token: `ends`, `breaks`, `closes`, `error` or `other form`."""
    url: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """The path and the body of each request."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append((request.path, body))
        if not (self.streams and body.get("stream")):
            await asyncio.sleep(self.first_s)
            return web.json_response({"choices": [{"text": "word " * self.tokens}]})
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        is_chat = "messages" in body
        if is_chat:
            await self._send(response, {"choices": [{"delta": {"role": "assistant"}}]})
        await asyncio.sleep(self.first_s)
        for number in range(self.tokens):
            if number:
                await asyncio.sleep(self.gap_s)
            choice = {"delta": {"content": "word "}} if is_chat else {"text": "wörd "}
            await self._send(response, {"choices": [choice], "usage": None})
            if self.fault == "breaks":
                assert request.transport
                request.transport.abort()
            if self.fault == "closes":
                assert request.transport
                request.transport.close()
            if self.fault == "ends":
                return response
            if self.fault == "error":
                await self._send(response, {"error": {"message": "out of memory"}})
                return response
            if self.fault == "other form":
                await self._send(response, ["nothing"])
        if self.counts:
            usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": self.tokens}
            await self._send(response, {"choices": [], "usage": usage})
        await response.write(b"data: [DONE]\r\n\r\n")
        return response

    @staticmethod
    async def _send(response: web.StreamResponse, event: object) -> None:
        text = json.dumps(event, ensure_ascii=False)
        await response.write(f": a comment\r\ndata: {text}\r\n\r\n".encode())


@pytest.fixture
def token_server() -> Iterator[TokenServer]:
    """Return a running server; its settings can be changed."""
    server = TokenServer()
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/{path:.*}", server.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}"
        ready.set()
        return runner

    def run() -> None:
        runner = loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield server
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
