"""A server that simulates the comment APIs of GitHub and GitLab on this host."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "secret-token-1234"
ROUTES = {
    "github": (
        r"/repos/shop/search/issues/7/comments",
        r"/repos/shop/search/issues/comments/(?P<id>\d+)",
    ),
    "gitlab": (
        r"/projects/42/merge_requests/7/notes",
        r"/projects/42/merge_requests/7/notes/(?P<id>\d+)",
    ),
}


class Platform:
    """The state of the server: comments, and answers that come before the regular ones."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.url = ""
        self.comments: list[dict[str, Any]] = []
        self.failures: list[tuple[str, int, dict[str, str], dict[str, Any]]] = []
        """Method, status, headers and body of answers to come, each given once."""
        self.requests: list[tuple[str, str]] = []
        self.owner: dict[str, Any] | None = {"id": 1, "login": "bot"}
        """Owner of the token; None if the token is that of a job of GitHub Actions."""
        self.creates_and_fails = False
        """Whether the next comment is created although the answer is an error."""

    @property
    def author(self) -> dict[str, Any]:
        return {"id": 1, "type": "Bot"} if self.owner is None else {**self.owner, "type": "User"}

    def add(self, body: str, author: dict[str, Any] | None = None) -> dict[str, Any]:
        comment = {
            "id": len(self.comments) + 1,
            "body": body,
            "user" if self.kind == "github" else "author": author or self.author,
        }
        if self.kind == "github":
            comment["html_url"] = f"https://example.org/pull/7#{comment['id']}"
        self.comments.append(comment)
        return comment

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        given = {
            "github": headers.get("Authorization") == f"Bearer {TOKEN}",
            "gitlab": headers.get("PRIVATE-TOKEN") == TOKEN,
        }
        if not given[self.kind]:
            return 401, {"message": "Bad credentials"}
        parts = urlsplit(path)
        if parts.path == "/user":
            return (200, self.owner) if self.owner else (403, {"message": "not for integrations"})
        many, one = ROUTES[self.kind]
        if re.fullmatch(many, parts.path):
            if method == "POST":
                comment = self.add(body["body"])
                if self.creates_and_fails:
                    self.creates_and_fails = False
                    return 502, {}
                return 201, comment
            query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
            size = query.get("per_page", 30)
            start = (query.get("page", 1) - 1) * size
            return 200, self.comments[start : start + size]
        found = re.fullmatch(one, parts.path)
        if found and method == {"github": "PATCH", "gitlab": "PUT"}[self.kind]:
            comment = self.comments[int(found["id"]) - 1]
            comment["body"] = body["body"]
            return 200, comment
        return 404, {"message": "Not Found"}


@contextmanager
def serving(kind: str) -> Iterator[Platform]:
    platform = Platform(kind)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            platform.requests.append((self.command, self.path))
            headers: dict[str, str] = {}
            if platform.failures and platform.failures[0][0] == self.command:
                _, status, headers, answer = platform.failures.pop(0)
            else:
                status, answer = platform.answer(self.command, self.path, self.headers, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = handle_any

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    platform.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield platform
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
