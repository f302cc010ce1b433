"""A variant of a suite at the address of an `infperf serve` server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from functools import cached_property
from typing import Any, Self

from pytest_infperf.backends.endpoint import Endpoint
from pytest_infperf.backends.endpoint_payload import EndpointPayload
from pytest_infperf.suite.codec import InputsCodec
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.payload import Payload
from pytest_infperf.suite.suite import Suite


@dataclass(frozen=True)
class ServedPayload(EndpointPayload):
    """The requests and responses of the task's own server.

    Parameters
    ----------
    suite : Mapping
        The fields of the suite's `SuiteAddress`, with which a worker loads the suite.
    """

    suite: Mapping[str, str]

    @cached_property
    def _payload(self) -> Payload:
        return payload_of(SuiteAddress(**self.suite).load())

    def body(self, inputs: Sequence[Any]) -> Any:
        return self._payload.ask(inputs).model_dump(mode="json")

    def outputs(self, answer: Any) -> list[Any]:
        return self._payload.outputs(self._payload.response.model_validate(answer))


@dataclass(frozen=True)
class ServedVariant(Endpoint):
    """A variant of a suite at the address of its server.

    Parameters
    ----------
    holds_out : bool, default False
        Whether samples of the test data calibrate a variant of the suite and are not scored.
    """

    _: KW_ONLY
    holds_out: bool = False

    @classmethod
    def of(
        cls, suite: Suite, address: SuiteAddress, variant_id: str, url: str, usd_per_hour: float
    ) -> Self:
        """Return a variant of a suite that is served at a base URL, with its price."""
        return cls(
            url.rstrip("/") + payload_of(suite).path(suite.name),
            payload=ServedPayload(asdict(address)),
            usd_per_hour=usd_per_hour,
            holds_out=any(variant.calibrates for variant in suite.variants),
            id=variant_id,
        )

    @property
    def calibrates(self) -> bool:
        return self.holds_out


def payload_of(suite: Suite) -> Payload:
    """Return the payload of a suite's server, as its clients need it.

    Raises UserError if the task cannot be served, or its payload needs the model.
    """
    return suite.task.payload(InputsCodec())
