"""Runner of `Endpoint`, which sends each query as a request."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_infperf.errors import UserError, first_line, start_of_answer, without_secrets
from pytest_infperf.suite.task import Decoding

if TYPE_CHECKING:
    import httpx

    from pytest_infperf.backends.endpoint import Endpoint

_IDLE_S = 4.0
"""Idle time after which a connection is reopened, in seconds. uvicorn and Node close idle
connections after 5 s, and a worker is frozen between blocks."""


class EndpointRunner:
    """Runner of `Endpoint`: posts requests on one connection and reads the responses."""

    threads = 1

    def __init__(self, endpoint: Endpoint) -> None:
        import httpx

        # At lower levels, these loggers write addresses and headers.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self.decoding: Decoding = dict(endpoint.decoding)
        self._endpoint = endpoint
        self._payload = endpoint.payload
        self._shown = endpoint.shown_url
        self._address = endpoint.address()
        self.server_is_here = self._address.is_here
        """Whether the server is busy on this host while the worker waits."""
        try:
            self._client = httpx.Client(
                headers={"Content-Type": "application/json", **self._address.headers},
                verify=endpoint.certificates(),
                timeout=self._address.timeout_s,
                trust_env=not self._address.is_here,
                limits=httpx.Limits(max_connections=1, keepalive_expiry=_IDLE_S),
            )
        except (ValueError, UnicodeError) as error:
            kind = type(error).__name__
            raise UserError(f"{self._shown}: its headers cannot be sent ({kind})") from None

    def infer(self, features: list[Any]) -> list[Any]:
        if self._payload.takes_batches:
            return self._answered(features)
        return [output for value in features for output in self._answered([value])]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _answered(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the outputs of one request."""
        response = self._posted(self._endpoint.request(inputs))
        return self._outputs(response, self._parsed(response), len(inputs))

    def _posted(self, content: bytes) -> httpx.Response:
        """Return the response to a request, with its body."""
        with self._asking():
            return self._client.post(self._address.url, content=content)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Replace errors of the connection by errors that name the address."""
        import httpx

        try:
            yield
        except httpx.TimeoutException:
            raise self._late() from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise self._error(
                f"cannot be asked: {type(error).__name__}: {first_line(error)}"
            ) from None

    def _parsed(self, response: httpx.Response) -> Any:
        """Return the JSON of a response, whose status must be one of success."""
        status, text = response.status_code, response.text
        if 300 <= status < 400:
            location = response.headers.get("location", "")
            where = f" to {location.partition('?')[0]}" if location else ""
            raise self._error(f"redirects{where} (status {status}): measure that address", text)
        if not 200 <= status < 300:
            raise self._error(f"answered with status {status}", text)
        try:
            return json.loads(text)
        except ValueError:
            raise self._error(f"answered with status {status} and no JSON", text) from None

    def _outputs(self, response: httpx.Response, answer: Any, count: int) -> list[Any]:
        """Return the outputs in a response, one for each of `count` inputs."""
        status, text = response.status_code, response.text
        with self._expecting(status, text):
            outputs = self._payload.outputs(answer)
        if any(output is None for output in outputs):
            raise self._error(f"answered with status {status} and without an output", text)
        if len(outputs) != count:
            counts = f"{count} inputs with {len(outputs)} outputs"
            raise self._error(f"answered with status {status} {counts}", text)
        return outputs

    @contextmanager
    def _expecting(self, status: int, body: str) -> Iterator[None]:
        """Replace errors of the payload by errors that show what the server sent."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            problem = first_line(error) or type(error).__name__
            what = f"answered with status {status} and another form than "
            kind = type(self._payload).__name__
            raise self._error(f"{what}{kind} expects: {problem}", body) from None

    def _late(self) -> UserError:
        return self._error(
            f"did not answer within {self._address.timeout_s:g} s (--infperf-timeout)"
        )

    def _error(self, problem: str, body: str = "") -> UserError:
        problem = without_secrets(problem, self._address.secrets)
        message = f"{self._shown} {problem}"
        if body:
            shown = start_of_answer(body, self._address.secrets)
            message += f". The response begins with: {shown}"
        return UserError(message)
