"""The server of a variant of a suite, one at a time, and the requests to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

from pydantic import ValidationError

from pytest_infperf import errors
from pytest_infperf.artifacts.blueprint import Blueprint
from pytest_infperf.artifacts.cache import Artifact
from pytest_infperf.errors import UserError
from pytest_infperf.host import cgroup
from pytest_infperf.host.cpu import usable_cores
from pytest_infperf.host.interpreter import interpreter_at
from pytest_infperf.records.time_spent import spending
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.server.process import ServerProcess
from pytest_infperf.serving.server.settings import Deployment
from pytest_infperf.suite.backend import RemoteBackend
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.payload import Payload
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.serving import Serving
from pytest_infperf.suite.suite import Suite

__tracebackhide__ = errors.meant_for_the_user

_BODIES = 200
"""Maximum number of different requests, which are sent in turn."""
_PATIENCE_S = 5.0
"""Time that a client waits beyond the server's time limit, in seconds."""


@dataclass(frozen=True)
class Cores:
    """The cores of server and load generator, disjoint if there are at least two."""

    server: Sequence[int]
    generator: Sequence[int]

    @classmethod
    def apart(cls, cores: Sequence[int]) -> Cores:
        if len(cores) < 2:
            return cls.shared(cores)
        return cls(cores[:-1], cores[-1:])

    @classmethod
    def shared(cls, cores: Sequence[int]) -> Cores:
        return cls(cores, cores)


