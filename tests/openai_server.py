"""A server of OpenAI's API in a thread, which answers as a test says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import sleep
from typing import Any


@dataclass
class OpenAIServer:
    """The answers of a server, and the requests that it received."""

    url: str
    texts: Sequence[str] = ("Hel", "lo ", "there")
    """The pieces of each answer."""
    usage: dict[str, int] | None = field(
        default_factory=lambda: {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
    )
    stream: Sequence[bytes] | None = None
    """The bytes of streamed answers, in the pieces that are sent; None makes them from `texts`."""
    whole: Any = None
    """The JSON of other answers; None makes it from `texts`."""
    ignores_stream: bool = False
    status: int = 200
    is_cut: bool = False
    """Whether the connection ends before the end of a stream."""
    pause_s: float = 0.0
    """The time before each piece of a stream, in seconds."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of the requests."""

    def events(self, *, chat: bool) -> list[bytes]:
        """Return the events of a streamed answer."""
        made = [of_piece(text, chat=chat) for text in self.texts]
        if chat:
            role = {"index": 0, "delta": {"role": "assistant", "content": ""}}
            made.insert(0, event({"choices": [role], "usage": None}))
        made.append(event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        if self.usage:
            made.append(event({"choices": [], "usage": self.usage}))
        return [*made, DONE]

    def answer(self, *, chat: bool) -> Any:
        """Return the JSON of an answer that is not streamed."""
        text = "".join(self.texts)
        choice = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        usage = {"usage": self.usage} if self.usage else {}
        return {"choices": [{"index": 0, "finish_reason": "stop", **choice}], **usage}


DONE = b"data: [DONE]\n\n"


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def of_piece(text: str, *, chat: bool = True) -> bytes:
    piece = {"delta": {"content": text}} if chat else {"text": text}
    return event({"choices": [{"index": 0, **piece}], "usage": None})


@contextmanager
def openai_server() -> Iterator[OpenAIServer]:
    """Serve from a thread."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answers.requests.append(body)
            chat = "messages" in body
            if not body.get("stream") or answers.ignores_stream or answers.status != 200:
                self._send_whole(answers.whole or answers.answer(chat=chat))
            else:
                self._send_stream(answers.stream or answers.events(chat=chat))

        def _send_whole(self, answer: Any) -> None:
            content = json.dumps(answer).encode()
            self.send_response(answers.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _send_stream(self, pieces: Sequence[bytes]) -> None:
            self.send_response(answers.status)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in pieces:
                sleep(answers.pause_s)
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            if answers.is_cut:
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *values: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    answers = OpenAIServer(f"http://127.0.0.1:{server.server_port}/v1")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
