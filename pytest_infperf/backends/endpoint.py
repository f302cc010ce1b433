"""Backend for a server that already runs."""

from __future__ import annotations

import ipaddress
import json
import math
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

from pytest_infperf.backends.endpoint_generation import GenerationRunner
from pytest_infperf.backends.endpoint_kserve import KServeV1
from pytest_infperf.backends.endpoint_openai import OpenAIPayload
from pytest_infperf.backends.endpoint_payload import EndpointPayload
from pytest_infperf.backends.endpoint_runner import EndpointRunner
from pytest_infperf.errors import UserError
from pytest_infperf.suite import naming
from pytest_infperf.suite.backend import Address, Material, RemoteBackend
from pytest_infperf.suite.runner import Runner
from pytest_infperf.suite.task import Decoding, Task

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TIMEOUT_S = 30.0
_PART_OF_TIMEOUT = 0.9
"""Time limit of a request as a fraction of the worker's, so that the request is named as cause."""


@dataclass(frozen=True)
class Endpoint(RemoteBackend):
    """A server that already runs, measured over HTTP by a worker that acts as its client.

    The server gets the task's inputs unchanged, such as texts, in the form of `payload`, and its
    outputs are scored by the task's metrics. The time of a query includes writing the request, the
    network, the server, and reading the response, on a connection that is kept alive. Nothing is
    built. Memory, size, load time, CPU time and cost of the server are not measured. If the task
    generates tokens, `OpenAIChat` and `OpenAICompletions` stream the responses, and the times of
    tokens are measured.

    Parameters
    ----------
    url : str
        The address for POST requests. ``${NAME}`` in it is replaced by the environment variable.
    payload : EndpointPayload, default KServeV1()
        The form of requests and responses. If it has a single sample per request, the samples of a
        batch are sent one after another on one connection.
    headers : mapping of str to str, optional
        Headers of each request. ``${NAME}`` in a value is an environment variable, which the worker
        reads when it starts: ``{"Authorization": "Bearer ${TOKEN}"}``.
    decoding : mapping, optional
        The decoding settings of the server, such as ``{"max_tokens": 512}``. If the task has such
        settings and they are not given, the variant is compared only with other endpoints.
        `OpenAIChat` and `OpenAICompletions` give those that they send; settings here replace them.
    verify : str, optional
        A file with CA certificates, relative to the suite's folder, for a server with a private
        CA. Certificates are always verified.
    timeout_s : float, optional
        The time limit of a request, in seconds. None uses nine tenths of --infperf-timeout, which
        is also the maximum.
    usd_per_hour : float, optional
        The price of the instances behind the address, in US dollars per hour, from which loads
        compute the cost of a million requests.
    model, id, threads, cpus
        As in `Backend`; the id defaults to ``"endpoint"``. The server determines model and
        threads, so they cannot be given.

    Raises
    ------
    UserError
        If an argument is invalid (at once); if a variable is not set or the file of `verify`
        cannot be read (when the variant is loaded); if the server cannot be reached, does not
        respond in time, redirects, returns an error or a response that the payload cannot read, or
        breaks off a stream.

    Notes
    -----
    Proxies of the environment (HTTPS_PROXY, NO_PROXY) are used, except for addresses of this host.

    Examples
    --------
    >>> from pytest_infperf import Endpoint, JsonTemplate
    >>> canary = Endpoint(
    ...     "https://canary.example.com/classify",
    ...     payload=JsonTemplate({"text": "$input"}, answer="label"),
    ...     headers={"Authorization": "Bearer ${TOKEN}"},
    ...     id="canary",
    ... )
    >>> canary.variant_id
    'canary'
    """

    requires: ClassVar[tuple[str, ...]] = ("httpx",)
    extra: ClassVar[str | None] = "endpoint"

    url: str
    _: KW_ONLY
    payload: EndpointPayload = field(default_factory=KServeV1)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    decoding: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    verify: str | None = None
    timeout_s: float | None = None
    usd_per_hour: float | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        name = f"Endpoint({self.shown_url!r})"
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"{name}: the address must begin with http:// or https:// and a host")
        if parts.username is not None or parts.password is not None:
            raise UserError(
                f"{name}: remove user and password from the address; name a variable in "
                'headers={"Authorization": "Basic ${CREDENTIALS}"}'
            )
        if not isinstance(self.payload, EndpointPayload):
            raise UserError(f"{name}: the payload must be an EndpointPayload, such as KServeV1()")
        if self.verify is not None and not isinstance(self.verify, str):
            raise UserError(
                f"{name}: certificates are always verified; verify must be the path of a file with "
                "CA certificates, such as certificates/ca.pem"
            )
        if self.model is not None or self.threads not in ("suite", None):
            raise UserError(f"{name}: the server determines model and threads: remove them")
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise UserError(f"{name}: timeout_s={self.timeout_s} is not over 0 seconds")
        usd = self.usd_per_hour
        if usd is not None and not (isinstance(usd, int | float) and 0 < usd < math.inf):
            raise UserError(f"{name}: usd_per_hour={usd!r} must be a number above 0")

    @property
    def shown_url(self) -> str:
        """The address without parts that can be secret: user, query and fragment."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def default_id(self) -> str:
        return "endpoint"

    @property
    def answers_inputs(self) -> bool:
        return True

    @property
    def takes_batches(self) -> bool:
        return self.payload.takes_batches

    @property
    def streams(self) -> bool:
        return isinstance(self.payload, OpenAIPayload) and self.payload.stream

    def recipe(self) -> dict[str, Any]:
        return {
            "backend": f"{type(self).__module__}:{type(self).__qualname__}",
            "url": self.shown_url,
            "payload": naming.describe(self.payload),
            "headers": sorted(self.headers),
            "http_version": "1.1",
            "keep_alive": True,
        }

    def beside(self, folder: Path, package: str) -> Self:
        return self if self.verify is None else replace(self, verify=str(folder / self.verify))

    def within(self, timeout_s: float) -> Self:
        most_s = _PART_OF_TIMEOUT * timeout_s
        return replace(self, timeout_s=min(self.timeout_s or most_s, most_s))

    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        return {}

    def address(self) -> Address:
        url = self._resolved("url", self.url)
        headers = {
            name: self._resolved(f"headers[{name!r}]", value)
            for name, value in self.headers.items()
        }
        if self.verify is not None:
            self.certificates()  # raises an error before anything is measured
        is_here = is_loopback(urlsplit(url).hostname or "")
        timeout_s, secrets = self.timeout_s or _TIMEOUT_S, self._secrets(url, headers)
        return Address(url, headers, self.verify, timeout_s, is_here, secrets)

    def certificates(self) -> ssl.SSLContext:
        """Return the certificates with which the server is verified."""
        import httpx

        try:
            if self.verify is None:
                return httpx.create_ssl_context()
            return ssl.create_default_context(cafile=self.verify)
        except OSError as error:  # ssl.SSLError is one
            raise UserError(
                f"{self.shown_url}: verify={self.verify!r} is not a file with certificates: "
                f"{error.strerror or error}"
            ) from None

    def request(
        self, inputs: Sequence[Any], asked: Decoding | None = None, *, stream: bool = False
    ) -> bytes:
        payload = self.payload
        try:
            if asked is not None and isinstance(payload, OpenAIPayload):
                body = payload.generation(inputs, asked, stream=stream)
            else:
                body = payload.body(inputs)
            return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{self.shown_url} a request cannot be written as JSON: {error}"
            ) from None

    def _secrets(self, url: str, headers: Mapping[str, str]) -> list[str]:
        """Return secrets that messages must not show: variables, headers, query of the address.

        The longest come first, because one can be a part of another.
        """
        texts = [self.url, *self.headers.values()]
        found = [os.environ[name] for text in texts for name in _VARIABLE.findall(text)]
        found += headers.values()
        if query := urlsplit(url).query:
            found += [query, *(part.partition("=")[2] for part in query.split("&"))]
            found += [value for _, value in parse_qsl(query)]
        return sorted({secret for secret in found if secret}, key=len, reverse=True)

    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        if task.generates and isinstance(self.payload, OpenAIPayload):
            return GenerationRunner(self, self.payload, task.decoding)
        return EndpointRunner(self)

    def _resolved(self, place: str, text: str) -> str:
        """Return a text with the values of the environment variables in it."""

        def value(found: re.Match[str]) -> str:
            if found[1] not in os.environ:
                raise UserError(
                    f"{self.shown_url}: the environment variable {found[1]} in {place} is not set: "
                    "export it"
                )
            return os.environ[found[1]]

        return _VARIABLE.sub(value, text)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is that of this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