@dataclass(repr=False)
class SuiteServer:
    """Starts the server of one variant at a time."""

    suite: Suite
    address: SuiteAddress
    checkout: Checkout
    timeout_s: float
    artifact: Callable[[str], Artifact]
    """Returns the artifact of a variant. Raises the error of its build."""
    blueprint: Callable[[str], Blueprint]
    cores: Cores = field(default_factory=lambda: Cores.apart(usable_cores()))
    _running: ServerProcess | None = field(init=False, default=None)

    def running(self, variant_id: str) -> ServerProcess:
        """Return the server of a variant, and start it with the suite's settings if needed.

        The server of another variant is ended.
        """
        running = self._running
        if running and running.alive and running.deployment.variant == variant_id:
            return running
        self.close()
        deployment = self.deployment(variant_id, self.suite.serving)
        with spending("starting"):
            self._running = self.started(deployment)
        return self._running

    def started(
        self, deployment: Deployment, has_failed: Callable[[], bool] = lambda: False
    ) -> ServerProcess:
        """Start another server, which the caller must close.

        Parameters
        ----------
        deployment : Deployment
            The variant and the settings of the server.
        has_failed : callable, optional
            Returns True if the server will not become ready, which ends the wait.
        """
        checkout = self.checkout_of(deployment.variant)
        return ServerProcess(deployment, checkout, self.timeout_s, has_failed)

    def checkout_of(self, variant_id: str) -> Checkout:
        """Return the tree of files and the interpreter of a variant's server."""
        return self.checkout.run_by(self.blueprint(variant_id).python)

    def deployment(self, variant_id: str, serving: Serving, servers: int = 1) -> Deployment:
        """Return the deployment of a variant.

        Each process gets the variant's number of threads, or else an equal part of the cores and
        the CPU quota, divided by all processes of `servers` servers.
        """
        blueprint = self.blueprint(variant_id)
        if blueprint.is_remote:
            raise UserError(
                f"{variant_id} is the address of a server that already runs: choose a variant that "
                "this host can serve"
            )
        if blueprint.python:
            interpreter_at(blueprint.python).check("serve", f"a server of {variant_id}")
        share = max(1, cgroup.usable_threads(self.cores.server) // (serving.workers * servers))
        threads = blueprint.threads if isinstance(blueprint.threads, int) else share
        return Deployment(
            suite=asdict(self.address),
            variant=variant_id,
            backend=blueprint.backend,
            model=blueprint.model,
            artifact=str(self.artifact(variant_id).folder),
            threads=threads,
            serving=serving.limits(),
            cpus=blueprint.cpus or self.cores.server,
            log=False,
        )

    def target(
        self,
        url: str,
        deployment: Deployment,
        samples: Samples,
        order: Iterator[int],
        size: int = 1,
        payload_name: str = "",
    ) -> Target:
        """Return a server as the target of load, with requests of `size` samples.

        Requests use the payload of the task, or an additional payload of the suite. Samples that
        are not valid in a request, such as an empty text, are left out.

        Raises
        ------
        UserError
            If no sample is left, or a request cannot contain that many samples.
        """
        payload = (
            self.suite.serving.payload(payload_name) if payload_name else self._payload(deployment)
        )
        refused: dict[int, str] = {}
        numbers = _accepted(payload, samples.inputs, order, refused)
        queries = [
            [samples.inputs[i] for i in islice(numbers, size)]
            for _ in range(min(_BODIES, max(1, len(samples.inputs) // size)))
        ]
        target = Target(
            url,
            payload.path(self.suite.name),
            [_body(payload, inputs) for inputs in queries],
            size,
            deployment.limits.timeout_s + _PATIENCE_S,
            self.cores.generator,
            refused,
        )
        if not self.suite.task.generates:
            return target
        return self._streamed(target, queries, payload_name)

    def _streamed(
        self, target: Target, queries: Sequence[Sequence[Any]], payload_name: str
    ) -> Target:
        """Return a destination that streams its responses, or the reason why it does not.

        Raises UserError if requests have different paths.
        """
        task = self.suite.task
        by_path: dict[str, list[bytes]] = {}
        if payload_name:
            because = f"requests of the payload {payload_name} are not streamed: omit payload="
        elif target.samples > 1:
            because = f"requests of {target.samples} samples are not streamed: set samples=1"
        else:
            because = f"a server of {type(task).__name__} returns whole responses"
            requests = (task.streaming_request(sample) for [sample] in queries)
            for path, body in filter(None, requests):
                text = json.dumps({"model": self.suite.name, **body}, ensure_ascii=False)
                by_path.setdefault(path, []).append(text.encode())
        if not by_path:
            return replace(target, whole_because=because)
        if len(by_path) > 1:
            raise UserError(
                f"a load sends its requests to one path, and the samples are of {len(by_path)}: "
                f"{', '.join(by_path)}. Make all prompts texts, or all of them chats"
            )
        [(path, bodies)] = by_path.items()
        return replace(target, path=path, bodies=bodies).streamed()

    def remote_target(
        self,
        backend: RemoteBackend,
        samples: Samples,
        order: Iterator[int],
        size: int = 1,
        payload_name: str = "",
    ) -> Target:
        """Return an endpoint as the target of load, with requests of `size` samples.

        Raises
        ------
        UserError
            If the endpoint does not accept this number of samples per request, or `payload_name` is
            not empty.
        """
        name = backend.variant_id
        if payload_name:
            raise UserError(f"{name} is an endpoint with its own payload: omit payload=")
        if size > 1 and not backend.takes_batches:
            raise UserError(f"a request to {name} contains one sample, not {size}")
        address = backend.within(self.timeout_s).address()
        task = self.suite.task
        asked = task.decoding if task.generates else None
        bodies = [
            backend.request([samples.inputs[i] for i in islice(order, size)], asked)
            for _ in range(min(_BODIES, max(1, len(samples.inputs) // size)))
        ]
        target = Target.at(address, bodies, size)
        if not self.suite.task.generates:
            return target
        if backend.streams:
            return target.streamed()
        because = f"requests of {name} are not streamed: use a payload of OpenAI's API"
        return replace(target, whole_because=because)

    def limits(self, deployment: Deployment) -> dict[str, Any]:
        """Return the server settings of a deployment, with the maximum size of a request's body."""
        body_bytes = replace(deployment.limits, payloads=self.suite.serving.payloads).body_limit(
            self._payload(deployment)
        )
        return {**deployment.serving, "max_body_bytes": body_bytes}

    def _payload(self, deployment: Deployment) -> Payload:
        codec = self.suite.codec_of(self.suite.variant(deployment.variant), deployment.model)
        return self.suite.task.payload(codec)

    def close(self) -> None:
        """End the server."""
        if self._running:
            self._running.close()
            self._running = None


def _body(payload: Payload, inputs: Sequence[Any]) -> bytes:
    """Return the body of a request with several samples that are valid one by one."""
    try:
        return payload.ask(inputs).model_dump_json().encode()
    except ValueError as error:
        raise UserError(
            f"a request of {type(payload).__name__} cannot contain {len(inputs)} samples: "
            f"{_reason(error)}"
        ) from None


def _accepted(
    payload: Payload, inputs: Sequence[Any], order: Iterator[int], refused: dict[int, str]
) -> Iterator[int]:
    """Yield the numbers of samples that are valid in a request, and enter others in `refused`.

    Raises UserError if no sample is valid, after more consecutive refusals than are possible
    otherwise.
    """
    refusals_on_end = 0
    for number in order:
        if number not in refused:
            try:
                payload.ask([inputs[number]])
            except ValueError as error:  # pydantic's ValidationError is one
                refused[number] = _reason(error)
        if number not in refused:
            refusals_on_end = 0
            yield number
        elif (refusals_on_end := refusals_on_end + 1) > 2 * len(inputs):
            raise UserError(
                f"no sample is valid in a request of {type(payload).__name__}: {refused[number]}"
            )


def _reason(error: ValueError) -> str:
    """Return the first message of a validation error, or the message of another error."""
    if isinstance(error, ValidationError):
        return str(error.errors(include_url=False, include_input=False)[0]["msg"])
    return str(error)
