"""Security: headers of every response, and the allowed host names."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pytest_infperf.serving.server.refusals import refusal

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The pages load nothing from and send nothing to other hosts, and cannot be framed."""
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", _POLICY.encode()),
)


class SecurityHeaders:
    """ASGI middleware that adds security headers for browsers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class AllowedHosts:
    """ASGI middleware that refuses requests with another Host header (400)."""

    def __init__(self, app: ASGIApp, *, allowed_hosts: Sequence[str]) -> None:
        self._app = app
        self._allowed_hosts = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_allowed = False

        async def app(scope: Scope, receive: Receive, _: Send) -> None:
            nonlocal is_allowed
            is_allowed = True
            await self._app(scope, receive, send)

        async def drop(message: Message) -> None:
            """Drop Starlette's refusal, which is plain text."""

        check = TrustedHostMiddleware(app, self._allowed_hosts, www_redirect=False)
        await check(scope, receive, drop)
        if not is_allowed:
            message = "the Host header is not one of the allowed hosts (--allowed-hosts)"
            await refusal(400, "invalid_host", message)(scope, receive, send)
